"""Logging: one line per record on standard error, without addresses, bodies or secrets."""

from __future__ import annotations

import logging
import time


class _Line(logging.Formatter):
    """`time level logger message`; control characters cannot forge a second line."""

    converter = staticmethod(time.gmtime)

    def format(self, record: logging.LogRecord) -> str:
        first, *trace = super().format(record).split("\n")
        clean = "".join(character if character.isprintable() else "?" for character in first)
        return "\n    ".join([clean, *trace])


def configure(level: str) -> None:
    """Set up the process's logging; libraries speak from WARNING on."""
    handler = logging.StreamHandler()
    handler.setFormatter(_Line("%(asctime)s.%(msecs)03dZ %(levelname)s %(name)s %(message)s", "%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # that a late tick swallows the next is as it should be
    for name in ("engine", "api", "scheduler"):
        logging.getLogger(name).setLevel(level)
