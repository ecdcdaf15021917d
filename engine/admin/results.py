"""What became of the e-mails of orders, in numbers: of large orders as they were counted, of others by counting."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from itertools import zip_longest
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Integer, bindparam, func, select, union_all

from engine.admin.counts import COUNTED
from engine.admin.words import of_state
from engine.db.dialects import now
from engine.db.tables import EPOCH, Instant, emails
from engine.events import tallies
from engine.models import HANDED_OVER, EmailState, OrderState
from engine.text.language import _, number

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection, Select

SENT, FAILED, WAITING, CANCELLED = "sent", "failed", "waiting", "cancelled"
_RESULTS = (SENT, FAILED, WAITING, CANCELLED)
_NONE = 0  # the number of no order
_AT_ONCE = 64  # orders of a statement: SQLite takes no UNION of more than 500
_MADE = (OrderState.PROCESSED, OrderState.COMPLETED, OrderState.SET_ASIDE)  # all e-mails of an order are there


@dataclass(frozen=True, slots=True)
class Results:
    """E-mails of an order by result; `whole`: False where these are but the first of them."""

    states: Mapping[str, int]
    lately: int = 0  # settled since that moment
    since: datetime | None = None
    changed: datetime | None = None  # when one of them last was; of large orders, to the minute
    whole: bool = True

    @property
    def counts(self) -> dict[str, int]:
        """How many were sent, have failed, wait and were cancelled; no zeros."""
        found = dict.fromkeys(_RESULTS, 0)
        for state, count in self.states.items():
            found[result_of(state)] += count
        return {result: count for result, count in found.items() if count}

    @property
    def words(self) -> str:
        """Such as "4,980 sent, 20 failed"; empty: there are none."""
        some = ", ".join(f"{number(count)} {of_state(result)}" for result, count in self.counts.items())
        return some if self.whole else _("of the first %(count)s: %(results)s", count=number(COUNTED), results=some)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far an order is: e-mails that have ended, of how many; how many a minute, and when it is about to end."""

    done: int
    total: int
    percent: int  # rounded down: 100 means all
    per_minute: float | None  # None: nothing was sent lately
    ends: datetime | None  # None: unknown


def result_of(state: str) -> str:
    """What an e-mail's state is for its sender."""
    if state.startswith("Failed"):
        return FAILED
    if state == EmailState.CANCELLED:
        return CANCELLED
    return SENT if state in HANDED_OVER else WAITING


def results(connection: Connection, seqs: Collection[int], most: int = tallies.SMALL) -> dict[int, Results]:
    """The results of orders, by `seq`; of those that are not counted as they are sent, of `most` e-mails each."""
    counted = tallies.of_orders(connection, seqs)
    found = {seq: Results(tally.states, tally.lately, tally.since, tally.changed) for seq, tally in counted.items()}
    others = [seq for seq in seqs if seq not in counted]
    for begin in range(0, len(others), _AT_ONCE):
        found |= _looked_at(connection, others[begin : begin + _AT_ONCE], most)
    return found


def progress(connection: Connection, found: Results, state: str, recipients: int) -> Progress:
    """How far an order is that is in this state."""
    made, counts = sum(found.states.values()), found.counts
    total = made if state in _MADE else max(made, recipients)
    done = made - counts.get(WAITING, 0)
    at = now(connection)
    minutes = max((at - found.since) / tallies.MINUTE, 1 / 60) if found.since else 1
    rate = found.lately / minutes or None
    left = total - done
    percent = 100 * done // total if total else 0
    return Progress(done, total, percent, rate, at + timedelta(minutes=left / rate) if rate and left else None)


def _looked_at(connection: Connection, seqs: Collection[int], most: int) -> dict[int, Results]:
    """Counted here and now. One that was settled within the last minute tells how quickly the order is sent."""
    a_minute_ago = now(connection) - tallies.MINUTE
    places = 1 << (len(seqs) - 1).bit_length()  # few statements, each built once: that takes longer than to run it
    its = {f"order_{place}": seq for place, seq in zip_longest(range(places), seqs, fillvalue=_NONE)}
    states: dict[int, dict[str, int]] = {seq: {} for seq in seqs}
    lately, changed = dict.fromkeys(seqs, 0), dict.fromkeys(seqs, EPOCH)
    for seq, state, count, new, last in connection.execute(
        _of_places(places), its | {"since": a_minute_ago, "most": most}
    ):
        states[seq][state] = count
        changed[seq] = max(changed[seq], last)
        lately[seq] += new if result_of(state) != WAITING else 0
    return {
        seq: Results(states[seq], lately[seq], a_minute_ago, changed[seq], whole=sum(states[seq].values()) < most)
        for seq in seqs
    }


@cache
def _of_places(places: int) -> Select[int, str, int, int, datetime]:
    """Counts the e-mails of so many orders, `most` of each, by order and state."""
    recent = emails.c.last_update > bindparam("since", type_=Instant())
    most = bindparam("most", type_=Integer())
    orders = [bindparam(f"order_{place}", type_=BigInteger()) for place in range(places)]
    each = [
        select(order.label("order_seq"), emails.c.state, emails.c.last_update, recent.label("recent"))
        .where(emails.c.order_seq == order)
        .limit(most)
        for order in orders
    ]
    rows = union_all(*(select(part.subquery()) for part in each)).subquery()
    counts = (func.count(), func.count().filter(rows.c.recent), func.max(rows.c.last_update))
    return select(rows.c.order_seq, rows.c.state, *counts).group_by(rows.c.order_seq, rows.c.state)
