"""Filters of lists: values as a query string has them, checked and read."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import and_, func, or_, select

from engine.admin.words import of_state
from engine.db.tables import delivery_attempts, email_attempts, milliseconds
from engine.errors import Invalid
from engine.text.addresses import spelled
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import tzinfo

    from sqlalchemy import Column, ColumnElement, Connection, Table

LONGEST = 400  # characters of a value
TIMES = ("since", "until", "failed", "ended", "upto")  # conditions that are moments
PAGE = 50  # rows of a page of a list, and so of what is selected on it
DIGITS = 19  # one more than a number may have: it fits the database's integers
_FIRST, _END = datetime(1970, 1, 1), datetime(9999, 12, 1)  # noqa: DTZ001 of times that people type, in any zone
_AGO = re.compile(r"(\d{1,4})([mhd])")
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?([Zz]|[+-]\d\d:\d\d)?)?")
_CODES = re.compile(r"([2-5]\d\d)? ?([245]\.\d{1,3}\.\d{1,3})?")
_UNITS = {"m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}

# How an attempt can fail, as conditions on its line in the log.
EMAIL_ERRORS = {
    "unreachable": and_(email_attempts.c.code.is_(None), email_attempts.c.outcome == "deferred"),
    "4xx": email_attempts.c.code.between(400, 499),
    "5xx": email_attempts.c.code.between(500, 599),
    "refused": email_attempts.c.outcome == "refused",
    "in_doubt": email_attempts.c.outcome == "in_doubt",
    "expired": email_attempts.c.outcome == "expired",
    "abandoned": email_attempts.c.outcome == "abandoned",
}
PUSH_ERRORS = {
    "unreachable": and_(
        delivery_attempts.c.status.is_(None), delivery_attempts.c.outcome.in_(("deferred", "rejected"))
    ),
    "3xx": delivery_attempts.c.status.between(300, 399),
    "4xx": delivery_attempts.c.status.between(400, 499),
    "5xx": delivery_attempts.c.status.between(500, 599),
    "expired": delivery_attempts.c.outcome == "expired",
    "unauthorized": delivery_attempts.c.outcome == "unauthorized",
}


@dataclass(frozen=True, slots=True)
class Field:
    """What a list can be narrowed by: `name` in query strings and options, `help` on the command line.

    `read` makes a value of what was typed (ValueError); where there are `choices`, it is one of them, in any case.
    """

    name: str
    help: str
    read: Callable[[str], Any] = str
    choices: tuple[str, ...] = ()
    longest: int = LONGEST

    @property
    def is_time(self) -> bool:
        """Whether it bounds when something happened."""
        return self.name in TIMES


def parse(given: Mapping[str, str], fields: Mapping[str, Field], now: datetime) -> dict[str, Any]:
    """The values that are not empty, each as its type; Invalid names each that is unknown or malformed."""
    found: dict[str, Any] = {}
    errors: dict[str, list[str]] = {}
    for name, value in given.items():
        text = value.strip()
        if name not in fields:
            known = ", ".join(fields)
            wrong = _("This list cannot be narrowed by %(name)s.", name=name)
            errors[name] = [wrong + " " + _("It can by %(names)s.", names=known)] if known else [wrong]
        elif text:
            try:
                found[name] = _value(fields[name], text, now)
            except ValueError as error:
                errors[name] = [str(error)]
    if errors:
        raise Invalid(errors)
    return found


def _value(field: Field, text: str, now: datetime) -> Any:
    text = bounded(text, field.longest)
    if field.choices:
        return _choice(field.choices, text)
    return moment(text, now) if field.is_time else field.read(text)


def _choice(choices: tuple[str, ...], text: str) -> str:
    """The choice that was meant, by its name or its label (engine/admin/words.py); ValueError.

    Case is of no account, unless it tells two apart (failed, Failed).
    """
    meant = [choice for choice in choices if text.lower() in (choice.lower(), of_state(choice).lower())]
    if not meant:
        msg = _("%(text)s is none of %(choices)s.", text=text, choices=", ".join(choices))
        raise ValueError(msg)
    return text if text in meant else meant[0]


def bounded(text: str, longest: int = LONGEST) -> str:
    """What somebody typed, unchanged; ValueError if no column can have it: PostgreSQL's texts have no NUL."""
    if len(text) > longest or not text.isprintable():
        msg = f"At most {longest} characters, none of them control characters."
        raise ValueError(msg)
    return text


