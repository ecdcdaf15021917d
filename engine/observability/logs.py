"""Logging: one record per line on standard error, as text, JSON or for a journal, without addresses, bodies or secrets.

The subject of a record is bound around the work (`with bound(order_id=…):`) and appears in every line of that work,
also in lines of libraries.
"""

from __future__ import annotations

import json
import logging
import re
import time
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Self

from engine.observability.repeats import OnceAMinute
from engine.text.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token

_NOTHING: Mapping[str, object] = {}
_BOUND: ContextVar[Mapping[str, object]] = ContextVar("bound", default=_NOTHING)
# Levels and the priorities of syslog that they are (RFC 5424, 6.2.1).
_PRIORITIES = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6), (logging.NOTSET, 7))
_PLAIN = re.compile(r"[\w.:/+-]+", re.ASCII)


class bound:  # noqa: N801 reads as the verb that it is
    """Binds fields to every record that the block logs.

    They are order_id, email_id, event_id, delivery, subscription, lane and trace_id. It is a class, since a generator
    would cost more than everything else here.
    """

    __slots__ = ("_fields", "_token")

    def __init__(self, **fields: object) -> None:
        self._fields = fields

    def __enter__(self) -> Self:
        self._token: Token[Mapping[str, object]] = _BOUND.set({**_BOUND.get(), **self._fields})
        return self

    def __exit__(self, *_: object) -> None:
        _BOUND.reset(self._token)


class _Text(logging.Formatter):
    """`time level logger [order_id=…] message`; a trace follows indented. Control characters can forge no line."""

    converter = staticmethod(time.gmtime)

    before = "%(asctime)s.%(msecs)03dZ %(levelname)s "

    def __init__(self) -> None:
        super().__init__(f"{self.before}%(name)s %(fields)s%(message)s", "%Y-%m-%dT%H:%M:%S")

    def format(self, record: logging.LogRecord) -> str:
        fields = " ".join(f"{name}={_shown(str(value))}" for name, value in _BOUND.get().items())
        record.__dict__["fields"] = f"[{fields}] " if fields else ""
        return "\n    ".join(map(_clean, super().format(record).split("\n")))


class _Journal(_Text):
    """`<priority>logger [order_id=…] message`, as systemd's journal reads it (sd-daemon(3)), which keeps the time."""

    before = ""

    def format(self, record: logging.LogRecord) -> str:
        mark = f"<{next(number for level, number in _PRIORITIES if record.levelno >= level)}>"
        return "\n".join(mark + line for line in super().format(record).split("\n"))


class _Json(logging.Formatter):
    """One object a line, in ASCII: other characters are escaped, so that no text forges a line or fools a terminal."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": rfc3339(datetime.fromtimestamp(record.created, UTC)),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **_BOUND.get(),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str)


FORMATS: Mapping[str, type[logging.Formatter]] = {"text": _Text, "json": _Json, "journal": _Journal}


def configure(level: str, format_: str = "text") -> None:
    """Set up the process's logging; libraries log from WARNING on."""
    handler = OnceAMinute(_about)
    handler.setFormatter(FORMATS[format_]())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.captureWarnings(capture=True)
    server = logging.getLogger("uvicorn")  # which has set up a way of its own
    server.handlers.clear()
    server.propagate = True
    logging.getLogger("apscheduler").setLevel(logging.ERROR)  # it is intended that a late tick swallows the next
    for name in ("engine", "api", "scheduler"):
        logging.getLogger(name).setLevel(level)


def _about() -> Mapping[str, object]:
    """The subject of a record, to recognise repeats: without the trace, which each request has of its own."""
    return {name: value for name, value in _BOUND.get().items() if name != "trace_id"}


def _shown(value: str) -> str:
    """A field's value; in quotes if it could be read as more than one."""
    return value if _PLAIN.fullmatch(value) else json.dumps(value)


def _clean(line: str) -> str:
    return "".join(character if character.isprintable() else "?" for character in line)
