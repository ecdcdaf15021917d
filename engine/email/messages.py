"""The messages of e-mails: what recipients have in common is compiled once for all of them, and kept for a while."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import TYPE_CHECKING, NamedTuple

from engine.db.bounded import weight
from engine.email.enclosures import Enclosures, enclose
from engine.email.mime import Compiled, compile_message, message_id
from engine.errors import Unavailable
from engine.text import keywords

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import datetime
    from uuid import UUID

    from engine.db.records import Attachment, Email, Letter
    from engine.models import Content

    Read = Callable[[int], Awaitable[Sequence[Attachment]]]
    Rendered = Callable[[Email, Letter, UUID], Awaitable[Content]]

COMPILED = 32_000_000  # bytes of compiled messages and their contents that a process keeps
NOTHING = Enclosures(b"", b"")
ENCLOSED = 32_000_000  # bytes of encoded attachments that it keeps; those of one order, if they are more
COMPILED_AT_ONCE = 5_000  # characters of a body; a longer one is compiled in a thread, one at a time


class Message(NamedTuple):
    """A message: what one recipient's has of its own, and behind it what all messages of its order share."""

    own: bytes
    shared: bytes


async def _none(_order_seq: int) -> Sequence[Attachment]:
    return ()


class Messages:
    """Makes messages; keeps what was compiled last.

    `read` finds the attachments of an order, by its `seq`. `rendered` makes the texts of one that has a template.
    """

    def __init__(self, read: Read = _none, rendered: Rendered | None = None) -> None:
        self._read = read
        self._rendered = rendered
        self._enclosed: OrderedDict[UUID, Enclosures] = OrderedDict()
        self._enclosed_size = 0
        self._compiled: OrderedDict[Content, Compiled] = OrderedDict()
        self._compiled_size = 0
        self._compiling = asyncio.Lock()
        self._enclosing = asyncio.Lock()

    async def made(self, email: Email, order: Letter, date: datetime) -> Message:
        """The message to one recipient; what fails here fails at every attempt, but for RuntimeError.

        Invalid: the order's template cannot be rendered with this recipient's values.
        """
        if order.template_id and self._rendered:
            try:
                content = await self._rendered(email, order, order.template_id)
            except Unavailable as error:
                msg = "the order's template cannot be read now"
                raise RuntimeError(msg) from error
            compiled = await self._compile(content)
        else:
            compiled = await self._compile(keywords.content(order, email))
        around = await self._enclosures(order) if order.attachments else NOTHING
        name = message_id(email.id, order.sender)
        return Message(compiled.fill(to=email.address, message_id=name, date=date, enclosing=around.head), around.tail)

    async def _compile(self, content: Content) -> Compiled:
        if kept := self._kept(content):
            return kept
        if len(content.body) <= COMPILED_AT_ONCE:
            return self._keep(content, compile_message(content))
        async with self._compiling:
            return self._kept(content) or self._keep(content, await asyncio.to_thread(compile_message, content))

    async def _enclosures(self, order: Letter) -> Enclosures:
        async with self._enclosing:  # those of one order are in memory twice while they are encoded
            if kept := self._enclosed.get(order.id):  # a restored database may give its number to another order
                self._enclosed.move_to_end(order.id)
                return kept
            try:
                stored = await self._read(order.seq)
            except Unavailable as error:
                msg = "the attachments cannot be read now"
                raise RuntimeError(msg) from error
            made = self._enclosed[order.id] = await asyncio.to_thread(enclose, stored)
        self._enclosed_size += len(made.tail)
        while self._enclosed_size > ENCLOSED and len(self._enclosed) > 1:
            self._enclosed_size -= len(self._enclosed.popitem(last=False)[1].tail)
        return made

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
    return weight(content.body, content.plain) + len(compiled.text)
