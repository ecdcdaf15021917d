"""Messages: an order's content is compiled to MIME once; what differs per recipient is filled in.

The parts are put together by hand: an EmailMessage of two parts costs 0.6 ms, this 20 us, and three header lines a few.
The result is 7-bit ASCII, so that the relay needs no 8BITMIME (only the address headers of SMTPUTF8 mail are raw
UTF-8). It has CRLF line ends and no line above 998 octets.
"""

from __future__ import annotations

import re
from base64 import b64encode, encodebytes
from binascii import b2a_qp
from dataclasses import dataclass
from email.utils import format_datetime
from functools import lru_cache
from secrets import token_hex
from typing import TYPE_CHECKING

from engine.email.plain_text import readable
from engine.models import Content, ContentType
from engine.text.addresses import wire_address
from engine.text.controls import NOT_IN_A_LINE

if TYPE_CHECKING:
    import uuid
    from datetime import datetime

LINE = 78  # longest unencoded line, and longest header line (RFC 5322, 2.1.1)
SUBJECT_CHUNK = 39  # octets per encoded word: 52 in base64, so that a line of the Subject stays below 76 (RFC 2047, 2)

_UNFIT_FOR_7BIT = re.compile(r"[^\t\n -~]")
_MESSAGE_ID = re.compile(r"<[!-;=?-~]{1,900}>")


@dataclass(frozen=True, slots=True)
class Compiled:
    """A message without To, Message-ID and Date."""

    headers: bytes
    text: bytes  # with its own headers, which follow the others

    def fill(self, *, to: str, message_id: str, date: datetime, enclosing: bytes = b"") -> bytes:
        """Return the whole message for one recipient; ValueError when a value could break out of its header.

        `enclosing`: what stands before the text, where attachments follow it (engine/email/enclosures.py).
        """
        if not _MESSAGE_ID.fullmatch(message_id):
            msg = "a Message-ID is printable ASCII between < and >"
            raise ValueError(msg)
        if date.tzinfo is None:
            msg = "a date without a zone does not say when"
            raise ValueError(msg)
        written = _written(date.replace(microsecond=0))
        head = f"To: {wire_address(to)[0]}\r\nMessage-ID: {message_id}\r\nDate: {written}\r\n"
        return b"".join((head.encode(), self.headers, enclosing, self.text))


def compile_message(content: Content) -> Compiled:
    """Build everything that a content's messages share; ValueError for a sender or subject with control characters."""
    if NOT_IN_A_LINE.search(content.subject):
        msg = "a subject is one line without control characters"
        raise ValueError(msg)
    body = _lines(content.body)
    if content.content_type is ContentType.HTML:
        plain = readable(body) if content.plain is None else content.plain
        entity = _alternatives(_part("plain", _lines(plain)), _part("html", body))
    else:
        entity = _part("plain", body)
    head = (
        f"From: {_mailbox(content.sender, content.sender_name)}\r\n"
        f"{_reply_to(content.reply_to)}"
        f"Subject: {_header_text(_encodable(content.subject))}\r\n"
        "Auto-Submitted: auto-generated\r\n"  # asks for no vacation replies (RFC 3834)
        "MIME-Version: 1.0\r\n"
    )
    return Compiled(head.encode(), entity)


def message_id(email_id: uuid.UUID, sender: str) -> str:
    """Return the Message-ID of an e-mail: the same at every attempt, so that receivers can recognise a repeat."""
    return f"<{email_id}@{wire_address(sender)[0].rpartition('@')[2]}>"


_written = lru_cache(maxsize=1)(format_datetime)  # a batch is sent within a second or two


def _encodable(text: str) -> str:
    """Return the text with `?` for lone surrogates, which JSON can hold and UTF-8 cannot."""
    return text.encode("utf-8", "replace").decode()


def _lines(text: str) -> str:
    """Return the text with one kind of line end: a bare CR or LF could smuggle a second message."""
    return _encodable(text).replace("\r\n", "\n").replace("\r", "\n")


def _part(subtype: str, text: str) -> bytes:
    """Return a text part: headers, an empty line, and the encoded body with a line end (RFC 2045)."""
    text = text if text.endswith("\n") else text + "\n"
    encoding = _transfer_encoding(text)
    octets = text.encode()
    if encoding == "quoted-printable":
        octets = b2a_qp(octets, istext=True)
    elif encoding == "base64":
        octets = encodebytes(octets.replace(b"\n", b"\r\n"))
    head = f'Content-Type: text/{subtype}; charset="utf-8"\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n'
    return head.encode() + octets.replace(b"\n", b"\r\n")


def _alternatives(*parts: bytes) -> bytes:
    """Return the parts as alternatives, the best one last (RFC 2046, 5.1.4)."""
    boundary = f"=_{token_hex(16)}"  # `=_` is in no encoded body, and nobody guesses the rest
    lines = b"".join(b"--%b\r\n%b\r\n" % (boundary.encode(), part) for part in parts)
    head = f'Content-Type: multipart/alternative;\r\n boundary="{boundary}"\r\n\r\n'
    return head.encode() + lines + f"--{boundary}--\r\n".encode()


def _transfer_encoding(text: str) -> str:
    """Choose the transfer encoding that keeps the body readable and short."""
    if not _UNFIT_FOR_7BIT.search(text) and max(map(len, text.split("\n"))) <= LINE:
        return "7bit"
    octets = len(text.encode())
    mostly_ascii = octets - len(text) < octets / 6  # quoted-printable triples what is not ASCII, base64 adds a third
    return "quoted-printable" if mostly_ascii else "base64"


def _mailbox(address: str, name: str | None) -> str:
    """An address for a header, with the name beside it (RFC 5322, 3.4); ValueError when either could break out."""
    wire = wire_address(address)[0]
    if not name:
        return wire
    if NOT_IN_A_LINE.search(name):
        msg = "a sender's name is one line without control characters"
        raise ValueError(msg)
    text = _encodable(name)
    if text.isascii() and len(text) < LINE // 2 and "=?" not in text:
        phrase = '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
    else:
        phrase = _encoded_words(text)
    return f"{phrase}\r\n <{wire}>"


def _reply_to(address: str | None) -> str:
    return f"Reply-To: {wire_address(address)[0]}\r\n" if address else ""


def _header_text(text: str) -> str:
    """Return the text for a header: short plain text as it is, all else as encoded words (RFC 2047).

    EmailMessage would decode what already looks like an encoded word, and can lose spaces when it folds.
    """
    if text.isascii() and text == text.strip() and "=?" not in text and len("Subject: " + text) <= LINE:
        return text
    return _encoded_words(text)


def _encoded_words(text: str) -> str:
    """The text as encoded words (RFC 2047), of which each has whole characters."""
    chunks = [""]
    for character in text:
        if len((chunks[-1] + character).encode()) > SUBJECT_CHUNK:
            chunks.append("")
        chunks[-1] += character
    return "\r\n ".join(f"=?utf-8?B?{b64encode(chunk.encode()).decode()}?=" for chunk in chunks)
