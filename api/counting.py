"""Counts answers by status class and part of the API, and how long each took."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_left
from typing import TYPE_CHECKING

from engine.observability import metrics

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OTHER = "other"  # what is no part of the API, such as /docs
EVERY = 0.1  # seconds until an answer is in /metrics, at most


class CountAnswers:
    """Middleware around everything else; `parts`: those that endpoints belong to (api/endpoints.py).

    A metric costs a write to a file, and three of them cost a twentieth of an order. So answers are counted here
    first, and handed over together.
    """

    def __init__(self, app: ASGIApp, parts: Iterable[str] = ()) -> None:
        self._app = app
        self._parts = {part: Part(part) for part in {*parts, OTHER}}
        self._timer: asyncio.TimerHandle | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            try:
                await self._app(scope, receive, send)
            finally:
                self._hand_over()  # the application ends
            return
        began = time.perf_counter()
        answered = False

        async def counted(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                self._count(scope, message["status"], began)
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except Exception:
            if not answered:  # it will be, by an outer layer
                self._count(scope, 500, began)
            raise

    def _count(self, scope: Scope, status: int, began: float) -> None:
        part = getattr(scope.get("endpoint"), "part", OTHER)
        self._parts[part].count(status, time.perf_counter() - began)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(EVERY, self._hand_over)

    def _hand_over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for part in self._parts.values():
            part.hand_over()


class Part:
    """Answers of a part of the API that are not in the metrics yet."""

    def __init__(self, name: str) -> None:
        self._totals = [metrics.REQUESTS.labels(name, f"{digit}xx") for digit in range(1, 6)]
        self._histogram = metrics.REQUEST_SECONDS.labels(name)
        self._forget()

    def count(self, status: int, seconds: float) -> None:
        """Note an answer."""
        self._answers[status // 100 - 1] += 1
        self._took[bisect_left(metrics.SECONDS, seconds)] += 1
        self._seconds += seconds

    def hand_over(self) -> None:
        """Add what was noted to the metrics."""
        if not any(self._answers):
            return
        for total, number in zip(self._totals, self._answers, strict=True):
            if number:
                total.inc(number)
        for bucket, number in zip(self._histogram._buckets, self._took, strict=True):  # noqa: SLF001 it takes one by one
            if number:
                bucket.inc(number)
        self._histogram._sum.inc(self._seconds)  # noqa: SLF001 likewise
        self._forget()

    def _forget(self) -> None:
        self._answers = [0] * len(self._totals)
        self._took = [0] * (len(metrics.SECONDS) + 1)  # above the longest, too
        self._seconds = 0.0
