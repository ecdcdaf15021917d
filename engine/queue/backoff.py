"""The spread of backoff: what failed together must not return together."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import timedelta

JITTER = 0.1  # a delay becomes up to a tenth shorter or longer


def jittered(delay: timedelta) -> timedelta:
    """The delay, shortened or lengthened at random by up to JITTER."""
    return delay * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 no secret
