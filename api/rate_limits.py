"""Quotas as header fields, so that clients can pace themselves (draft-ietf-httpapi-ratelimit-headers-11).

The draft registers no unit for recipients. Without `qu`, clients would take the numbers for requests.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from engine.models import Allowance

MEANINGS = {
    "RateLimit-Policy": "The creator's quotas, in recipients: `q` in a window of `w` seconds.",
    "RateLimit": "What is left of them: `r` recipients in the next `t` seconds.",
}


def rate_limits(allowances: Sequence[Allowance]) -> dict[str, str]:
    """The fields that tell the quotas, and what is left of them; none without a quota."""
    if not allowances:
        return {}
    policies = (f'"{each.name}";q={each.quota};qu="recipients";w={_seconds(each.window)}' for each in allowances)
    left = (f'"{each.name}";r={each.left};t={_seconds(each.during)}' for each in allowances)
    return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}


def _seconds(time: timedelta) -> int:
    return math.ceil(time.total_seconds())
