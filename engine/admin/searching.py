"""What the search box finds: orders, e-mails, events, subscriptions and deliveries, by any scrap that names them.

Each way to find something is one look-up of engine/admin/lookups.py, so the time is bounded at any size. What is masked
for viewers is not looked up for them: see engine/admin/rows.py.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from sqlalchemy import Connection, func, literal, select

from engine.admin import lookups
from engine.admin.belonging import first_of_chain, of_order
from engine.admin.filters import PAGE, bounded, number, uuid
from engine.admin.found import FOUND
from engine.admin.lists import count_of_page
from engine.admin.mailings import WAITING
from engine.admin.resources import DELIVERIES, EMAILS, EVENTS, ORDERS, RESOURCES, SUBSCRIPTIONS
from engine.db.blocks import everywhere
from engine.db.bounded import read_within, weight
from engine.db.frequent import in_index_order
from engine.db.tables import deliveries, emails, events, orders, subscriptions
from engine.email.smtp import queue_id
from engine.email.smtp.queue_ids import SHORTEST as SHORTEST_QUEUE_ID
from engine.errors import Invalid
from engine.models import OrderState
from engine.text.language import N_, _, translated

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.admin.resources import Resource

SHOWN = 10  # of each kind, the newest
SHORTEST = 2  # characters that are searched for
MOST = 100  # orders that are counted beside a list of e-mails
CHAINED = 100  # orders of the chains that are found: each has a few
NEXT = 500  # orders that are looked through for a recipient, those due first
LISTS = 2_000_000  # bytes of their recipients that are looked through
_HEX = re.compile(r"[0-9A-Fa-f]+")  # of Postfix, unless its long queue ids are on: those know small letters from large
_REFERENCE, _BEGINNING = N_("by the reference"), N_("by the beginning of the reference")
_OF_ITS_ORDER = {
    _REFERENCE: N_("by the reference of the order"),
    _BEGINNING: N_("by the beginning of the reference of the order"),
}
_SHARED = ("recipient", "reference", "creator", "order")  # what both lists are narrowed by


@dataclass(frozen=True, slots=True)
class Way:
    """What was found in one way: `given` narrows the whole list to it, `words` tell how it was found."""

    resource: Resource
    words: str
    given: dict[str, str]
    keys: Sequence[Any]


@dataclass(frozen=True, slots=True)
class Group:
    """What was found of one kind, the newest first, and in which ways, each with its list. `more`: it is not all."""

    resource: str
    items: list[dict[str, Any]]
    ways: list[dict[str, Any]]
    more: bool


Look: TypeAlias = Callable[[Connection, str], Iterator[Way]]


def identified(connection: Connection, text: str) -> str | None:
    """The page of an order or e-mail, by its whole identifier or Message-ID; None: there is none.

    A chain's identifier leads to its first order.
    """
    with suppress(ValueError):
        key = uuid(lookups.in_message_id(text))
        for table in (orders, emails):
            if connection.execute(select(table.c.id).where(table.c.id == key)).first():
                return f"{table.name}/{key}"
        if first := first_of_chain(connection, key):
            return f"{orders.name}/{first}"
    return None


def check(text: str) -> None:
    """Invalid for what cannot be the name of anything, or is too short to look for."""
    try:
        bounded(text)
    except ValueError as error:
        raise Invalid({"q": [str(error)]}) from None
    if len(text) < SHORTEST and not text.isdigit():
        raise Invalid({"q": [_("Type at least %(count)s characters.", count=SHORTEST)]})


def search(connection: Connection, text: str, *, sees_personal_data: bool = True) -> list[Group]:
    """What the text names, by kind; see `check`."""
    found: dict[str, list[Way]] = {}
    for look in (*OPEN, *FURTHER) if sees_personal_data else OPEN:
        for way in look(connection, text):
            if way.keys:
                found.setdefault(way.resource.name, []).append(way)
    return [_group(connection, RESOURCES[name], found[name]) for name in FOUND if name in found]


def orders_that_wait(connection: Connection, given: Mapping[str, str]) -> int:
    """How many orders have no e-mails yet, of those that a list of e-mails is narrowed to; counted up to MOST."""
    shared = {name: value for name, value in given.items() if name in _SHARED}
    if not shared or len(shared) < len(given):
        return 0
    return count_of_page(connection, ORDERS, shared | {"state": WAITING}, MOST)


def _group(connection: Connection, resource: Resource, ways: Sequence[Way]) -> Group:
    keys = sorted({key for way in ways for key in way.keys}, reverse=True)
    items = FOUND[resource.name](connection, keys[:SHOWN])
    told = [{"words": translated(way.words), "filter": way.given, "more": len(way.keys) > SHOWN} for way in ways]
    return Group(resource.name, items, told, len(keys) > SHOWN)


def _identifiers(connection: Connection, text: str) -> Iterator[Way]:
    """By the first letters of an identifier or Message-ID; of an order that is the only one, its e-mails, too."""
    its = lookups.in_message_id(text)
    try:
        ids = lookups.id_range(its)
    except ValueError:
        return
    for resource, name in ((ORDERS, "order"), (EMAILS, "email")):
        keys = lookups.last(connection, resource.key, ids, SHOWN + 1)
        yield Way(resource, N_("by the beginning of the identifier"), {name: its}, keys)
        if resource is ORDERS and len(keys) == 1:
            yield _of_order(connection, keys[0])
    chains = lookups.last(connection, orders.c.chain_id, ids, SHOWN + 1)
    chained = connection.scalars(select(orders.c.id).where(orders.c.chain_id.in_(chains)).limit(CHAINED)).all()
    yield Way(ORDERS, N_("by the beginning of the chain's identifier"), {"chain": its}, chained)


def _ends(connection: Connection, text: str) -> Iterator[Way]:
    """By the last letters of an identifier, as pages show it; of an order that is alone, its e-mails, too."""
    for resource in (ORDERS, EMAILS):
        if keys := lookups.ending(connection, resource.key, text):
            ids = {"ids": ",".join(map(str, keys[:PAGE]))}
            yield Way(resource, N_("by the end of the identifier, among the newest"), ids, keys[: SHOWN + 1])
            if resource is ORDERS and len(keys) == 1:
                yield _of_order(connection, keys[0])


def _of_order(connection: Connection, key: Any) -> Way:
    """The e-mails of an order."""
    which = of_order(connection, key)
    newest = func.coalesce(emails.c.id, emails.c.id) if which.few else emails.c.id  # else an index has them in order
    its = select(emails.c.id).where(*which.by, *which.rest).order_by(newest.desc())
    return Way(EMAILS, N_("of the order"), {"order": str(key)}, connection.scalars(its.limit(SHOWN + 1)).all())


def _references(connection: Connection, text: str) -> Iterator[Way]:
    """By the sender's reference, or else by its beginning; with the e-mails of these orders."""
    for name, words in ((text, _REFERENCE), (f"{text}{lookups.BEGINS}", _BEGINNING)):
        which = lookups.referred(connection, name)
        keys = lookups.newest(connection, orders.c.id, which, SHOWN + 1)
        if keys:
            seqs = lookups.newest(connection, orders.c.seq, which, SHOWN)
            its = select(emails.c.id).where(emails.c.order_seq.in_(seqs)).order_by(emails.c.order_seq.desc())
            yield Way(ORDERS, words, {"reference": name}, keys)
            mails = connection.scalars(its.limit(SHOWN + 1)).all()
            yield Way(EMAILS, _OF_ITS_ORDER[words], {"reference": name}, mails)
            return


