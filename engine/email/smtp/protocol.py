"""The relay's replies as they come in: bounded, read once, and none that nobody asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, cast

import aiosmtplib
from aiosmtplib.protocol import SMTPProtocol

if TYPE_CHECKING:
    import asyncio

LONGEST_REPLY = 16 * 1024  # bytes; RFC 5321, 4.5.3.1.5 has 512 for a line
LINE = re.compile(rb"[0-9]{3}[- \r\n]")  # how each line of a reply begins (RFC 5321, 4.2)
MOST_LINES = 100  # of one reply; the longest in use, EHLO's, have about twenty


class Protocol(SMTPProtocol):
    """aiosmtplib's, but each byte is looked at once, and the parser called when the reply's last line is complete.

    By itself it parses a reply again from its first line whenever a packet comes, and takes `2500` for 250.
    """

    _line_at = 0  # where the line begins that is not complete
    _looked_at = 0  # up to here there is no further line end
    _lines = 0  # of the reply that is coming in

    def data_received(self, data: bytes) -> None:
        """Take in what the relay says; a reply that does not end, or that nobody asked for, ends the connection."""
        waiter = self._response_waiter
        if waiter is None or not self._response_pending:
            self._abort()
            return
        if waiter.done():
            self._buffer.extend(data[:1])  # enough to see that it spoke again
            return
        self._buffer.extend(data)
        while (end := self._buffer.find(b"\n", self._looked_at)) >= 0:
            begin, self._line_at = self._line_at, end + 1
            self._looked_at = end + 1
            self._lines += 1
            if not LINE.match(self._buffer, begin):
                said = bytes(self._buffer[begin:end]).decode("utf-8", "replace")
                self._give_up(waiter, f"this is no reply: {said}")
                return
            if self._buffer[begin + 3 : begin + 4] != b"-":
                self._answer(waiter)
                return
        self._looked_at = len(self._buffer)
        if self._looked_at > LONGEST_REPLY or self._lines >= MOST_LINES:
            self._give_up(waiter, "the relay's reply does not end")

    def write(self, data: bytes) -> None:
        """Say something, unless there is a reply to nothing: it would be taken for the reply to this."""
        if self._buffer:
            msg = "the relay replied more often than it was asked"
            raise aiosmtplib.SMTPException(msg)
        super().write(data)

    def _answer(self, waiter: asyncio.Future[aiosmtplib.SMTPResponse]) -> None:
        self._line_at = self._looked_at = self._lines = 0
        try:
            response = self._read_response_from_buffer()
        except aiosmtplib.SMTPException as error:
            self._set_response_exception(waiter, error)
        else:
            if response:
                waiter.set_result(response)

    def _give_up(self, waiter: asyncio.Future[aiosmtplib.SMTPResponse], why: str) -> None:
        self._set_response_exception(waiter, aiosmtplib.SMTPServerDisconnected(why))
        self._abort()

    def _abort(self) -> None:
        if self.transport:
            cast("asyncio.WriteTransport", self.transport).abort()
