"""Python's wall clock is off by WRONG_BY seconds where PYTHONPATH begins here; the process's other clocks are right."""

from __future__ import annotations

import datetime as dt
import os
import time
from datetime import datetime
from typing import Any

_BY = int(os.environ["WRONG_BY"])
_time, _time_ns = time.time, time.time_ns


class _Kind(type):
    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, datetime)  # what comes from elsewhere is one, too


class _Wrong(datetime, metaclass=_Kind):
    __slots__ = ()

    @classmethod
    def now(cls, tz: Any = None) -> Any:
        return super().now(tz) + dt.timedelta(seconds=_BY)

    @classmethod
    def utcnow(cls) -> Any:
        return super().utcnow() + dt.timedelta(seconds=_BY)


time.time = lambda: _time() + _BY
time.time_ns = lambda: _time_ns() + _BY * 1_000_000_000
dt.datetime = _Wrong  # type: ignore[misc]