def _idempotency_keys(connection: Connection, text: str) -> Iterator[Way]:
    yield Way(ORDERS, N_("by the idempotency key"), {"idempotency": text}, lookups.keyed(connection, text))


def _recipients(connection: Connection, text: str) -> Iterator[Way]:
    """By a number, by an address or its beginning, or by a domain."""
    which = lookups.to(connection, text)
    if which is not None:
        keys = lookups.newest(connection, emails.c.id, which, SHOWN + 1)
        if keys:
            yield Way(EMAILS, N_("by the recipient"), {"recipient": text}, keys)
            return
        if "@" in text:
            yield from _recipients(connection, f"{text}{lookups.BEGINS}") if lookups.BEGINS not in text else ()
            return
    domain = text if text.startswith("@") else f"@{text}"
    if "." in domain or domain == text:
        keys = lookups.to_domain(connection, domain, SHOWN + 1)
        words = N_("by the recipient's domain, among the newest and the newest that failed")
        yield Way(EMAILS, words, {"recipient": domain}, keys)


def _queue_ids(connection: Connection, text: str) -> Iterator[Way]:
    """By the identifier alone, or by a whole reply that names one; else by the beginning of one, of any spelling."""
    its = queue_id(text) or text
    ways = [(its, N_("by the relay's queue id"))]
    if len(its) >= SHORTEST_QUEUE_ID:
        beginnings = dict.fromkeys((its, its.upper()) if _HEX.fullmatch(its) else (its,))
        ways += [(f"{each}{lookups.BEGINS}", N_("by the beginning of the relay's queue id")) for each in beginnings]
    for name, words in ways:
        if seqs := lookups.queued(connection, name, SHOWN + 1):
            of = select(emails.c.id).where(emails.c.seq.in_(seqs)).order_by(emails.c.id.desc())
            yield Way(EMAILS, words, {"queue": name}, connection.scalars(of).all())
            return


