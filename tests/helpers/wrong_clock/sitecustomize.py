"""Python's wall clock is off by WRONG_BY seconds where PYTHONPATH begins here; the process's other clocks are right.

WRONG_BY may name a file that says it, so that a test can set the clock while the process runs.
"""

from __future__ import annotations

import datetime as dt
import os
import time
from datetime import datetime
from pathlib import Path
from typing import Any

_SAID = os.environ["WRONG_BY"]
_time, _time_ns = time.time, time.time_ns


def _by() -> int:
    return int(Path(_SAID).read_text() if _SAID.startswith("/") else _SAID)


class _Kind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)  # what comes from elsewhere is one, too


class _Wrong(datetime, metaclass=_Kind):
    __slots__ = ()

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return super().now(tz) + dt.timedelta(seconds=_by())

    @classmethod
    def utcnow(cls) -> Any:
        return super().utcnow() + dt.timedelta(seconds=_by())


time.time = lambda: _time() + _by()
time.time_ns = lambda: _time_ns() + _by() * 1_000_000_000
dt.datetime = _Wrong  # type: ignore[misc]
