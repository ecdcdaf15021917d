"""Identifiers of version 7: they sort by time, and no two are alike, whichever process makes them."""

from __future__ import annotations

import multiprocessing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from engine.models import new_id

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)


def _make(end: Connection) -> None:
    end.send([new_id(AT) for _ in range(10)])


def test_processes_of_one_parent_make_different_identifiers_in_the_same_millisecond() -> None:
    fork = multiprocessing.get_context("fork")
    found = [new_id(AT) for _ in range(10)]
    for _ in range(3):
        ours, theirs = fork.Pipe(duplex=False)
        child = fork.Process(target=_make, args=(theirs,))
        child.start()
        found += ours.recv()
        child.join()
    assert len(set(found)) == 40


def test_they_are_of_version_7_and_sort_by_time() -> None:
    found = [new_id(AT + timedelta(milliseconds=number)) for number in range(100)]
    assert found == sorted(found)
    assert {each.version for each in found} == {7}
    assert {each.variant for each in found} == {"specified in RFC 4122"}
