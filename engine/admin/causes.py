"""Why e-mails failed, in groups: by state, the reply's codes, and the recipients' domain."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from engine.admin.filters import EMAIL_ERRORS
from engine.db.records import SendAttempt, columns, read
from engine.db.tables import EMAIL_FAILED, email_attempts, emails
from engine.email.smtp import Reply

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection

LOOKED_AT = 2_000  # failed e-mails, the newest
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
    seq: int
    state: str
    address: str


def causes(connection: Connection, which: Sequence[ColumnElement[bool]]) -> tuple[list[Cause], bool]:
    """The groups of these e-mails that failed, the largest first; and whether all of them were looked at."""
    chosen = select(*columns(_Failed, emails.c)).where(*which, EMAIL_FAILED).order_by(emails.c.id.desc())
    found = read(_Failed, connection.execute(chosen.limit(LOOKED_AT)))
    lines = _last_attempts(connection, [each.seq for each in found])
    counts: Counter[tuple[str, str, str]] = Counter()
    newest: dict[tuple[str, str, str], SendAttempt | None] = {}
    for each in found:
        line = lines.get(each.seq)
        key = (each.state, each.address.rpartition("@")[2].lower(), _kind(line))
        counts[key] += 1
        newest.setdefault(key, line)
    groups = [_cause(count, key, newest[key]) for key, count in counts.most_common(SHOWN)]
    return groups, len(found) < LOOKED_AT


def _cause(count: int, key: tuple[str, str, str], line: SendAttempt | None) -> Cause:
    state, domain, kind = key
    code = kind if line and line.code else ""
    reply = Reply(None, line.reply).impersonal.removeprefix(kind[4:]).strip() if line else ""
    found_by = {"state": state} | ({"recipient": f"@{domain}"} if domain else {})
    if code:
        found_by["code"] = code
    elif line and line.outcome in EMAIL_ERRORS:
        found_by["error"] = line.outcome
    return Cause(count, state, domain, code, reply, found_by)


def _kind(line: SendAttempt | None) -> str:
    """What attempts have in common that ended alike: the reply's codes, such as 550 5.1.1, or the outcome."""
    if line is None:
        return ""
    if line.code is None:
        return line.outcome
    enhanced = _ENHANCED.match(line.reply)
    return f"{line.code} {enhanced[0]}" if enhanced else str(line.code)


def _last_attempts(connection: Connection, seqs: Sequence[int]) -> dict[int, SendAttempt]:
    newest = select(func.max(email_attempts.c.seq)).where(email_attempts.c.email_seq.in_(seqs))
    lines = select(*columns(SendAttempt, email_attempts.c))
    lines = lines.where(email_attempts.c.seq.in_(newest.group_by(email_attempts.c.email_seq)))
    return {line.email_seq: line for line in read(SendAttempt, connection.execute(lines))}
