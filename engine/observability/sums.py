"""What became of attempts at e-mails, by outcome, wording, relay, domain and creator: sums of five minutes.

Like history (history.py), they are counted in memory and carried into the database by heartbeats: a wave of refusals
costs as much as a single one, and whoever asks what failed reads sums, whatever the number of e-mails.
"""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import case
from sqlalchemy.dialects import postgresql, sqlite

from engine.db.dialects import Now, after
from engine.db.tables import attempt_sums, wordings
from engine.observability.history import MINUTE, begun
from engine.runtime.clock import steady

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

EVERY = 5 * MINUTE  # milliseconds of a sum
GAP = timedelta(hours=1)  # without a wording, after which it begins anew
# Different endings that a process tells apart in a sum. Beyond, they lose their domain; beyond twice as many, their
# wording and creator, too.
MOST = 100


@dataclass(frozen=True, slots=True, order=True)
class Ending:
    """How attempts ended; "" where it is not told apart."""

    outcome: str  # as in the log of attempts
    failure: str  # the key of the wording; "" where the e-mail was accepted
    relay: str
    domain: str
    creator: str


class Sums:
    """The endings of one process that are not in the database yet. Any thread may count."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: Counter[Ending] = Counter()
        self._texts: dict[str, str] = {}
        self._known: set[Ending] = set()  # of this sum
        self._began = -1

    def count(self, ending: Ending, text: str = "") -> None:
        """Count an ending; `text`: the wording."""
        with self._lock:
            if (began := int(steady() * 1000 / EVERY)) != self._began:
                self._began = began
                self._known.clear()
            ending = self._told_apart(ending)
            self._known.add(ending)
            self._counts[ending] += 1
            if ending.failure:
                self._texts[ending.failure] = text

    def take(self) -> tuple[Mapping[Ending, int], Mapping[str, str]]:
        """What has been counted since, with the wordings by their keys; the caller writes it or puts it back."""
        with self._lock:
            taken = self._counts, self._texts
            self._counts, self._texts = Counter(), {}
        return taken

    def put_back(self, counts: Mapping[Ending, int], texts: Mapping[str, str]) -> None:
        """What could not be written."""
        with self._lock:
            self._counts.update(counts)
            self._texts |= texts

    def _told_apart(self, ending: Ending) -> Ending:
        for most, coarser in ((MOST, {"domain": ""}), (2 * MOST, {"failure": "", "creator": ""})):
            if ending in self._known or len(self._known) < most:
                break
            ending = replace(ending, **coarser)
        return ending


SUMS = Sums()


def add(connection: Connection, counts: Mapping[Ending, int], texts: Mapping[str, str]) -> None:
    """Add to the sums of now what was counted."""
    if not counts:
        return
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    if texts:
        seen = insert(wordings).values(since=Now(), seen=Now())
        since = case((wordings.c.seen < after(-GAP), seen.excluded.since), else_=wordings.c.since)
        again = seen.on_conflict_do_update(
            index_elements=[wordings.c.key], set_={"since": since, "seen": seen.excluded.seen}
        )
        connection.execute(again, [{"key": key, "text": text} for key, text in sorted(texts.items())])
    added = insert(attempt_sums).values(at=begun(EVERY))
    more = {"count": attempt_sums.c.count + added.excluded.count}
    sums = added.on_conflict_do_update(index_elements=list(attempt_sums.primary_key.columns), set_=more)
    connection.execute(sums, [asdict(ending) | {"count": count} for ending, count in sorted(counts.items())])
