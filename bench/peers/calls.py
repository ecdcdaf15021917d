"""The peer of pushing events: bare httpx posts the same bodies, and stores, signs and records nothing.

`python -m bench.peers.calls URL COUNT AT_ONCE` posts, and prints when (Unix time) it began.
"""

from __future__ import annotations

import asyncio
import sys
import time
from datetime import UTC, datetime

import httpx
import uvloop

from bench.posts import stored_event


async def post_all(url: str, count: int, at_once: int) -> None:
    """Post `count` events, `at_once` of them at once."""
    text = stored_event(1, "/party/50019855", datetime.now(UTC)).text.encode()
    headers = {"Content-Type": "application/json; charset=utf-8"}
    limits = httpx.Limits(max_connections=at_once, max_keepalive_connections=at_once)
    numbers = iter(range(count))
    async with httpx.AsyncClient(limits=limits, timeout=30) as client:

        async def work() -> None:
            for _ in numbers:
                answer = await client.post(url, content=text, headers=headers)
                answer.raise_for_status()

        print(time.time(), flush=True)
        async with asyncio.TaskGroup() as tasks:
            for _ in range(at_once):
                tasks.create_task(work())


if __name__ == "__main__":
    uvloop.run(post_all(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
