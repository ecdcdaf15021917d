"""What has become of e-mails since their attempts failed alike: they are failed still, were sent, or wait.

The log of attempts has an index of failures by their wording, so that few rows are read, whatever else is stored. Of
more than FEW, the clock looks them up, and keeps what it has found for everybody who looks.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, fields
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import func, select, union_all

from engine.admin import kept
from engine.admin.results import CANCELLED, FAILED, SENT, WAITING, result_of
from engine.db.dialects import after
from engine.db.tables import aftermaths, email_attempts, emails

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection, Select

HOUR, LATELY = timedelta(hours=1), timedelta(minutes=10)
LOOKED_AT = 5_000  # attempts of all groups together, by those who look
LARGEST = 20_000  # likewise, by the clock
FEW = 500  # likewise; of more, what the clock has seen is told while that is new
GROWN = 1.1  # times the attempts, beyond which a group is looked at again; one of which nothing is left, by one more
FOR_GOOD = ("rejected", "in_doubt", "expired", "abandoned")  # outcomes; what else failed is tried again

Key = tuple[str, bool]  # of a group: the wording's, and whether its e-mails are tried again by themselves


@dataclass(frozen=True, slots=True)
class Aftermath:
    """E-mails with such an attempt in the last hour, by what they are now.

    `lately`: of those that are failed, the ones whose attempt was in the last LATELY. `whole`: all of the group's
    attempts were looked at; False: the newest of them.
    """

    failed: int
    sent: int
    waiting: int
    cancelled: int
    lately: int
    whole: bool

    @property
    def emails(self) -> int:
        """How many e-mails were looked at."""
        return self.failed + self.sent + self.waiting + self.cancelled


def aftermath(connection: Connection, groups: Mapping[Key, int]) -> dict[Key, Aftermath]:
    """What has become of groups, each with the number of its attempts; a group is left out that the log has not."""
    seen = _kept(connection, groups) if sum(groups.values()) > FEW else {}
    unseen = {failure for failure, again in groups if (failure, again) not in seen}  # both of its groups, then
    return _looked_up(connection, {key: groups[key] for key in groups if key[0] in unseen}, LOOKED_AT) | seen


def of_many(connection: Connection, groups: Mapping[Key, int]) -> Mapping[Key, tuple[int, Aftermath]]:
    """The same for the clock, each with its attempts, where these are more than everybody looks at."""
    if sum(groups.values()) <= FEW:
        return {}
    return {key: (groups[key], each) for key, each in _looked_up(connection, groups, LARGEST).items() if key in groups}


def keep(connection: Connection, at: datetime, found: Mapping[Key, tuple[int, Aftermath]]) -> None:
    """Keep what was looked up then, with the number of attempts, in place of what was kept before."""
    rows = [
        {"failure": failure, "again": again, "attempts": count, **asdict(each)}
        for (failure, again), (count, each) in found.items()
    ]
    kept.keep(connection, aftermaths, at, rows)


def _kept(connection: Connection, groups: Mapping[Key, int]) -> dict[Key, Aftermath]:
    """Of these groups, what the clock has found, unless so many have failed since that it is not true any more."""
    names = [field.name for field in fields(Aftermath)]
    found = {}
    for row in connection.execute(select(aftermaths).where(kept.is_new(aftermaths.c.at))):
        key, seen = (row.failure, bool(row.again)), Aftermath(**{name: getattr(row, name) for name in names})
        bound = row.attempts * GROWN if seen.failed + seen.waiting else row.attempts
        if groups.get(key, bound + 1) <= bound:
            found[key] = seen
    return found


def _looked_up(connection: Connection, groups: Mapping[Key, int], bound: int) -> dict[Key, Aftermath]:
    """The same as it is at this moment, by up to so many attempts of all groups together."""
    if not groups:
        return {}
    most = _shared_out(groups, bound)
    each = union_all(*(select(_newest(failure, count).subquery()) for failure, count in most.items())).subquery()
    its = select(
        each.c.failure, each.c.again, each.c.email_seq, func.max(each.c.at).label("at"), func.count().label("of")
    )
    its_emails = its.group_by(each.c.failure, each.c.again, each.c.email_seq).subquery()
    late = func.count().filter(its_emails.c.at >= after(-LATELY))
    key = (its_emails.c.failure, its_emails.c.again)
    chosen = select(*key, emails.c.state, func.count(), late, func.sum(its_emails.c.of)).group_by(*key, emails.c.state)
    counts: defaultdict[Key, Counter[str]] = defaultdict(Counter)
    lately, looked_at = Counter[Key](), Counter[str]()
    joined = chosen.join_from(its_emails, emails, emails.c.seq == its_emails.c.email_seq)
    for failure, again, state, count, new, attempts in connection.execute(joined):
        group, result = (failure, bool(again)), result_of(state)
        counts[group][result] += count
        lately[group] += new if result == FAILED else 0
        looked_at[failure] += int(attempts)
    return {
        group: Aftermath(
            found[FAILED],
            found[SENT],
            found[WAITING],
            found[CANCELLED],
            lately[group],
            whole=looked_at[group[0]] < most[group[0]],
        )
        for group, found in counts.items()
    }


def _shared_out(groups: Mapping[Key, int], left: int) -> dict[str, int]:
    """How many attempts of each wording are looked at: what small groups do not need goes to the large ones."""
    sums = Counter[str]()
    for (failure, _again), count in groups.items():
        sums[failure] += count
    found = {}
    for place, (failure, count) in enumerate(sorted(sums.items(), key=lambda each: each[1])):
        found[failure] = left // (len(sums) - place)
        left -= min(count, found[failure])
    return found


def _newest(failure: str, most: int) -> Select[tuple[str, bool, int, object]]:
    """Nothing but what the index has: PostgreSQL would otherwise read all attempts of a wave, and sort them."""
    c = email_attempts.c
    chosen = select(c.failure, c.outcome.not_in(FOR_GOOD).label("again"), c.email_seq, c.at)
    return chosen.where(c.failure == failure, c.at >= after(-HOUR)).order_by(c.at.desc()).limit(most)
