"""Answers whose head and body leave together."""

from __future__ import annotations

import asyncio

from api.joined import Joined


class Recording(asyncio.Transport):
    """A transport that records each write, and whether it was closed."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []
        self.closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def is_closing(self) -> bool:
        return self.closed

    def close(self) -> None:
        self.closed = True


def test_a_head_leaves_with_the_body_and_what_follows_at_once() -> None:
    async def answer() -> list[bytes]:
        transport = Recording()
        joined = Joined(transport, asyncio.get_running_loop())
        for piece in (b"head", b" body", b" more"):
            joined.write(piece)
        await asyncio.sleep(0)
        return transport.written

    assert asyncio.run(answer()) == [b"head body", b" more"]


def test_a_head_waits_for_a_body_no_longer_than_for_the_next_step() -> None:
    async def answer() -> list[bytes]:
        transport = Recording()
        joined = Joined(transport, asyncio.get_running_loop())
        joined.write(b"head")
        assert transport.written == []
        await asyncio.sleep(0)
        assert transport.written == [b"head"]
        joined.write(b" body")
        return transport.written

    assert asyncio.run(answer()) == [b"head", b" body"]


def test_a_head_without_a_body_leaves_before_the_connection_ends() -> None:
    async def answer() -> tuple[list[bytes], bool]:
        transport = Recording()
        joined = Joined(transport, asyncio.get_running_loop())
        joined.write(b"head")
        joined.close()
        await asyncio.sleep(0)
        return transport.written, joined.is_closing()

    assert asyncio.run(answer()) == ([b"head"], True)


def test_a_head_that_is_flushed_leaves_at_once_and_to_nobody_who_is_gone() -> None:
    async def answer(*, gone: bool) -> list[bytes]:
        transport = Recording()
        joined = Joined(transport, asyncio.get_running_loop())
        joined.write(b"head")
        transport.closed = gone
        joined.flush()
        written = list(transport.written)
        await asyncio.sleep(0)
        assert transport.written == written
        return written

    assert asyncio.run(answer(gone=False)) == [b"head"]
    assert asyncio.run(answer(gone=True)) == []
