"""Logging, set up as a process sets it up, and restored afterwards."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.observability import logs

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def logging_as(format_: str) -> Iterator[None]:
    """Log in this format, from INFO on, to the current standard error."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    logs.configure("INFO", format_)
    try:
        yield
    finally:
        for handler in root.handlers:
            handler.close()  # which tells what it has counted: later, its stream is closed
        root.handlers[:] = handlers
        root.setLevel(level)
        logging.captureWarnings(capture=False)
