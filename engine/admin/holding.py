"""What a pause would stop, before it is made: in numbers; and whether anybody has heard of what it names."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from difflib import get_close_matches
from typing import TYPE_CHECKING

from sqlalchemy import case, func, select

from engine.admin.amounts import Amount, listed
from engine.admin.filters import to_address
from engine.admin.lanes import lanes
from engine.admin.reach import LOOKED_AT, reached
from engine.admin.soonest import soonest
from engine.admin.standing import Standing
from engine.db.frequent import in_index_order
from engine.db.tables import api_keys, emails, orders, senders
from engine.queue import due
from engine.queue.pauses import CREATOR, DOMAIN, LANE, Pauses
from engine.text.addresses import domain_of
from engine.text.language import _, number

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

NEWEST = 10_000  # orders or e-mails among which a name is looked for
NAMES = 3  # that are suggested
ALIKE = {CREATOR: 0.6, DOMAIN: 0.8}  # how much they must be: creators are short, and domains end alike


@dataclass(frozen=True, slots=True)
class Stopped:
    """How much a pause stops, by lane: what is in flight (ends first), what is due, and what becomes due later."""

    in_flight: Mapping[str, Amount]
    now: Mapping[str, Amount]
    later: Mapping[str, Amount]
    whole: bool  # False: only the LOOKED_AT rows that come next were looked at


def stopped_by(connection: Connection, kind: str, value: str) -> Stopped:
    """What a pause that is not made yet would stop; `value` as it is stored."""
    if kind == LANE:
        [figures] = lanes(connection, value)
        in_flight, now, later = ({value: figures.amount(name)} for name in ("in_flight", "due", "waiting"))
        return Stopped(in_flight, now, later, whole=True)
    pause = Pauses(creators=frozenset({value})) if kind == CREATOR else Pauses(domains=frozenset({value}))
    found, whole = Counter[tuple[str, str]](), True
    for lane in (due.ORDERS, due.EMAILS):
        rows, stands = soonest(lane, LOOKED_AT)
        its = select(case((reached(pause, rows), stands.word)).label("word")).subquery()
        numbers: dict[str, int] = dict(connection.execute(select(its.c.word, func.count()).group_by(its.c.word)).all())
        found.update({(word, lane.name): count for word, count in numbers.items()})
        whole &= sum(numbers.values()) < LOOKED_AT
    words = (Standing.IN_FLIGHT, Standing.DUE, Standing.LATER)
    in_flight, now, later = (
        {lane: Amount(count) for (of, lane), count in found.items() if of == word} for word in words
    )
    return Stopped(in_flight, now, later, whole)


def told(stopped: Stopped) -> tuple[str, ...]:
    """It in sentences."""
    now = listed(stopped.now)
    found = [_("Stopped at once: %(what)s.", what=now) if now else _("Nothing is due: nothing stops at once.")]
    if in_flight := listed(stopped.in_flight):
        found.append(_("In flight, and ended first: %(what)s.", what=in_flight))
    if later := listed(stopped.later):
        found.append(_("Stopped when it becomes due: %(what)s.", what=later))
    if not stopped.whole:
        found.append(_("Counted among the %(count)s that come next; there may be more.", count=number(LOOKED_AT)))
    return (*found, _("What comes in meanwhile is accepted, and waits, too."))


def unheard_of(connection: Connection, kind: str, value: str) -> str | None:
    """A warning, with names that are alike; None: somebody has heard of it, or it is a lane."""
    if kind == CREATOR:
        rows = (select(table.c.seq).where(table.c.creator == value) for table in (api_keys, senders))
        its = (in_index_order(select(orders.c.seq), orders.c.creator, value), *rows)
        if any(connection.execute(each.limit(1)).first() for each in its):
            return None
        newest = select(orders.c.creator).order_by(orders.c.seq.desc()).limit(NEWEST).subquery()
        text = _("Nobody has heard of the creator %(name)s: it has no order, key or sender.", name=value)
        return _unknown(text, value, connection.scalars(select(newest.c.creator).distinct()), ALIKE[kind])
    if kind == DOMAIN:
        among = select(emails.c.address).order_by(emails.c.seq.desc()).limit(NEWEST).subquery()
        if connection.execute(select(among).where(to_address(among.c.address, f"@{value}")).limit(1)).first():
            return None
        domains = {domain_of(address) for address in connection.scalars(select(among.c.address))}
        text = _("None of the newest %(count)s e-mails goes to %(domain)s.", count=number(NEWEST), domain=value)
        return _unknown(text, value, domains, ALIKE[kind])
    return None


def _unknown(text: str, value: str, known: Iterable[str], how_much: float) -> str:
    alike = get_close_matches(value, sorted({name for name in known if name}), NAMES, how_much)
    either = _(" or ").join(alike)
    ask = _("Is it %(names)s?", names=either) if alike else _("Is it spelled right?")
    return f"{text} {ask}"
