"""What a pause would stop, before it is made: in numbers; and whether anybody has heard of what it names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from sqlalchemy import literal, select

from engine.admin.amounts import some
from engine.admin.lanes import lanes
from engine.admin.standing import Standing, of_emails, of_orders
from engine.db.tables import api_keys, emails, orders, senders
from engine.queue import due
from engine.queue.pauses import CREATOR, DOMAIN, LANE, Pauses
from engine.text.addresses import domain_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

LOOKED_AT = 10_000  # rows of a table that are looked at: the soonest due, or the newest
_WITH_CREATORS = (orders, api_keys, senders)
NAMES = 3  # that are suggested
ALIKE = {CREATOR: 0.6, DOMAIN: 0.8}  # how much they must be: creators are short, and domains end alike


@dataclass(frozen=True, slots=True)
class Stopped:
    """How much a pause stops, by lane: what is in flight (ends first), what is due, and what becomes due later."""

    in_flight: Counter[str]
    now: Counter[str]
    later: Counter[str]
    whole: bool  # False: only the LOOKED_AT rows that come next were looked at


def stopped_by(connection: Connection, kind: str, value: str) -> Stopped:
    """What a pause that is not made yet would stop; `value` as it is stored."""
    if kind == LANE:
        [its] = [lane for lane in lanes(connection) if lane.name == value]
        figures = (its.in_flight, its.due, its.waiting)
        in_flight, now, later = (Counter({value: figure}) for figure in figures)
        return Stopped(in_flight, now, later, whole=True)
    pause = Pauses(creators=frozenset({value})) if kind == CREATOR else Pauses(domains=frozenset({value}))
    found, whole = Counter[tuple[str, str]](), True
    waiting = (
        (due.ORDERS, select(of_orders().word.label("word"), orders.c.creator, literal("").label("address"))),
        (
            due.EMAILS,
            select(of_emails().word.label("word"), orders.c.creator, emails.c.address).select_from(emails.join(orders)),
        ),
    )
    for lane, chosen in waiting:
        due_at = lane.table.c.due_at
        rows = connection.execute(chosen.where(due_at.is_not(None)).order_by(due_at).limit(LOOKED_AT)).all()
        found.update((row.word, lane.name) for row in rows if pause.cause(row.creator, row.address))
        whole &= len(rows) < LOOKED_AT
    words = (Standing.IN_FLIGHT, Standing.DUE, Standing.LATER)
    in_flight, now, later = (
        Counter({lane: number for (of, lane), number in found.items() if of == word}) for word in words
    )
    return Stopped(in_flight, now, later, whole)


def told(stopped: Stopped) -> tuple[str, ...]:
    """It in sentences."""
    found = [
        f"Stopped at once: {_some(stopped.now)}."
        if any(stopped.now.values())
        else "Nothing is due: nothing stops at once."
    ]
    if any(stopped.in_flight.values()):
        found.append(f"In flight, and ended first: {_some(stopped.in_flight)}.")
    if any(stopped.later.values()):
        found.append(f"Stopped when it becomes due: {_some(stopped.later)}.")
    if not stopped.whole:
        found.append(f"Counted among the {LOOKED_AT:,} that come next; there may be more.")
    return (*found, "What comes in meanwhile is accepted, and waits, too.")


def unheard_of(connection: Connection, kind: str, value: str) -> str | None:
    """A warning, with names that are alike; None: somebody has heard of it, or it is a lane."""
    if kind == CREATOR:
        its = (select(table.c.seq).where(table.c.creator == value).limit(1) for table in _WITH_CREATORS)
        if any(connection.execute(each).first() for each in its):
            return None
        newest = select(orders.c.creator).order_by(orders.c.id.desc()).limit(LOOKED_AT)
        text = f"Nobody has heard of the creator {value}: it has no order, key or sender."
        return _unknown(text, value, connection.scalars(newest), ALIKE[kind])
    if kind == DOMAIN:
        newest = select(emails.c.address).order_by(emails.c.id.desc()).limit(LOOKED_AT)
        domains = {domain_of(address) for address in connection.scalars(newest)}
        if value not in domains:
            return _unknown(f"None of the newest {LOOKED_AT:,} e-mails goes to {value}.", value, domains, ALIKE[kind])
    return None


def _unknown(text: str, value: str, known: Iterable[str], how_much: float) -> str:
    alike = get_close_matches(value, sorted({name for name in known if name}), NAMES, how_much)
    return f"{text} Is it {' or '.join(alike)}?" if alike else f"{text} Is it spelled right?"


def _some(counts: Counter[str]) -> str:
    return ", ".join(some(number, lane) for lane, number in counts.items() if number)
