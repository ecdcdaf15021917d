"""Numbers of things in words, such as "1 e-mail" and "2,000 orders", and spans of time."""

from __future__ import annotations

from datetime import timedelta

_NAMES = {
    "orders": ("order", "orders"),
    "emails": ("e-mail", "e-mails"),
    "deliveries": ("delivery", "deliveries"),
    "fan_outs": ("fan-out", "fan-outs"),
    "webhooks": ("webhook", "webhooks"),
    "recipients": ("recipient", "recipients"),
    "addresses": ("address", "addresses"),
}


def some(number: int, what: str) -> str:
    """A number with its noun: that of a resource, of a lane's rows, or of recipients."""
    return f"{number:,} {_NAMES[what][number != 1]}"


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
