"""Numbers of things in words, such as "1 e-mail" and "2,000 orders"."""

from __future__ import annotations

_NAMES = {
    "orders": ("order", "orders"),
    "emails": ("e-mail", "e-mails"),
    "deliveries": ("delivery", "deliveries"),
    "fan_outs": ("fan-out", "fan-outs"),
    "webhooks": ("webhook", "webhooks"),
    "recipients": ("recipient", "recipients"),
}


def some(number: int, what: str) -> str:
    """So many of a noun, of what a lane holds, or recipients."""
    return f"{number:,} {_NAMES[what][number != 1]}"
