"""The end of a process, which comes even when something hangs."""

from __future__ import annotations

import logging
import os
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

log = logging.getLogger(__name__)

END_WITHIN = 25.0  # seconds from a worker's or the scheduler's signal: a supervisor's patience is often 30
CLOSE_WITHIN = 12.0  # seconds that `web` has to close when its last answers have had their 10


def end_within(seconds: float, last: Callable[[], None]) -> None:
    """End this process, with exit code 1, if it has not ended by itself by then; `last` is called first.

    Others claim its rows when its leases have run out. A mail or an event whose outcome is not recorded by then comes a
    second time, with the same Message-ID or webhook-id.
    """
    timer = threading.Timer(seconds, _end, (seconds, last))
    timer.daemon = True
    timer.start()


def _end(seconds: float, last: Callable[[], None]) -> None:
    log.error(
        "something hangs: ended %d s after the order to end; its rows are claimed again after their leases",
        seconds,
    )
    last()
    os._exit(1)  # nothing else ends a process whose threads hang
