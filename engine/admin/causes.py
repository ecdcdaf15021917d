"""Why e-mails failed, in groups: by state, the reply's codes, and the recipients' domain."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from engine.admin.filters import EMAIL_ERRORS
from engine.db.records import columns, read
from engine.db.tables import EMAIL_FAILED, email_attempts, emails
from engine.email.smtp import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

LOOKED_AT = 1_000  # failed e-mails, the newest
SHOWN = 20  # groups, the largest
_ENHANCED = re.compile(r"[245]\.\d{1,3}\.\d{1,3}(?!\S)")


@dataclass(frozen=True, slots=True)
class Cause:
    """A group of failed e-mails: how many, the newest of their replies, and the list's filter that finds them."""

    count: int
    state: str
    domain: str  # empty: no address
    code: str  # of the relay's reply, such as 550 5.1.1; empty: the words are Varsel's
    reply: str  # without addresses
    found_by: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class _Failed:
    """An e-mail that failed, and how its last attempt ended; None: it had none."""

    state: str
    address: str
    outcome: str | None
    code: int | None
    reply: str | None


def causes(connection: Connection, which: Sequence[ColumnElement[bool]]) -> tuple[list[Cause], bool]:
    """The groups of these e-mails that failed, the largest first; and whether all of them were looked at."""
    log = email_attempts
    last = select(func.max(log.c.seq)).where(log.c.email_seq == emails.c.seq).scalar_subquery().label("last")
    newest = select(emails.c.state, emails.c.address, last).where(*which, EMAIL_FAILED).order_by(emails.c.id.desc())
    looked_at = newest.limit(LOOKED_AT).subquery()
    chosen = select(*columns(_Failed, looked_at.c, log.c)).select_from(
        looked_at.outerjoin(log, log.c.seq == looked_at.c.last)
    )
    found = read(_Failed, connection.execute(chosen))
    counts: Counter[tuple[str, str, str]] = Counter()
    examples: dict[tuple[str, str, str], _Failed] = {}
    for each in found:
        key = (each.state, each.address.rpartition("@")[2].lower(), _kind(each))
        counts[key] += 1
        examples.setdefault(key, each)
    groups = [_cause(count, key, examples[key]) for key, count in counts.most_common(SHOWN)]
    return groups, len(found) < LOOKED_AT


def _cause(count: int, key: tuple[str, str, str], example: _Failed) -> Cause:
    state, domain, kind = key
    code = kind if example.code else ""
    reply = Reply(None, example.reply or "").impersonal.removeprefix(kind[4:]).strip()
    found_by = {"state": state} | ({"recipient": f"@{domain}"} if domain else {})
    if code:
        found_by["code"] = code
    elif example.outcome in EMAIL_ERRORS:
        found_by["error"] = example.outcome
    return Cause(count, state, domain, code, reply, found_by)


def _kind(failed: _Failed) -> str:
    """What attempts have in common that ended alike: the reply's codes, such as 550 5.1.1, or the outcome."""
    if failed.code is None:
        return failed.outcome or ""
    enhanced = _ENHANCED.match(failed.reply or "")
    return f"{failed.code} {enhanced[0]}" if enhanced else str(failed.code)
