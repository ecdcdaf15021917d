"""Texts, numbers and times out of a query or a path, and the schemas that describe them."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

from engine.errors import Invalid

if TYPE_CHECKING:
    from starlette.requests import Request

    Default = TypeVar("Default", bound=int | None)

INT32 = 2**31 - 1  # the contract's numbers
INT64 = 2**63 - 1  # the database's
UUID = {"type": "string", "format": "uuid"}
DATE_TIME = {"type": "string", "format": "date-time"}

_INTEGER = re.compile(r"[+-]?[0-9]{1,19}")
_TIME = re.compile(
    r"(?P<day>[0-9]{4}-[0-9]{2}-[0-9]{2})"
    r"(?:T(?P<time>[0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?))?"
    r"(?P<zone>Z|[+-][0-9]{2}:[0-9]{2})?",
    re.IGNORECASE,
)
_ZONED = "; a time with its zone is, such as 2026-12-24T08:00:00Z"


class Given:
    """What stands in a query; names in lower case. What is empty is not given; Invalid names the parameter."""

    def __init__(self, request: Request) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in request.query_params.multi_items():
            self._values.setdefault(name.lower(), []).append(value)

    def texts(self, name: str) -> tuple[str, ...]:
        """All values of a parameter."""
        return tuple(checked(name, text) for text in self._values.get(name, ()) if text)

    def text(self, name: str) -> str:
        """A parameter's value, the first one if there are several; "": not given."""
        return checked(name, self._values[name][0]) if name in self._values else ""

    def number(self, name: str, default: Default, most: int = INT32) -> int | Default:
        """A whole number of -most - 1 to most; space around it does not matter."""
        text = self.text(name).strip()
        return integer(name, text, most) if text else default

    def flag(self, shown: str) -> bool:
        """Whether a parameter, as documents write its name, is true; Invalid when it is neither that nor false."""
        text = self.text(shown.lower()).strip().lower()
        if text not in ("", "true", "false"):
            raise not_valid(shown, text)
        return text == "true"

    def moment(self, name: str, *, zoned: bool) -> datetime | None:
        """A time, in UTC, that must have a zone (`zoned`); or a day or time that is naive if it has none."""
        text = self.text(name).strip()
        if not text:
            return None
        found = _TIME.fullmatch(text)
        try:
            if found and (not zoned or (found["time"] and found["zone"])):
                iso = f"{found['day']}T{found['time'] or '00:00'}{found['zone'] or ''}".upper()
                moment = datetime.fromisoformat(iso)
                return moment.astimezone(UTC) if zoned else moment
        except (ValueError, OverflowError):  # no such day or time, or none in UTC
            pass
        raise not_valid(name, text, _ZONED if zoned else "")


def integer(name: str, text: str, most: int) -> int:
    """Read a whole number of -most - 1 to most; Invalid when it is none."""
    if not _INTEGER.fullmatch(text) or not -most - 1 <= int(text) <= most:
        raise not_valid(name, text)
    return int(text)


def checked(name: str, text: str) -> str:
    """A text as it came; Invalid when it has the one character that PostgreSQL does not take."""
    if "\0" in text:
        raise Invalid({name: ["The value must not contain U+0000."]})
    return text


def not_valid(name: str, text: str, hint: str = "") -> Invalid:
    """What to raise when a parameter's value is no such value."""
    return Invalid({name: [f"The value '{text}' is not valid{hint}."]})


def integers(most: int, least: int = 1) -> dict[str, Any]:
    """The schema of whole numbers."""
    return {"type": "integer", "minimum": least, "maximum": most}
