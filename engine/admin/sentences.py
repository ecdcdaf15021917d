"""What is paused, in words."""

from __future__ import annotations

from engine.queue.pauses import CREATOR, LANE

_LANES = {"orders": "all orders", "emails": "all e-mails", "fan_outs": "all fan-outs", "webhooks": "all webhooks"}


def thing(kind: str, value: str) -> str:
    """What a pause stops, such as mail to example.no."""
    if kind == LANE:
        return _LANES.get(value, value)
    return f"what {value} orders" if kind == CREATOR else f"mail to {value}"
