"""Operators: what a file of them may say, who is let in, and how often one may try."""

from __future__ import annotations

import logging
import stat
import time
import tomllib
from typing import TYPE_CHECKING

import pytest

from engine.auth.operators import Operator, Operators, Role, add
from engine.errors import Invalid, Misconfigured
from engine.runtime.config_files import MAX_TOML

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

PASSWORD = "correct horse battery"
HASH = "$argon2id$v=19$m=8,t=1,p=1$c2FsdHNhbHQ$6NEwBMZr4XXfuIcP6zuNiw"


def entry(name: str = "anna", role: str = '"admin"', password: str = f'"{HASH}"') -> str:
    return f"[operators.{name}]\nrole = {role}\npassword = {password}\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "operators.toml"
    add(file, "anna", Role.ADMIN, PASSWORD)
    return file


def test_a_role_may_do_what_those_below_it_may() -> None:
    allowed = {(role, needed) for role in Role for needed in Role if role.allows(needed)}
    viewer, operator, admin = Role
    own = {(role, role) for role in Role}
    assert allowed == own | {(operator, viewer), (admin, viewer), (admin, operator)}


def test_an_added_operator_is_let_in_with_the_password_and_nothing_else(file: Path) -> None:
    known = Operators(file)
    assert known.verify("anna", PASSWORD) == known.find("anna") == Operator("anna", Role.ADMIN)
    for name, password in [("anna", PASSWORD + " "), ("anna", ""), ("bob", PASSWORD), ("", ""), ("ANNA", PASSWORD)]:
        assert known.verify(name, password) is None
    assert known.verify("anna", "a" * 1_000_000) is None
    assert known.find("bob") is None


def test_an_unknown_name_takes_as_much_work_as_a_wrong_password(file: Path) -> None:
    """In CPU time, which other processes do not lengthen, a hash costs ten thousand look-ups."""
    known = Operators(file)

    def seconds(name: str) -> float:
        started = time.process_time()
        assert known.verify(name, "wrong password") is None
        return time.process_time() - started

    wrong, unknown = (min(seconds(name) for _ in range(5)) for name in ("anna", "bob"))
    assert 0.2 < unknown / wrong < 5


def test_adding_writes_a_file_for_its_owner_alone_and_replaces_an_entry_of_that_name(file: Path) -> None:
    add(file, "o.neil@example-1.no", Role.VIEWER, PASSWORD)
    add(file, "anna", Role.OPERATOR, "another password")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in file.parent.iterdir()] == ["operators.toml"]
    assert PASSWORD not in file.read_text()
    assert tomllib.loads(file.read_text())["operators"].keys() == {"anna", "o.neil@example-1.no"}
    known = Operators(file)
    assert known.verify("anna", PASSWORD) is None
    assert known.verify("anna", "another password") == Operator("anna", Role.OPERATOR)
    assert known.verify("o.neil@example-1.no", PASSWORD) == Operator("o.neil@example-1.no", Role.VIEWER)


@pytest.mark.parametrize("name", ["", "Anna", "anna b", 'a"b', "a\\b", "a\nb", "\N{LATIN SMALL LETTER AE}", "a" * 65])
def test_a_name_that_cannot_be_one_is_not_added(name: str, file: Path) -> None:
    before = file.read_bytes()
    with pytest.raises(Invalid, match="name: 1 to 64 characters"):
        add(file, name, Role.VIEWER, PASSWORD)
    assert file.read_bytes() == before


@pytest.mark.parametrize("password", ["", "a" * 11, "a" * 1025])
def test_a_password_too_short_or_too_long_is_not_added(password: str, tmp_path: Path) -> None:
    with pytest.raises(Invalid, match="password: 12 to 1024 characters"):
        add(tmp_path / "new", "anna", Role.VIEWER, password)
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_added_to_what_is_no_file_of_operators(tmp_path: Path) -> None:
    other = tmp_path / "other.toml"
    other.write_text("[[rule]]\n")
    with pytest.raises(Misconfigured, match=r"other\.toml: has entries that are not operators"):
        add(other, "anna", Role.VIEWER, PASSWORD)
    with pytest.raises(Misconfigured, match="No such file"):
        add(tmp_path / "missing" / "file", "anna", Role.VIEWER, PASSWORD)


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[operators", "is not TOML"),
        ("a = " + "[" * 5000, "is not TOML"),
        ("operators = 1", "has entries that are not operators"),
        (entry() + "[other]", "has entries that are not operators"),
        (entry("Anna"), r"operators\.'Anna': a name has 1 to 64 characters"),
        (entry('"a\\n"'), r"operators\.'a\\n': a name has"),
        ("[operators]\nanna = 1", r"operators\.'anna': must have a role and a password"),
        (entry() + "admin = true", "must have a role and a password and nothing else"),
        (entry(role='"root"'), "there is no role 'root'; there are viewer, operator, admin"),
        (entry(role="[]"), r"there is no role \[\]"),
        (entry(password='"hunter2"'), "is not an argon2id hash"),
        (entry(password="1"), "is not an argon2id hash"),
        (entry(password=f'"{HASH.replace("id", "i")}"'), "is not an argon2id hash"),
        (entry(password='"$argon2id$v=19$m=8"'), "is not an argon2id hash"),
        ("#" * MAX_TOML + "\n", "has more than 1048576 bytes"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_at_the_start(text: str, fault: str, tmp_path: Path) -> None:
    file = tmp_path / "operators.toml"
    file.write_text(text)
    with pytest.raises(Misconfigured, match=rf"operators\.toml: .*{fault}"):
        Operators(file)


def test_a_missing_file_is_refused_at_the_start_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"missing: No such file.*varsel operator add NAME"):
        Operators(tmp_path / "missing")


def test_a_fault_does_not_show_the_password_that_somebody_wrote_in_clear(tmp_path: Path) -> None:
    file = tmp_path / "operators.toml"
    file.write_text(entry(password='"hunter2"'))
    with pytest.raises(Misconfigured) as refused:
        Operators(file)
    assert "hunter2" not in str(refused.value)


def test_a_changed_file_is_followed_at_once_and_a_broken_one_changes_nothing(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    known = Operators(file)
    add(file, "anna", Role.VIEWER, PASSWORD)
    assert known.find("anna") == Operator("anna", Role.VIEWER)
    file.write_text("[operators")
    for _ in range(3):
        assert known.find("anna") == Operator("anna", Role.VIEWER)
    file.unlink()
    assert known.verify("anna", PASSWORD) == Operator("anna", Role.VIEWER)
    assert [record.message.partition(":")[0] for record in caplog.records] == ["the operators stay as they were"] * 2
    file.write_text("")  # nobody is left
    assert known.find("anna") is None
    assert known.verify("anna", PASSWORD) is None
