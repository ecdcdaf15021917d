"""What e-mails failed with in the last hour: grouped by reply, each group with its domains, relays and creators.

Read from sums of five minutes, which processes write (engine/observability/sums.py): whatever the number of e-mails,
and of those that failed, it takes a few milliseconds. What became of them since is looked up: see aftermath.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import and_, case, func, or_, select

from engine.admin.aftermath import FOR_GOOD, HOUR, aftermath, of_many
from engine.db.dialects import now
from engine.db.tables import EPOCH, MILLISECOND, attempt_sums, milliseconds, wordings
from engine.observability.sums import EVERY
from engine.text.language import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime
    from typing import TypeAlias

    from sqlalchemy import Column, ColumnElement, Connection, Row, Select

    from engine.admin.aftermath import Aftermath, Key

    _Group: TypeAlias = tuple[str, bool, int, datetime]

SHOWN = 10  # groups
NAMED = 3  # domains, relays or creators of a group
_AGAIN = attempt_sums.c.outcome.not_in(FOR_GOOD)
OTHERS = N_("Many different replies")  # beyond those that processes tell apart


@dataclass(frozen=True, slots=True)
class Share:
    """A part of a group: "" where it is not known."""

    name: str
    count: int


@dataclass(frozen=True, slots=True)
class FailureGroup:
    """Attempts of the last hour that failed with the same words."""

    failure: str  # its name in filters; "": those that are not told apart
    said: str  # without addresses and numbers: viewers see it
    count: int
    again: bool  # the e-mails are tried again by themselves; False: they have failed
    since: datetime  # since when no hour was without one
    last: datetime
    domains: Sequence[Share]  # the largest; likewise
    relays: Sequence[Share]
    creators: Sequence[Share]
    more_domains: int  # how many others there are
    more_creators: int
    now: Aftermath | None  # what its e-mails are now; None: they are not known

    @property
    def settled(self) -> bool:
        """Whether nothing is left to do: no e-mail is failed any more; of those tried again, none waits either."""
        return self.now is not None and self.now.whole and not (self.now.failed or (self.again and self.now.waiting))

    @property
    def emails(self) -> int:
        """How many e-mails; where not all were looked at, how many attempts."""
        return self.now.emails if self.now and self.now.whole else self.count


def failures(connection: Connection) -> Sequence[FailureGroup]:
    """The largest groups: those of e-mails that have failed, those that are tried again, those that are settled."""
    c, failed = attempt_sums.c, _failed(connection)
    found = connection.execute(_largest(failed)).all()
    keys = {row.failure for row in found}
    if not keys:
        return []
    mine = (failed, c.failure.in_(keys))
    parts = {column.name: _parts(connection, column, mine) for column in (c.domain, c.relay, c.creator)}
    known = select(wordings).where(wordings.c.key.in_(keys))
    words = {row.key: row for row in connection.execute(known)}
    became = aftermath(connection, _attempts(found))
    groups = []
    for row in found:
        key = (row.failure, bool(row.again))
        domains, relays, creators = (parts[name][key] for name in ("domain", "relay", "creator"))
        word = words.get(row.failure)
        group = FailureGroup(
            failure=row.failure,
            said=word.text if word else _(OTHERS),
            count=int(row.sum),
            again=bool(row.again),
            since=word.since if word else row.last,
            last=word.seen if word else row.last,
            domains=domains[:NAMED],
            relays=relays[:NAMED],
            creators=creators[:NAMED],
            more_domains=len(domains[NAMED:]),
            more_creators=len(creators[NAMED:]),
            now=became.get(key),
        )
        groups.append(group)
    return sorted(groups, key=lambda group: (group.settled, group.again))


def aftermath_of_many(connection: Connection) -> Mapping[Key, tuple[int, Aftermath]]:
    """What the clock keeps of the largest groups."""
    return of_many(connection, _attempts(connection.execute(_largest(_failed(connection)))))


def of_relays(connection: Connection) -> Mapping[str, tuple[int, int, int]]:
    """By relay, how many attempts of the last hour were accepted, are tried again, and have failed."""
    c = attempt_sums.c
    accepted, failed = c.outcome == "accepted", c.outcome.in_(FOR_GOOD)
    sums = (func.sum(case((each, c.count), else_=0)) for each in (accepted, ~or_(accepted, failed), failed))
    lately = _lately(connection)
    rows = connection.execute(select(c.relay, *sums).where(lately, c.relay != "").group_by(c.relay))
    return {name: (int(taken), int(again), int(lost)) for name, taken, again, lost in rows}


def _failed(connection: Connection) -> ColumnElement[bool]:
    return and_(_lately(connection), attempt_sums.c.outcome != "accepted")


def _largest(which: ColumnElement[bool]) -> Select[_Group]:
    """Wordings of these sums, whether their e-mails are tried again, how many attempts, and since when the last."""
    c = attempt_sums.c
    total = func.sum(c.count)
    chosen = select(c.failure, _AGAIN.label("again"), total.label("sum"), func.max(c.at).label("last"))
    return chosen.where(which).group_by(c.failure, _AGAIN).order_by(_AGAIN, total.desc()).limit(SHOWN)


def _attempts(groups: Iterable[Row[_Group]]) -> dict[Key, int]:
    """How many attempts the groups have, but for those that are not told apart."""
    return {(row.failure, bool(row.again)): int(row.sum) for row in groups if row.failure}


def _lately(connection: Connection) -> ColumnElement[bool]:
    """The sums of the last hour, the present one included. Both bounds, for PostgreSQL to see how few these are."""
    present = EPOCH + milliseconds(now(connection)) // EVERY * EVERY * MILLISECOND
    return attempt_sums.c.at.between(present + EVERY * MILLISECOND - HOUR, present)


def _parts(
    connection: Connection, column: Column[str], which: Sequence[ColumnElement[bool]]
) -> Mapping[tuple[str, bool], Sequence[Share]]:
    """By group, the sums by a column, the largest first."""
    c = attempt_sums.c
    total = func.sum(c.count)
    chosen = select(c.failure, _AGAIN, column, total).where(*which).group_by(c.failure, _AGAIN, column)
    found: dict[tuple[str, bool], list[Share]] = {}
    for failure, retried, name, count in connection.execute(chosen.order_by(total.desc(), column)):
        found.setdefault((failure, bool(retried)), []).append(Share(name, int(count)))
    return found
