"""Orders as the second generation reads them: one by one, as a feed of those that have ended, and by their dialog.

The feed is made of the orders' own events (engine/events/status.py): an order's end is published once, under a number
that no reader can miss (engine/events/storing.py). An entry tells of the e-mails as they are when it is read.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING
from uuid import UUID

from sqlalchemy import BigInteger, Uuid, func, select

from engine.db.frequent import Alike
from engine.db.records import EmailStatus, OrderHead, columns, read
from engine.db.rows import Rows, run
from engine.db.tables import ORDER_ENDED, chains, emails, events, orders
from engine.errors import NoShipment, NotFound
from engine.events.status import SOURCE, event_type
from engine.models import OrderState
from engine.orders.outcomes import FINAL
from engine.orders.reading import emails_of, head
from engine.resources import status_resource

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

MOST = 500  # entries of a page
LARGEST = 500_000  # characters of posted recipients on a page, unless one order has more; answers are three times that
LOGGED = 1_000  # e-mails of a dialog, the newest ones

_ENDED = select(events.c.seq, events.c.type, events.c.subject, events.c.time).where(
    ORDER_ENDED, events.c.source == SOURCE
)
NOT_MET = event_type("order", OrderState.SEND_CONDITION_NOT_MET)
_STATES = {event_type("order", state): state for state in FINAL}


@dataclass(frozen=True, slots=True)
class Sized(OrderHead):
    """An order, and how much its recipients are."""

    size: int


@dataclass(frozen=True, slots=True)
class OrderEmail(EmailStatus):
    """An e-mail, and whose it is."""

    order_seq: int


_ID, _SEQ = Rows(id=Uuid()), Rows(seq=BigInteger())
_HEADS = select(*columns(Sized, {"size": func.length(orders.c.recipients)}, orders.c))
_HEADS = _HEADS.join_from(orders, _ID.source, orders.c.id == _ID["id"])
_EMAILS = select(*columns(OrderEmail, emails.c)).join_from(emails, _SEQ.source, emails.c.order_seq == _SEQ["seq"])
_EMAILS = _EMAILS.order_by(emails.c.seq)


@dataclass(frozen=True, slots=True)
class Entry:
    """An order that has ended; `number`: its place in the feed."""

    number: int
    order: OrderHead
    state: OrderState
    at: datetime
    emails: Sequence[EmailStatus]


@dataclass(frozen=True, slots=True)
class Logged:
    """An e-mail of a dialog, with what its order and chain say."""

    id: UUID
    state: str
    last_update: datetime
    address: str
    kind: str
    requested_send_time: datetime
    dialog_id: str
    transmission_id: str | None


def find(connection: Connection, creator: str, order_id: UUID) -> tuple[OrderHead, Sequence[EmailStatus]]:
    """An order and its e-mails, but for those of an upload; NoShipment when this creator has none with that id."""
    try:
        order = head(connection, creator, order_id)
    except NotFound as error:
        raise NoShipment(str(error)) from None
    if order.streamed:
        return order, ()
    found, reached = emails_of(connection, order)
    every = [*found]
    while reached:
        found, reached = emails_of(connection, order, reached)
        every += found
    return order, every


def feed(connection: Connection, creator: str, seen: int, size: int, *, newest_first: bool) -> Sequence[Entry]:
    """The next entries behind the number `seen`, or before it if the newest come first (0: from the newest on).

    There are at most `size`, and fewer when orders have very many recipients. Empty: there are no more.
    """
    its = Alike(events.c.resource, status_resource(creator), events.c.seq)
    while True:
        which, order = its.stretch(connection, behind=seen or None, newest_first=newest_first)
        chosen = _ENDED.where(*which).order_by(*order).limit(size)
        ended = [(UUID(row.subject.rpartition("/")[2]), row) for row in connection.execute(chosen)]
        heads = _heads(connection, [its for its, _ in ended])
        known = _completed_before(connection, [its for its, row in ended if row.type == NOT_MET])
        first = [(its, row) for its, row in ended if row.type != NOT_MET or its not in known]
        found = [(row, heads[its]) for its, row in first if its in heads]
        if found or len(ended) < size:
            break
        seen = ended[-1][1].seq  # retention has removed all these orders, or all have an entry already
    shown = list(islice(found, _fitting([head.size for _, head in found])))
    its_emails = _emails(connection, [head.seq for _, head in shown if not head.streamed])
    return [Entry(row.seq, head, _STATES[row.type], row.time, its_emails.get(head.seq, ())) for row, head in shown]


def log(connection: Connection, creator: str, dialog_id: str, transmission_id: str | None) -> Sequence[Logged]:
    """The newest e-mails of orders that belong to a dialog, and that have ended; the newest first."""
    joined = chains.join(orders, orders.c.chain_id == chains.c.id).join(emails, emails.c.order_seq == orders.c.seq)
    named = {name: emails.c[name] for name in ("id", "state", "last_update", "address")}
    chosen = select(*columns(Logged, named, orders.c, chains.c)).select_from(joined)
    chosen = chosen.where(chains.c.creator == creator, chains.c.dialog_id == dialog_id, emails.c.due_at.is_(None))
    if transmission_id is not None:
        chosen = chosen.where(chains.c.transmission_id == transmission_id)
    chosen = chosen.where(orders.c.state.in_((*FINAL, OrderState.SET_ASIDE)))
    return read(Logged, connection.execute(chosen.order_by(emails.c.seq.desc()).limit(LOGGED)))


def _completed_before(connection: Connection, ids: Sequence[UUID]) -> Collection[UUID]:
    """Those of the orders that have an entry already: they were set aside, and processed again by an operator."""
    if not ids:
        return ()
    names = {f"{its}-{OrderState.COMPLETED.lower()}": its for its in ids}
    found = connection.scalars(select(events.c.id).where(events.c.id.in_(names), events.c.source == SOURCE))
    return {names[name] for name in found}


def _heads(connection: Connection, ids: Sequence[UUID]) -> Mapping[UUID, Sized]:
    found = run(connection, _HEADS, [{"id": order_id.hex} for order_id in ids])
    return {head.id: head for head in read(Sized, found)}


def _fitting(sizes: Sequence[int]) -> int:
    """How many of these orders are shown: one at least."""
    room = LARGEST
    for count, size in enumerate(sizes):
        room -= size
        if room < 0:
            return max(1, count)
    return len(sizes)


def _emails(connection: Connection, seqs: Sequence[int]) -> Mapping[int, Sequence[EmailStatus]]:
    found: dict[int, list[EmailStatus]] = defaultdict(list)
    for email in read(OrderEmail, run(connection, _EMAILS, [{"seq": seq} for seq in seqs])):
        found[email.order_seq].append(email)
    return found
