"""A backup is made of a running installation, restored elsewhere, started with its lanes paused, and compared.

The original is only read, in one moment of it, and by one connection: nothing is paused or written there. Nothing is
sent from the copy: its lanes are paused, and neither a worker nor a scheduler starts on it. No trace of it stays.
"""

from __future__ import annotations

import tempfile
import time
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from engine.admin.amounts import some
from engine.admin.sentences import thing
from engine.db.migrations import admit
from engine.db.store import Store
from engine.drills import census
from engine.drills.postgresql import PostgreSQLCopying
from engine.drills.serving import serve
from engine.drills.sqlite import SQLiteCopying
from engine.queue import epoch
from engine.queue.pauses import LANE, in_force
from engine.runtime.stop import ending
from engine.text.urls import file_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from datetime import datetime

    from engine.drills.census import Ask, Census, Rows
    from engine.drills.copying import Copying

SIGNED = ("subscriptions", "attachments")  # tables whose rows need the webhook key


@dataclass(frozen=True, slots=True)
class Step:
    """What was done, and how long it took; `bytes`: of what it made."""

    name: str
    seconds: float
    bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Compared:
    """A table: its rows in the original at the moment of the copy, and in the restored copy."""

    table: str
    original: int
    copy: int | None  # None: it has no such table


@dataclass(slots=True)
class Report:
    """What the drill found; `differences`: in words, none if the copy is whole."""

    database: str
    moment: datetime | None = None
    revision: str = ""
    steps: list[Step] = field(default_factory=list)
    tables: list[Compared] = field(default_factory=list)
    differences: list[str] = field(default_factory=list)
    again: Mapping[str, int] = field(default_factory=dict)  # rows by lane that a restore at this moment would do again
    webhook_key: bool = False

    @property
    def whole(self) -> bool:
        """Whether a restore of such a backup would have all."""
        return not self.differences


def run(
    url: str, into: str | None, folder: Path | None, key: str | None, progress: Callable[[str, int, int], None]
) -> Report:
    """Do it. `into`: the address of an empty PostgreSQL database; `folder`: where copies are made; `key`: webhook key.

    `progress` gets the step, how much of it is done, and of how much.
    Misconfigured when a step cannot be done; Conflict without room.
    """
    with ending(), tempfile.TemporaryDirectory(prefix="varsel-drill-", dir=folder) as temporary:
        private = Path(temporary)
        file = file_of(url)
        copying = SQLiteCopying(file, private) if file else PostgreSQLCopying(url, into, private)
        report = Report("SQLite" if file else "PostgreSQL", webhook_key=key is not None)
        with copying:
            _perform(copying, private, key, report, progress)
    return report


def _perform(
    copying: Copying, folder: Path, key: str | None, report: Report, progress: Callable[[str, int, int], None]
) -> None:
    def step(name: str) -> Callable[[int, int], None]:
        return lambda done, of: progress(name, done, of)

    with _timed(report, "copy"):
        original = copying.copy(step("counting tables"), step("copying"))
    report.steps[-1] = Step("copy", report.steps[-1].seconds, copying.bytes)
    report.moment, report.revision = original.moment, original.revision
    with _timed(report, "restore"):
        url = copying.restore(step("restoring"))
    with _timed(report, "compare"), copying.asking() as ask:
        report.differences += _compared(copying, ask, original, report, step("comparing"))
    with _timed(report, "start"):
        report.differences += _guarded(url, report)
        serve(url, folder, key)
    if key is None and any(original.rows[name].count for name in SIGNED if name in original.rows):
        report.differences.append("the webhook key is not here, without which subscribers refuse all events")


def _guarded(url: str, report: Report) -> list[str]:
    """What is wrong with the copy as processes meet it: its lanes must be paused."""
    with closing(Store(url, admit)) as store, store.read() as connection:
        report.again = epoch.again(connection) or {}
        running = epoch.NOT_REPEATED.keys() - in_force(connection).lanes
    return [f"{thing(LANE, name)} are not paused" for name in sorted(running)]


def _compared(
    copying: Copying, ask: Ask, original: Census, report: Report, progress: Callable[[int, int], None]
) -> list[str]:
    copy = census.take(ask, copying.dialect, progress)
    counts = {name: its.count for name, its in copy.rows.items()}
    report.tables = [Compared(name, its.count, counts.get(name)) for name, its in original.rows.items()]
    taken = census.spent(ask, copying.dialect, copy.rows)
    found = [f"{name}: new rows would get numbers that are taken" for name in taken]
    return [*differences(original, copy), *found, *copying.faults(ask)]


def differences(original: Census, copy: Census) -> list[str]:
    """What a restored copy lacks, or has more than the original and what the pause of its lanes has written."""
    found = [f"{name}: missing" for name in sorted(original.shape - copy.shape)]
    found += [f"{name}: not in the original" for name in sorted(copy.shape - original.shape)]
    if copy.revision != original.revision:
        found.append(f"the schema is at step {copy.revision}, and the original's at {original.revision}")
    for name, its in original.rows.items():
        other = copy.rows.get(name)
        if other and not _same(name, its, other):
            found.append(f"{name}: {_told(other)}, not {_told(its)}")
    return found


def _told(rows: Rows) -> str:
    return some(rows.count, "rows") + (f" up to {rows.greatest}" if rows.greatest else "")


def _same(name: str, original: Rows, copy: Rows) -> bool:
    """Whether a table has what it had, and what the pause has written."""
    match name:
        case "pauses":
            return original.count <= copy.count <= original.count + len(epoch.NOT_REPEATED)
        case "audit_log":
            return copy.count == original.count + 1
        case "installation":
            return copy.count == 1
    return name == "processes" or copy == original


@contextmanager
def _timed(report: Report, name: str) -> Iterator[None]:
    began = time.monotonic()
    yield
    report.steps.append(Step(name, round(time.monotonic() - began, 3)))
