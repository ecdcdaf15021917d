"""A process is killed in the middle of orders and events, and everything that was accepted must arrive.

It is for a test installation: see site.py. Mails go to the development inbox, and to addresses that do not exist.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from engine.db.store import Store
from engine.db.tables import EMAIL_OPEN, deliveries, emails, orders, subscriptions
from engine.dev.inbox import Inbox
from engine.drills.counting import compare
from engine.drills.load import Load
from engine.errors import Conflict
from engine.models import OrderState
from engine.runtime import proc
from engine.runtime.stop import ending

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import Connection

    from engine.auth.tokens import DevelopmentKey
    from engine.dev.inbox import Message
    from engine.drills.site import Site

LOOK_EVERY = 0.05  # seconds
GIVES_UP_AFTER = 60.0  # seconds, and three leases, in which nothing more arrives
LEASES = 3
SPANS = ("started_again", "next_mail", "settled")
UNFINISHED = (OrderState.REGISTERED, OrderState.PROCESSING, OrderState.PROCESSED)


@dataclass(frozen=True, slots=True)
class Report:
    """What a kill did. Spans are seconds from the kill; None: it did not happen while the drill ran."""

    killed: str
    pid: int
    orders: int  # accepted
    events: int  # likewise
    arrived: int  # of both
    lost: Sequence[str]
    twice: Sequence[str]  # with the same Message-ID: in flight when the process was killed
    other_message_id: Sequence[str]  # copies that receivers cannot recognise
    started_again: float | None
    next_accepted: float | None
    next_mail: float | None
    settled: float | None

    @property
    def sound(self) -> bool:
        """Whether everything that was promised was kept."""
        return not self.lost and not self.other_message_id and self.started_again is not None


def run(  # noqa: PLR0913 what a drill needs to know
    site: Site,
    kind: str,
    key: DevelopmentKey,
    database_url: str,
    *,
    number: int,
    progress: Callable[[int], None],
) -> Report:
    """Post so many orders, kill the process when half of them are accepted, and wait until all is settled.

    `progress` gets how many mails have arrived. Conflict when the installation takes none, or the process is gone.
    """
    load = Load(site.url, key, number, scheduled=kind != "web")
    with ending(), closing(Store(database_url)) as store, load.client() as client:
        try:
            load.subscribe(client)
            report = _Drill(site, load, Inbox(site.inbox), store, progress).run(kind)
        finally:
            load.unsubscribe(client)
    return report


class _Drill:
    """One drill on its way."""

    def __init__(self, site: Site, load: Load, inbox: Inbox, store: Store, progress: Callable[[int], None]) -> None:
        self._site = site
        self._load = load
        self._inbox = inbox
        self._store = store
        self._progress = progress
        self._known = {*inbox.ids()}
        self._mails: list[Message] = []

    def run(self, kind: str) -> Report:
        posters = self._load.start()
        before = proc.children(self._site.up)
        while not self._load.half.wait(LOOK_EVERY):
            self._demand_accepted()
        victim = self._site.victim(kind)  # the busiest one now
        name, arrived, killed = proc.name(victim), max(self._inbox.ids(), default=""), time.monotonic()
        try:
            os.kill(victim, signal.SIGKILL)
        except ProcessLookupError:
            raise Conflict(f"the {kind} {victim} has ended by itself") from None
        spans: dict[str, float] = {}
        mails, came = 0, killed
        while len(spans) < len(SPANS) and time.monotonic() < came + GIVES_UP_AFTER + LEASES * self._site.lease:
            time.sleep(LOOK_EVERY)
            self._demand_accepted()
            posting = any(each.is_alive() for each in posters)
            seen = {
                "started_again": self._site.successor(victim, name, before) is not None,
                "next_mail": self._look() > arrived,
                "settled": not posting and self._is_settled(),
            }
            if len(self._mails) > mails:
                mails, came = len(self._mails), time.monotonic()
            now = time.monotonic() - killed
            spans |= {name: round(now, 2) for name, there in seen.items() if there and name not in spans}
        again = spans.get("started_again", 0.0) if kind == "web" else 0.0  # answers before are the victim's last
        later = [at - killed for at in [*self._load.accepted.values()] if at > killed + again]
        return self._report(kind, victim, spans, round(min(later), 2) if later else None)

    def _demand_accepted(self) -> None:
        if self._load.refused:
            raise Conflict(f"the installation refuses the drill's orders: {self._load.refused}")

    def _look(self) -> str:
        """Read what has come since; returns the id of the newest of the drill's mails."""
        new = self._inbox.messages(known=self._known)
        self._known |= {each.id for each in new}
        self._mails += [each for each in new if any(self._load.name in to for to in each.recipients)]
        self._progress(len(self._mails))
        return max((each.id for each in self._mails), default="")

    def _copies(self) -> list[tuple[str, str]]:
        """Address, or the event's subject, and Message-ID of each mail."""
        return [(self._named(each), each.header("Message-ID")) for each in self._mails]

    def _named(self, mail: Message) -> str:
        [to] = mail.recipients
        return mail.header("Subject").rpartition(" ")[2] if to == self._load.subscriber else to

    def _is_settled(self) -> bool:
        if self._load.accepted.keys() - {name for name, _ in self._copies()}:
            return False
        with self._store.read() as connection:
            return not _open(connection, self._load.name)

    def _report(self, kind: str, victim: int, spans: Mapping[str, float], accepted: float | None) -> Report:
        copies = self._copies()
        counted = compare(copies, self._load.accepted, {name for name, _ in copies})
        events = sum(name.startswith("/") for name in self._load.accepted)
        return Report(
            killed=kind,
            pid=victim,
            orders=len(self._load.accepted) - events,
            events=events,
            arrived=len(self._load.accepted) - len(counted.lost),
            lost=counted.lost,
            twice=[name for name in counted.doubled if name not in counted.renamed],
            other_message_id=counted.renamed,
            next_accepted=accepted,
            **{name: spans.get(name) for name in SPANS},
        )


def _open(connection: Connection, name: str) -> int:
    """How many rows of a drill are still to be worked on."""
    rows = (
        select(func.count()).where(orders.c.state.in_(UNFINISHED), orders.c.recipients.contains(name)),
        select(func.count()).where(EMAIL_OPEN, emails.c.address.contains(name)),
        select(func.count())
        .select_from(deliveries.join(subscriptions))
        .where(deliveries.c.due_at.is_not(None), subscriptions.c.endpoint.contains(name)),
    )
    return sum(connection.scalar(each) or 0 for each in rows)
