"""Attachments as parts of a message, encoded once for all recipients of an order.

They follow the text, so that what all recipients' messages share is one piece at the end. Images of the HTML come with
it in a multipart/related (RFC 2387), and are named by their Content-ID (RFC 2392); files are in a multipart/mixed.
"""

from __future__ import annotations

import re
from binascii import b2a_base64
from dataclasses import dataclass
from secrets import token_hex
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.db.records import Attachment

LINE = 76  # characters of base64 (RFC 2045, 6.8)
BLOCK = LINE // 4 * 3 * 1000  # bytes that are encoded at a time: whole lines
PIECE = 50  # characters of an encoded filename in one line
_CID = re.compile(r"cid:([A-Za-z0-9._+@-]{1,201})", re.IGNORECASE)
_PLAIN = re.compile(r"[!#-\[\]-~](?:[ !#-\[\]-~]{0,48}[!#-\[\]-~])?")  # a quoted string without a backslash


@dataclass(frozen=True, slots=True)
class Enclosures:
    """What stands before the text of a message with attachments, and what follows it."""

    head: bytes  # the headers of the multiparts, up to where the text's own begin
    tail: bytes  # the attachments; its lines do not begin with a dot


def enclose(attachments: Sequence[Attachment]) -> Enclosures:
    """Encode attachments; it takes 6 ms for each megabyte."""
    images = [each for each in attachments if each.content_id]
    files = [each for each in attachments if not each.content_id]
    head, tail = b"", list[bytes]()
    for kind, its in (('multipart/related; type="multipart/alternative"', images), ("multipart/mixed", files)):
        if its:
            boundary = f"=_{token_hex(16)}".encode()  # `=_` is in no base64, and nobody guesses the rest
            head = b'Content-Type: %b;\r\n boundary="%b"\r\n\r\n--%b\r\n%b' % (kind.encode(), boundary, boundary, head)
            tail += _parts(its, boundary)
    return Enclosures(head, b"".join(tail))


def shown(html: str, attachments: Sequence[Attachment]) -> str:
    """HTML with its images in it, for a page: each cid: address (RFC 2392) that is known becomes a data: address."""
    images = {each.content_id: each for each in attachments if each.content_id and each.content}

    def found(address: re.Match[str]) -> str:
        image = images.get(address[1])
        if image is None:
            return address[0]
        return f"data:{image.mime_type};base64,{b2a_base64(image.content or b'', newline=False).decode()}"

    return _CID.sub(found, html) if images else html


def _parts(attachments: Sequence[Attachment], boundary: bytes) -> Iterator[bytes]:
    for each in attachments:
        yield b"--%b\r\n%b" % (boundary, _headers(each).encode())
        yield from _base64(each.content or b"")
    yield b"--%b--\r\n" % boundary


def _headers(attachment: Attachment) -> str:
    name = attachment.content_id
    return (
        f"Content-Type: {attachment.mime_type}{_charset(attachment)}\r\n"
        "Content-Transfer-Encoding: base64\r\n"
        f"Content-Disposition: {'inline' if name else 'attachment'};\r\n {_filename(attachment.filename)}\r\n"
        + (f"Content-ID: <{name}>\r\n" if name else "")
        + "\r\n"
    )


def _charset(attachment: Attachment) -> str:
    """UTF-8 where a text is; a reader takes others for US-ASCII, or guesses (RFC 2046, 4.1.2)."""
    try:
        is_text = attachment.mime_type.startswith("text/") and bool((attachment.content or b"").decode())
    except UnicodeDecodeError:
        return ""
    return '; charset="utf-8"' if is_text else ""


def _filename(name: str) -> str:
    """The parameter that says it: a plain name as it is, all others percent-encoded in UTF-8 (RFC 2231, 3 and 4)."""
    if _PLAIN.fullmatch(name) and "=?" not in name:
        return f'filename="{name}"'
    pieces = ["utf-8''"]
    for character in name:
        escaped = quote(character, safe="")
        if len(pieces[-1] + escaped) > PIECE:
            pieces.append("")
        pieces[-1] += escaped
    if len(pieces) == 1:
        return f"filename*={pieces[0]}"
    return ";\r\n ".join(f"filename*{place}*={piece}" for place, piece in enumerate(pieces))


def _base64(content: bytes) -> Iterator[bytes]:
    """Lines of base64, in blocks: a copy of the whole for each step would take three times the memory."""
    for start in range(0, len(content), BLOCK):
        text = b2a_base64(content[start : start + BLOCK], newline=False)
        yield b"".join(text[place : place + LINE] + b"\r\n" for place in range(0, len(text), LINE))
