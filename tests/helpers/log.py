"""Logging, set up as a process sets it up, and restored afterwards."""

from __future__ import annotations

import logging
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.observability import logs

if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def restored() -> Iterator[None]:
    """Log as before, behind a block that sets up logging as a process does."""
    root = logging.getLogger()
    handlers = root.handlers[:]
    levels = {logger: logger.level for logger in (root, *map(logging.getLogger, ("engine", "api", "scheduler")))}
    try:
        yield
    finally:
        for handler in root.handlers:
            if handler not in handlers:
                handler.close()  # which tells what it has counted: later, its stream is closed
        root.handlers[:] = handlers
        for logger, level in levels.items():
            logger.setLevel(level)
        logging.captureWarnings(capture=False)


@contextmanager
def logging_as(format_: str) -> Iterator[None]:
    """Log in this format, from INFO on, to the current standard error."""
    with restored():
        logs.configure("INFO", format_)
        yield
