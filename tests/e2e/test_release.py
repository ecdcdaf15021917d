"""A release needs a clean checkout whose change log has the version's heading; all but `make check` runs here."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import tomllib
from pathlib import Path
from zipfile import ZipFile

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
LEFT_OUT = shutil.ignore_patterns(
    ".git", ".venv", ".varsel", ".*_cache", ".hypothesis", ".coverage*", "dist", "__pycache__"
)
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
HEADING = f"## {VERSION} - 2026-12-24"
WHO = {
    f"GIT_{role}_{what}": f"{what.lower()}@example.no" for role in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")
}


class Checkout:
    """A repository with the files of this one, whose change log begins with a heading of the test's."""

    def __init__(self, folder: Path, heading: str) -> None:
        self.folder = folder
        shutil.copytree(ROOT, folder, ignore=LEFT_OUT)
        log = folder / "CHANGELOG.md"
        text, begin = log.read_text(), log.read_text().index("\n## ") + 1
        log.write_text(text[:begin] + heading + text[text.index("\n", begin) :])
        self.git("init", "--quiet")
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "All of it")
        (folder / ".venv").mkdir()
        (folder / ".venv" / ".ready").touch()

    def git(self, *arguments: str) -> str:
        return self._run("git", *arguments, check=True).stdout.strip()

    def release(self, *, checks: bool = True) -> subprocess.CompletedProcess[str]:
        """`make release` with the programs of this environment; `checks`: how `make check` ends."""
        return self._run("make", "release", f"BIN={Path(sys.executable).parent}", f"MAKE={str(checks).lower()}")

    @property
    def built(self) -> list[str]:
        return sorted(path.name for path in self.folder.glob("dist/*"))

    def _run(self, *command: str, check: bool = False) -> subprocess.CompletedProcess[str]:
        own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", **WHO}
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("GIT_", "MAKE"))}
        return subprocess.run(command, cwd=self.folder, env=kept | own, check=check, capture_output=True, text=True)


def test_a_release_is_a_tag_varsel_and_its_clients(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", HEADING)
    done = checkout.release()
    assert done.returncode == 0, done.stderr
    assert checkout.git("rev-parse", f"v{VERSION}^{{commit}}") == checkout.git("rev-parse", "HEAD")
    assert checkout.git("cat-file", "-t", f"v{VERSION}") == "tag"
    assert checkout.git("status", "--porcelain") == ""
    wheel, source = f"varsel-{VERSION}-py3-none-any.whl", f"varsel-{VERSION}.tar.gz"
    client, typescript = f"varsel_client-{VERSION}-py3-none-any.whl", f"varsel-client-{VERSION}.tgz"
    assert checkout.built == sorted([wheel, source, client, f"varsel_client-{VERSION}.tar.gz", typescript])
    assert "engine/queue/due.py" in ZipFile(checkout.folder / "dist" / wheel).namelist()
    with tarfile.open(checkout.folder / "dist" / source) as archive:
        assert f"varsel-{VERSION}/CHANGELOG.md" in archive.getnames()
    assert "varsel/client/py.typed" in ZipFile(checkout.folder / "dist" / client).namelist()
    run_alone(checkout.folder / "dist" / client, tmp_path / "alone")
    with tarfile.open(checkout.folder / "dist" / typescript) as archive:
        assert {"package/package.json", "package/src/index.js", "package/src/index.d.ts"} <= set(archive.getnames())


def run_alone(wheel: Path, folder: Path) -> None:
    """The client needs nothing of the engine's, and nothing but httpx."""
    with ZipFile(wheel) as packed:
        packed.extractall(folder)  # noqa: S202 our own
    paths = [str(folder), sysconfig.get_path("purelib")]
    code = (
        f"import sys; sys.path[:0] = {paths}; import varsel.client as it; print(it.__file__, 'engine' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == f"{folder / 'varsel' / 'client' / '__init__.py'} False\n"


@pytest.mark.parametrize(
    ("heading", "fault"),
    [
        ("## Unreleased", f'begins with "Unreleased" and pyproject.toml has {VERSION}'),
        ("## 99.0.0 - 2026-12-24", 'begins with "99.0.0 - 2026-12-24"'),
        (f"## {VERSION}", f'must be "{VERSION} - YYYY-MM-DD"'),
    ],
)
def test_a_version_without_its_heading_is_not_released(heading: str, fault: str, tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", heading)
    done = checkout.release()
    assert done.returncode != 0
    assert fault in done.stderr
    assert (checkout.built, checkout.git("tag")) == ([], "")


def test_a_tree_with_changes_is_not_released(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", HEADING)
    (checkout.folder / "engine" / "forgotten.py").touch()
    done = checkout.release()
    assert done.returncode != 0
    assert "The tree is not clean" in done.stderr
    assert (checkout.built, checkout.git("tag")) == ([], "")


def test_a_version_is_released_once(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", HEADING)
    checkout.git("tag", f"v{VERSION}")
    done = checkout.release()
    assert done.returncode != 0
    assert f"The tag v{VERSION} exists" in done.stderr
    assert checkout.built == []


def test_what_fails_its_checks_is_not_released(tmp_path: Path) -> None:
    checkout = Checkout(tmp_path / "checkout", HEADING)
    assert checkout.release(checks=False).returncode != 0
    assert (checkout.built, checkout.git("tag")) == ([], "")