def _recipients_to_come(connection: Connection, text: str) -> Iterator[Way]:
    """Orders that have no e-mails yet: their recipients stand in a list, which no index has."""
    if not lookups.is_recipient(text):
        return
    soon = (orders.c.due_at.is_not(None), orders.c.state == OrderState.REGISTERED)
    chosen = select(orders.c.id, orders.c.recipients).where(*soon).order_by(orders.c.due_at, orders.c.seq).limit(NEXT)
    rows, _ = read_within(connection, chosen, LISTS, lambda row: weight(row.recipients))
    keys = [row.id for row in rows if text.lower() in row.recipients.lower()]
    yield Way(ORDERS, N_("that wait, by a recipient"), {"recipient": text, "state": WAITING}, keys[: SHOWN + 1])


def _events(connection: Connection, text: str) -> Iterator[Way]:
    """By the publisher's identifier, or else by its beginning; of an event that is alone, its deliveries, too."""
    ways = (
        (N_("by the identifier"), {"id": text}, events.c.id == text),
        (
            N_("by the beginning of the identifier"),
            {"id": f"{text}{lookups.BEGINS}"},
            lookups.begins(connection, events.c.id, literal(text)),
        ),
    )
    for words, given, which in ways:
        keys = lookups.newest(connection, events.c.seq, which, SHOWN + 1)
        if keys:
            yield Way(EVENTS, words, given, keys)
            if len(keys) == 1:
                its = (deliveries.c.event_seq, keys[0], deliveries.c.seq)
                newest = in_index_order(select(deliveries.c.seq), *its, newest_first=True)
                pushed = connection.scalars(newest.limit(SHOWN + 1)).all()
                yield Way(DELIVERIES, N_("of the event"), {"event": str(keys[0])}, pushed)
            return


def _subjects(connection: Connection, text: str) -> Iterator[Way]:
    which = everywhere(connection, events) & (events.c.subject == text)
    keys = lookups.newest(connection, events.c.seq, which, SHOWN + 1)
    yield Way(EVENTS, N_("by the subject"), {"subject": text}, keys)


def _numbers(connection: Connection, text: str) -> Iterator[Way]:
    """By the number of an event, a subscription or a delivery."""
    try:
        seq = number(text)
    except ValueError:
        return
    for resource, name in ((EVENTS, "event"), (SUBSCRIPTIONS, "subscription"), (DELIVERIES, "delivery")):
        its = select(resource.key).where(resource.key == seq)
        yield Way(resource, N_("by the number"), {name: text}, connection.scalars(its).all())


def _subscribers(connection: Connection, text: str) -> Iterator[Way]:
    """Subscriptions by consumer."""
    its = select(subscriptions.c.seq).where(subscriptions.c.consumer == text, subscriptions.c.removed.is_(None))
    keys = connection.scalars(its.order_by(subscriptions.c.seq.desc()).limit(SHOWN + 1)).all()
    yield Way(SUBSCRIPTIONS, N_("by the consumer"), {"consumer": text}, keys)


OPEN: Sequence[Look] = (_identifiers, _ends, _events, _numbers, _subscribers)  # by what a viewer sees, too
FURTHER: Sequence[Look] = (
    _references,
    _idempotency_keys,
    _recipients,
    _queue_ids,
    _recipients_to_come,
    _subjects,
)
