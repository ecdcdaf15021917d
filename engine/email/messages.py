"""The messages of e-mails: what recipients of one content have in common is compiled once, and kept for a while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING

from engine.db.bounded import weight
from engine.email.mime import Compiled, compile_message, message_id
from engine.text import keywords

if TYPE_CHECKING:
    from datetime import datetime

    from engine.db.records import Email, Letter
    from engine.models import Content

COMPILED = 32_000_000  # bytes of compiled messages and their contents that a process keeps
COMPILED_AT_ONCE = 5_000  # characters of a body; a longer one is compiled in a thread, one at a time


class Messages:
    """Makes messages; keeps those that were compiled last."""

    def __init__(self) -> None:
        self._compiled: OrderedDict[Content, Compiled] = OrderedDict()
        self._compiled_size = 0
        self._compiling = asyncio.Lock()

    async def made(self, email: Email, order: Letter, date: datetime) -> bytes:
        """The message to one recipient; what fails here fails at every attempt."""
        compiled = await self._compile(email, order)
        return compiled.fill(to=email.address, message_id=message_id(email.id, order.sender), date=date)

    async def _compile(self, email: Email, order: Letter) -> Compiled:
        content = keywords.content(order, email)
        if kept := self._kept(content):
            return kept
        if len(content.body) <= COMPILED_AT_ONCE:
            return self._keep(content, compile_message(content))
        async with self._compiling:
            return self._kept(content) or self._keep(content, await asyncio.to_thread(compile_message, content))

    def _kept(self, content: Content) -> Compiled | None:
        if content in self._compiled:
            self._compiled.move_to_end(content)
        return self._compiled.get(content)

    def _keep(self, content: Content, compiled: Compiled) -> Compiled:
        """Keep a message for the content's other recipients; drop those that were unused for the longest time."""
        self._compiled[content] = compiled
        self._compiled_size += _size(content, compiled)
        while self._compiled_size > COMPILED:
            self._compiled_size -= _size(*self._compiled.popitem(last=False))
        return compiled


def _size(content: Content, compiled: Compiled) -> int:
    return weight(content.body) + len(compiled.rest)
