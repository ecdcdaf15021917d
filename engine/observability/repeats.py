"""Repeats in the log: for the same fault one line a minute, with the number of its repeats."""

from __future__ import annotations

import copy
import logging
import threading
import time
from typing import TYPE_CHECKING, Any

from engine.diagnosis import Diagnosis
from engine.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Mapping

PERIOD = 60.0  # seconds in which a fault is logged once
KEPT = 1000  # most faults that are remembered; beyond, those without repeats are forgotten

_expected: dict[type[Exception], Callable[[Any], object]] = {Unavailable: Unavailable.told}


def expect(kind: type[Exception], tell: Callable[[Any], object]) -> None:
    """Log errors of this kind, which mean that a part is away, in one line without a trace: what `tell` returns."""
    _expected[kind] = tell


class OnceAMinute(logging.StreamHandler[Any]):
    """Writes a warning or an error once, counts its repeats, and writes their number when the minute is over.

    A repeat has the same text and the same subject (`about`); a part's own words do not matter, since they may have a
    number or a time. With a trace, a repeat failed at the same place in the same way, whatever it is about. Everything
    below WARNING is written.
    """

    def __init__(self, about: Callable[[], Mapping[str, Any]]) -> None:
        super().__init__()
        self._about = about
        self._repeats: dict[Hashable, int] = {}
        self._until: dict[Hashable, float] = {}
        self._first: dict[Hashable, logging.LogRecord] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record, or count it; the lock that logging holds protects the counts."""
        record = _in_one_line(record)
        if record.levelno >= logging.WARNING and self._is_repeat(record):
            return
        super().emit(record)

    def close(self) -> None:
        """Write what is counted so far: the process ends."""
        for key in list(self._first):
            self._tell(key)
        super().close()

    def _is_repeat(self, record: logging.LogRecord) -> bool:
        key, now = self._key(record), time.monotonic()
        if now >= self._until.get(key, 0.0):
            if len(self._until) >= KEPT:
                self._until = {each: self._until[each] for each in self._first}
            self._until[key] = now + PERIOD
            return False
        if key not in self._first:
            self._first[key] = record
            timer = threading.Timer(self._until[key] - now, self._tell, (key,))
            timer.daemon = True
            timer.start()
        self._repeats[key] = self._repeats.get(key, 0) + 1
        return True

    def _key(self, record: logging.LogRecord) -> Hashable:
        error = record.exc_info[1] if record.exc_info else None
        if error is None:
            return (record.name, record.levelno, _gist(record), str(dict(self._about())))
        place = error.__traceback__
        while place and place.tb_next:
            place = place.tb_next
        where = (place.tb_frame.f_code.co_filename, place.tb_lineno) if place else None
        return (record.name, record.levelno, str(record.msg), type(error), where)

    def _tell(self, key: Hashable) -> None:
        with self.lock:  # type: ignore[union-attr]  # it is made when the handler is
            record, count = self._first.pop(key, None), self._repeats.pop(key, 0)
            if record is None:
                return
            last = copy.copy(record)
            last.created, last.exc_info, last.exc_text, last.args = time.time(), None, None, ()
            last.msg = f"{record.getMessage()} (and {count} more {'time' if count == 1 else 'times'} within a minute)"
            super().emit(last)


def _gist(record: logging.LogRecord) -> str:
    """A record's text; of a diagnosis only the advice, of which each kind of fault has one."""
    args = record.args if isinstance(record.args, tuple) else ()
    found = [each for arg in args for each in (arg, *getattr(arg, "args", ())) if isinstance(each, Diagnosis)]
    return f"{record.msg} {found[0].advice}" if found else record.getMessage()


def _in_one_line(record: logging.LogRecord) -> logging.LogRecord:
    error = record.exc_info[1] if record.exc_info else None
    told = next((tell(error) for kind, tell in _expected.items() if isinstance(error, kind)), None)
    if told is None:
        return record
    line = copy.copy(record)
    line.exc_info, line.exc_text, line.args = None, None, ()
    line.msg = f"{record.getMessage()} {told}"
    return line
