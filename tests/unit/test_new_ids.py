"""Identifiers of version 7: they sort by time, and no two are alike, whichever process makes them."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta

from engine.models import new_id
from tests.helpers.waiting import patience

AT = datetime(2026, 11, 29, 12, tzinfo=UTC)
# In a process of its own: this one has threads, with which Python warns of forks.
FAMILY = """
import multiprocessing
from datetime import UTC, datetime
from engine.models import new_id

def make(_):
    return [str(new_id(datetime(2026, 11, 29, 12, tzinfo=UTC))) for _ in range(10)]

fork = multiprocessing.get_context("fork")
found = make(0)
for number in range(3):
    with fork.Pool(1) as child:
        found += child.apply(make, (number,))
print(*found)
"""


def test_processes_of_one_parent_make_different_identifiers_in_the_same_millisecond() -> None:
    command = [sys.executable, "-c", FAMILY]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=patience())
    assert len(set(done.stdout.split())) == 40


def test_they_are_of_version_7_and_sort_by_time() -> None:
    found = [new_id(AT + timedelta(milliseconds=number)) for number in range(100)]
    assert found == sorted(found)
    assert {each.version for each in found} == {7}
    assert {each.variant for each in found} == {"specified in RFC 4122"}
