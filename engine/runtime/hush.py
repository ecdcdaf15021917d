"""Quiet for a thread: the event loop of its process stands still while the thread does something short.

Python's threads share one interpreter. A thread that uses a database within the process lets go of it with each row; a
busy event loop takes it, and gives it back after five milliseconds. What the thread holds, others wait for meanwhile.
"""

from __future__ import annotations

import threading
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Iterator

LONGEST = 0.02  # seconds: a slow disk must not stop connections


@contextmanager
def still(loop: asyncio.AbstractEventLoop) -> Iterator[None]:
    """Keep the loop, which runs in another thread, from its work until the block ends, or LONGEST is over."""
    over = threading.Event()
    with suppress(RuntimeError):  # it is closed
        loop.call_soon_threadsafe(over.wait, LONGEST)
    try:
        yield
    finally:
        over.set()
