"""Renders templates in processes of their own: none of them can hold up the process that asks, or read its memory."""

from __future__ import annotations

import asyncio
import json
import socket
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engine.errors import Invalid, Unavailable
from engine.runtime.clock import steady
from engine.runtime.shares import Shares
from engine.templating.checking import Needs

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping
    from uuid import UUID

    from engine.templating.content import Content

CHILDREN = 3  # at once; they start when they are needed
PATIENCE = timedelta(seconds=10)  # for an answer: the child's own bound is CPU time, and the machine may be busy
REMEMBERED = timedelta(minutes=5)  # how long a version that took too much is not tried again
_ENVIRONMENT: Mapping[str, str] = {"LC_ALL": "C.UTF-8"}  # no setting of ours, and so no secret


@dataclass(frozen=True, slots=True)
class Rendered:
    """A rendered e-mail in a locale: the subject is one line, and no text has control characters."""

    locale: str
    subject: str | None
    html: str | None
    text: str | None


class Renderer:
    """Renders and checks templates, for several parties in turns.

    Unavailable: a child cannot start, or the machine is too busy for it.
    """

    def __init__(self) -> None:
        self._shares = Shares(CHILDREN)
        self._idle: list[_Child] = []
        self._took_too_much: dict[tuple[str, UUID], tuple[float, str]] = {}  # by party and version: until when, and why

    async def render(
        self,
        party: str,
        name: UUID,
        load: Callable[[], Awaitable[Content]],
        values: Mapping[str, Any],
        locale: str | None = None,
    ) -> Rendered:
        """Render the version of this identifier with JSON values; Invalid (field `template`) if that fails.

        `load` is called where a child does not know the version. One that took too much fails at once for a while, for
        this party: each of an order's e-mails would take as much.
        """
        request = {"id": str(name), "content": None, "locale": locale or "", "values": values}
        async with self._shares.slot(party):
            until, why = self._took_too_much.get((party, name), (0.0, ""))  # in the slot: those that waited know, too
            if steady() < until:
                raise _failed(why)
            answer = await self._asked(request)
            if answer.get("unknown"):
                answer = await self._asked(request | {"content": (await load()).json_text()})
        if answer.get("bound"):
            self._remember((party, name), answer["error"])
        if "error" in answer:
            raise _failed(answer["error"])
        return Rendered(**answer)

    async def check(self, party: str, content: Content) -> Needs:
        """What a version needs; Invalid (field `template`) if it is no template."""
        async with self._shares.slot(party):
            answer = await self._asked({"content": content.json_text()})
        if "error" in answer:
            raise _failed(answer["error"])
        return Needs(**answer)

    async def close(self) -> None:
        """End the children."""
        while self._idle:
            await self._idle.pop().end()

    async def _asked(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """A child's answer. One that ends meanwhile is replaced once: something else may have ended it."""
        for _ in range(2):
            child = self._idle.pop() if self._idle else await _Child.start()
            try:
                async with asyncio.timeout(PATIENCE.total_seconds()):
                    answer = await child.ask(request)
            except TimeoutError:  # not the template's fault: its CPU time is bounded
                await child.end()
                raise Unavailable("the renderer of templates") from None
            except (EOFError, OSError):
                await child.end()
            except BaseException:
                await child.end()
                raise
            else:
                self._idle.append(child)
                return answer
        return {"error": "it ends the process that renders it", "bound": True}

    def _remember(self, name: tuple[str, UUID], why: str) -> None:
        now = steady()
        self._took_too_much = {known: told for known, told in self._took_too_much.items() if told[0] > now}
        self._took_too_much[name] = now + REMEMBERED.total_seconds(), why


class _Child:
    """A process that answers one request after another."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process = process
        self._reader = reader
        self._writer = writer

    @classmethod
    async def start(cls) -> _Child:
        ours, its = socket.socketpair()
        with its:
            process = await asyncio.to_thread(_begin, its)
        child = cls(process, *await asyncio.open_connection(sock=ours))
        try:
            async with asyncio.timeout(PATIENCE.total_seconds()):
                await child._told()
        except BaseException as error:
            await child.end()
            if isinstance(error, (EOFError, OSError)):  # it cannot start, or takes too long for it
                raise Unavailable("the renderer of templates") from None
            raise
        return child

    async def ask(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Its answer; EOFError or OSError when it has ended."""
        text = json.dumps(request).encode()
        self._writer.write(len(text).to_bytes(4) + text)
        await self._writer.drain()
        return await self._told()

    async def _told(self) -> Mapping[str, Any]:
        answer = await self._reader.readexactly(int.from_bytes(await self._reader.readexactly(4)))
        told: Mapping[str, Any] = json.loads(answer)
        return told

    async def end(self) -> None:
        """End it, whatever it does."""
        self._process.kill()
        self._writer.close()
        with suppress(OSError):
            await self._writer.wait_closed()
        await asyncio.to_thread(self._process.wait)


def _begin(its: socket.socket) -> subprocess.Popen[bytes]:
    """Start a child that reads and writes this socket. Signals to our group do not reach it."""
    command = [sys.executable, "-I", "-m", "engine.templating.child"]
    end = its.fileno()
    return subprocess.Popen(command, stdin=end, stdout=end, env=_ENVIRONMENT, cwd="/", start_new_session=True)  # noqa: S603


def _failed(fault: str) -> Invalid:
    return Invalid({"template": [fault]})
