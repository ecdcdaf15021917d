"""The Redis that `varsel up` starts, and those that are too old."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.queue.redis_server import is_old, is_usable, newest

if TYPE_CHECKING:
    from pathlib import Path


def server(folder: Path, says: str) -> Path:
    folder.mkdir()
    file = folder / "redis-server"
    file.write_text(f"#!/bin/sh\n{says}\n")
    file.chmod(0o755)
    return file


def version(text: str) -> str:
    return f"echo 'Redis server v={text} sha=00000000:0 malloc=libc bits=64'"


def test_the_newest_is_started_wherever_it_stands_on_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    server(tmp_path / "bundled", version("6.2.14"))
    wanted = server(tmp_path / "system", version("7.10.2"))
    server(tmp_path / "older", version("7.9.30"))
    server(tmp_path / "broken", "exit 1")
    folders = ["missing", "bundled", "broken", "system", "older"]
    monkeypatch.setenv("PATH", ":".join(str(tmp_path / name) for name in folders))
    assert newest() == wanted


@pytest.mark.parametrize(
    ("text", "old"), [("6.2.14", True), ("5.0.7", True), ("6.2.20", False), ("7.0.15", False), ("8.2.1", False)]
)
def test_a_redis_without_known_fixes_is_old(text: str, *, old: bool) -> None:
    assert is_old(text) == old


@pytest.mark.parametrize(("text", "usable"), [("5.0.7", False), ("6.0.16", False), ("6.2.0", True), ("7.0.15", True)])
def test_a_redis_that_lacks_a_command_of_ours_is_not_usable(text: str, *, usable: bool) -> None:
    assert is_usable(text) == usable
