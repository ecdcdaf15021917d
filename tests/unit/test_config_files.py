"""Files of operators are followed: what is wrong with a new version is said once, and the old one stays."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.errors import Misconfigured
from engine.runtime import config_files
from engine.runtime.config_files import Contents, read_toml

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "a.toml"
    file.write_text("a = 1")
    return file


@pytest.fixture
def checked_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_files, "CHECK", timedelta(0))


def test_a_file_that_cannot_be_used_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="missing: No such file"):
        Contents(tmp_path / "missing", read_toml, "entries")


@pytest.mark.usefixtures("checked_at_once")
def test_a_broken_or_removed_file_changes_nothing_and_each_fault_is_said_once(
    file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    contents = Contents(file, read_toml, "entries")
    before = contents.now
    for fault in (lambda: file.write_text("a = "), file.unlink):
        fault()
        for _ in range(3):
            assert contents.now is before
    assert [message.partition(":")[0] for message in caplog.messages] == ["the entries stay as they were"] * 2


@pytest.mark.usefixtures("checked_at_once")
def test_a_file_that_takes_anothers_place_is_read(file: Path) -> None:
    contents = Contents(file, read_toml, "entries")
    (other := file.with_name("b.toml")).write_text("a = 2")
    other.replace(file)  # as editors do
    assert contents.now == {"a": 2}


@pytest.mark.usefixtures("checked_at_once")
def test_what_is_written_while_the_file_is_read_is_read_again(file: Path) -> None:
    def read(path: Path) -> dict[str, object]:
        entries = read_toml(path)
        if entries == {"a": 1}:
            path.write_text("a = 2222")
        return entries

    assert Contents(file, read, "entries").now == {"a": 2222}


@pytest.mark.parametrize("at_once", [False, True])
def test_a_file_is_looked_at_once_a_second_unless_each_look_counts(
    file: Path, monkeypatch: pytest.MonkeyPatch, *, at_once: bool
) -> None:
    monkeypatch.setattr(config_files, "CHECK", timedelta(hours=1))  # however slow the machine is
    contents = Contents(file, read_toml, "entries", at_once=at_once)
    file.write_text("a = 2222")
    assert contents.now == {"a": 2222 if at_once else 1}
