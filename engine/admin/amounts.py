"""Numbers of things in words, such as "1 e-mail" and "2,000 orders", shares, and spans of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LEAST = 0.01  # per cent; of less it is said that it is less
WHOLE = 10  # per cent, from which on they are whole ones
_NAMES = {
    "orders": ("order", "orders"),
    "emails": ("e-mail", "e-mails"),
    "deliveries": ("delivery", "deliveries"),
    "fan_outs": ("fan-out", "fan-outs"),
    "webhooks": ("webhook", "webhooks"),
    "recipients": ("recipient", "recipients"),
    "addresses": ("address", "addresses"),
    "events": ("event", "events"),
    "subscriptions": ("subscription", "subscriptions"),
    "recurring": ("recurring order", "recurring orders"),
    "jobs": ("job", "jobs"),
    "audit": ("line", "lines"),
    "keys": ("key", "keys"),
    "senders": ("sender", "senders"),
    "templates": ("template", "templates"),
}


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of rows; `more`: not all were counted, so there may be more."""

    number: int
    more: bool = False

    def of(self, what: str) -> str:
        """It in words, such as 10,000+ e-mails."""
        return some(self.number, what, more=self.more)


def listed(amounts: Mapping[str, Amount]) -> str:
    """Amounts of several kinds, without those of none; empty: there are no others."""
    return ", ".join(amount.of(what) for what, amount in amounts.items() if amount.number)


def some(number: int, what: str, *, more: bool = False) -> str:
    """A number with its noun: that of a resource, of a lane's rows, or of recipients; `more`: there may be more."""
    return f"{number:,}{'+' if more else ''} {_NAMES[what][more or number != 1]}"


def percent(share: float) -> str:
    """A share in per cent: whole ones from ten on, two digits below; nothing that is there is shown as none."""
    number = 100 * share
    if 0 < number < LEAST:
        return f"<{LEAST} %"
    return f"{number:.0f} %" if number >= WHOLE or not number else f"{number:.2g} %"


def at_least(number: int, what: str, *, more: bool) -> str:
    """The same, where counting has ended before the end: 10,000+ orders."""
    return some(number, what) if not more else f"{number:,}+ {_NAMES[what][1]}"


def span(time: float | timedelta) -> str:
    """A span of time (or so many seconds) in its two largest units, such as 3 min 20 s."""
    seconds = time.total_seconds() if isinstance(time, timedelta) else time
    if 0 < seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    left = round(seconds)
    parts = []
    for unit, size in (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        count, left = divmod(left, size)
        if count:
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2]) or "0 s"
