"""Only the owner can read what commands write, whichever runs first; files open to others are closed to them."""

from __future__ import annotations

import stat
from typing import TYPE_CHECKING

import pytest

from engine.runtime.private_files import tighten
from tests.helpers.command import process

if TYPE_CHECKING:
    from pathlib import Path


def modes(folder: Path) -> dict[str, int]:
    """The modes of the folder and everything in it."""
    found = [folder, *folder.rglob("*")]
    return {str(path.relative_to(folder)): stat.S_IMODE(path.lstat().st_mode) for path in found}


def open_to_others(folder: Path) -> list[str]:
    return [name for name, mode in modes(folder).items() if mode & 0o077]


@pytest.mark.parametrize(
    "command",
    [("token", "--org", "ttd"), ("token", "--platform", "--issuer", "ttd"), ("contacts", "import", "-")],
    ids=["token", "platform", "contacts"],
)
def test_whichever_command_makes_the_folder_nobody_else_reads_what_is_in_it(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    folder = tmp_path / "new" / "data"
    done = process(*command, "--data", folder, given="identity,name,email,reserved\n")
    assert done.returncode == 0, done.stderr
    assert len(modes(folder)) > 1
    assert open_to_others(folder) == []
    assert "open to others" not in done.stderr


def test_a_database_elsewhere_is_its_owners_alone_too(tmp_path: Path) -> None:
    done = process("migrate", database_url=f"sqlite:///{tmp_path}/varsel.db")
    assert done.returncode == 0, done.stderr
    assert {path.name for path in tmp_path.iterdir()} >= {"varsel.db", "varsel.db.gate"}
    assert [name for name in open_to_others(tmp_path) if name != "."] == []


def test_what_is_open_is_closed_and_said_in_one_line(tmp_path: Path) -> None:
    folder = tmp_path / "data"
    (folder / "appendonlydir").mkdir(parents=True)
    (folder / "keys").mkdir()
    for name in ("varsel.db", "varsel.db-wal", "varsel.db.gate", "appendonlydir/a.aof", "keys/x.pem"):
        (folder / name).touch(0o644)
    (folder / "varsel.db.old").symlink_to("/etc/hostname")
    folder.chmod(0o755)
    done = process("token", "--org", "ttd", "--data", folder)
    assert done.returncode == 0
    [line] = done.stderr.splitlines()
    assert "8 files or folders were open to others" in line
    assert [name for name in open_to_others(folder) if name != "varsel.db.old"] == []
    assert process("token", "--org", "ttd", "--data", folder).stderr == ""


def test_a_folder_that_holds_others_files_stays_as_it_is(tmp_path: Path) -> None:
    for name in ("varsel.db", "report.txt"):
        (tmp_path / name).touch(0o644)
    tmp_path.chmod(0o755)
    assert tighten(tmp_path) == 1
    assert modes(tmp_path) == {".": 0o755, "varsel.db": 0o600, "report.txt": 0o644}