def moment(text: str, now: datetime) -> datetime:
    """An aware time: RFC 3339 (UTC where no offset stands), or how long ago, such as 90m, 24h, 7d. ValueError.

    Where people type, their zone is added before: by the console (api/console/zones.py), and by the command line.
    """
    if ago := _AGO.fullmatch(text):
        return now - int(ago[1]) * _UNITS[ago[2]]
    try:
        return typed(text, UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        msg = _("A time such as 2026-05-01T12:00:00+02:00, or how long ago: 90m, 24h, 7d.")
        raise ValueError(msg) from None


def typed(text: str, zone: tzinfo | None, name: str = "time") -> datetime:
    """A time as people write it; without an offset, of this zone (None: of this machine).

    ValueError for what is none, and for one so far away that what is computed from it may have no date. Where clocks
    are set back, the first of two times that are written alike; Invalid, by this name, for a time that clocks skip.
    """
    if not _TIME.fullmatch(text):
        msg = _("%(text)s is no time", text=text)
        raise ValueError(msg)
    found = datetime.fromisoformat(text)
    if not _FIRST <= found.replace(tzinfo=None) < _END:
        msg = _("%(text)s is too far away", text=text)
        raise ValueError(msg)
    if found.tzinfo:
        return found
    local = found.replace(tzinfo=zone) if zone else found.astimezone()
    back = local.astimezone(UTC).astimezone(zone)
    if len(text) > len("2026-05-01") and back.replace(tzinfo=None) != found:
        told = _(
            "%(time)s does not exist here: clocks are set forward over it. Choose another, or give it an offset.",
            time=found.isoformat(" ", "minutes"),
        )
        raise Invalid({name: [told]})
    return local


def lasting(given: Mapping[str, str], now: datetime) -> dict[str, str]:
    """The values that are not empty, with "how long ago" as the time that it means now. They were parsed before."""
    return {
        name: moment(value.strip(), now).isoformat(timespec="milliseconds") if name in TIMES else value
        for name, value in given.items()
        if value.strip()
    }


def failure(text: str) -> str:
    """The name of a group of failures; ValueError."""
    if not re.fullmatch(r"[0-9a-f]{12}", text):
        msg = _("The name of a group of failures, as the overview and `varsel failures` have it.")
        raise ValueError(msg)
    return text


def number(text: str) -> int:
    """A whole number below 10^18; ValueError."""
    if not (text.isascii() and text.isdigit() and len(text) < DIGITS):
        msg = _("A whole number.")
        raise ValueError(msg)
    return int(text)


def uuid(text: str) -> UUID:
    """An identifier of an order or e-mail; ValueError."""
    try:
        return UUID(text)
    except ValueError:
        msg = _("An identifier such as 019a3f0e-7c1b-7000-8000-1a2b3c4d5e6f.")
        raise ValueError(msg) from None


def uuids(text: str) -> list[UUID]:
    """Identifiers with commas between them, as many as a page has rows; ValueError."""
    return [uuid(each) for each in _several(text)]


def numbers(text: str) -> list[int]:
    """Whole numbers, likewise."""
    return [number(each) for each in _several(text)]


def _several(text: str) -> list[str]:
    found = [each.strip() for each in text.split(",")]
    if len(found) > PAGE:
        msg = _("At most %(count)s with commas between them; narrow the list down instead.", count=PAGE)
        raise ValueError(msg)
    return found


def codes(text: str) -> ColumnElement[bool]:
    """Attempts that ended with a reply's code, an enhanced code (RFC 3463), or both; ValueError."""
    found = _CODES.fullmatch(text)
    if not text or not found:
        msg = _("A reply's code such as 550, 5.1.1, or 550 5.1.1.")
        raise ValueError(msg)
    code, enhanced = found.groups()
    alone = [email_attempts.c.code == int(code)] if code else [email_attempts.c.code.is_not(None)]
    return and_(*alone, *([email_attempts.c.reply.startswith(f"{enhanced} ")] if enhanced else []))


def first_id(at: datetime) -> UUID:
    """The least version 7 identifier of that millisecond (RFC 9562, 5.7)."""
    return UUID(int=max(0, milliseconds(at)) << 80)


def created(id_: UUID) -> datetime:
    """When a version 7 identifier was created."""
    return datetime.fromtimestamp((id_.int >> 80) / 1000, UTC)


def first_number(connection: Connection, table: Table, time: Column[datetime], at: datetime) -> int:
    """The least `seq` whose time is not before `at`, of a table whose times grow with it.

    Found by halving, a look at the primary key each: no further index is needed, however many rows there are.
    """
    # Each by itself: for both together, SQLite walks through the table.
    first, last = (func.coalesce(select(of(table.c.seq)).scalar_subquery(), 0) for of in (func.min, func.max))
    low, high = connection.execute(select(first, last)).one()
    high += 1
    while low < high:
        middle = (low + high) // 2
        chosen = select(table.c.seq, time).where(table.c.seq >= middle).order_by(table.c.seq).limit(1)
        row = connection.execute(chosen).one_or_none()
        if row is None or row[1] >= at:
            high = middle
        else:
            low = row[0] + 1
    return int(low)


def contains(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether a column contains this text, in upper or lower case."""
    return func.lower(column).contains(text.lower(), autoescape=True)


def had_attempt(
    log: Table, owner: Column[int], seq: ColumnElement[int], error: ColumnElement[bool]
) -> ColumnElement[bool]:
    """Whether an attempt of the row `seq` ended so."""
    return select(log.c.seq).where(owner == seq, error).exists()


def to_address(column: ColumnElement[str], text: str) -> ColumnElement[bool]:
    """Whether `text` names a recipient: by @domain, or by the beginning of an address."""
    address = func.lower(column)
    if text.startswith("@"):
        return or_(*(address.endswith(f"@{each}", autoescape=True) for each in spelled(text[1:])))
    return address.startswith(text.lower(), autoescape=True)
