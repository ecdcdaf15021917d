"""Outbound calls as tests make them."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from engine.outbound import Answer, Failure, Guard, Outbound
from tests.helpers.waiting import SHORT

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    Headers = Sequence[tuple[str, str]]

STRICT, LENIENT = Guard(allow_private=False), Guard(allow_private=True)
LATE = f"no answer within {SHORT.total_seconds():g} s"  # what a failure says when SHORT has struck


class Names:
    """A resolver with a test's answers, one for each look-up; the last one repeats."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        return list(self._answers.pop(0) if len(self._answers) > 1 else self._answers[0])


@asynccontextmanager
async def closing(outbound: Outbound) -> AsyncIterator[Outbound]:
    try:
        yield outbound
    finally:
        await outbound.close()


def get(outbound: Outbound, *urls: str) -> list[Answer | Failure]:
    """GET these one after another."""

    async def run() -> list[Answer | Failure]:
        async with closing(outbound):
            return [await outbound.get(url) for url in urls]

    return asyncio.run(run())


def post(outbound: Outbound, url: str, *bodies: bytes, headers: Headers = ()) -> list[Answer | Failure]:
    """POST these one after another."""

    async def run() -> list[Answer | Failure]:
        async with closing(outbound):
            return [await outbound.post(url, body, headers) for body in bodies]

    return asyncio.run(run())


def failed(outbound: Outbound, url: str) -> str:
    [answer] = get(outbound, url)
    assert isinstance(answer, Failure), answer
    return answer.reason
