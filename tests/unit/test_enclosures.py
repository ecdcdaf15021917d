"""Attachments in messages, read back with Python's own e-mail parser."""

from __future__ import annotations

import asyncio
import email
from dataclasses import replace
from datetime import UTC, datetime
from email.policy import default
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.db.records import Attachment, Email, Letter
from engine.email.enclosures import BLOCK, Enclosures, enclose, shown
from engine.email.messages import Message, Messages
from engine.email.mime import compile_message
from engine.email.smtp.envelope import Envelope
from engine.errors import Unavailable
from engine.models import Content, ContentType

if TYPE_CHECKING:
    from collections.abc import Sequence
    from email.message import EmailMessage

SENDER, KARI = "noreply@varsel.example", "kari@example.no"
PDF = Attachment("vedtak.pdf", "application/pdf", None, b"%PDF-1.7 \x00\xff")
LOGO = Attachment("logo.png", "image/png", "logo@example.no", b"\x89PNG\r\n")

names = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"], exclude_characters="/\\"), min_size=1)


def written(*attachments: Attachment, html: bool = False) -> bytes:
    content = Content(SENDER, "Hei", "<p>Hei</p>", ContentType.HTML if html else ContentType.PLAIN)
    around = enclose(attachments) if attachments else Enclosures(b"", b"")
    date = datetime(2026, 8, 1, tzinfo=UTC)
    return compile_message(content).fill(to=KARI, message_id="<1@a>", date=date, enclosing=around.head) + around.tail


def parsed(message: bytes) -> EmailMessage:
    found = email.message_from_bytes(message, policy=default)
    assert [defect for part in found.walk() for defect in part.defects] == []
    return found


@pytest.mark.parametrize(
    ("content", "charset"), [("Blåbær".encode(), "utf-8"), ("Blåbær".encode("latin-1"), None)], ids=["utf-8", "another"]
)
def test_a_text_says_its_charset_where_that_is_known(content: bytes, charset: str | None) -> None:
    [part] = parsed(written(Attachment("a.txt", "text/plain", None, content))).iter_attachments()
    assert part.get_content_charset() == charset
    assert part.get_payload(decode=True) == content


def test_a_page_shows_the_images_that_there_are() -> None:
    html = '<img src="cid:logo@example.no"><img src="CID:other">'
    assert shown(html, [PDF, LOGO]) == '<img src="data:image/png;base64,iVBORw0K"><img src="CID:other">'
    assert shown(html, []) == html


@given(names, st.binary(max_size=300))
def test_a_name_and_its_bytes_arrive_as_they_were(name: str, content: bytes) -> None:
    name = f"{name}.pdf".strip()  # as the rules leave it
    message = written(Attachment(name, "application/pdf", None, content))

    [part] = parsed(message).iter_attachments()
    assert part.get_filename() == name
    assert part.get_content_type() == "application/pdf"
    assert part.get_payload(decode=True) == content
    assert all(len(line) <= 78 for line in message.split(b"\r\n"))
    assert message.count(b"\n") == message.count(b"\r") == message.count(b"\r\n")


@pytest.mark.parametrize("size", [0, 1, 56, 57, 58, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
def test_content_of_any_size_is_encoded_in_whole_lines(size: int) -> None:
    content = bytes(place % 251 for place in range(size))
    [part] = parsed(written(Attachment("a.bin", "application/zip", None, content))).iter_attachments()
    assert part.get_payload(decode=True) == content


def test_a_text_comes_before_its_files() -> None:
    message = parsed(written(PDF, PDF))

    assert message.get_content_type() == "multipart/mixed"
    assert [part.get_content_type() for part in message.iter_parts()] == ["text/plain", *["application/pdf"] * 2]
    body = message.get_body(("plain",))
    assert body is not None
    assert body.get_content().strip() == "<p>Hei</p>"


def test_images_of_the_html_stand_beside_it_and_files_around_both() -> None:
    message = parsed(written(PDF, LOGO, html=True))

    related, file = message.iter_parts()
    assert (related.get_content_type(), related.get_param("type")) == ("multipart/related", "multipart/alternative")
    alternative, image = related.iter_parts()
    assert [part.get_content_type() for part in alternative.iter_parts()] == ["text/plain", "text/html"]
    assert image["Content-ID"] == "<logo@example.no>"
    assert image.get_content_disposition() == "inline"
    assert image.get_payload(decode=True) == LOGO.content
    assert file.get_filename() == "vedtak.pdf"


def test_a_message_with_images_alone_is_related() -> None:
    assert parsed(written(LOGO, html=True)).get_content_type() == "multipart/related"


@given(st.binary(max_size=2_000))
def test_what_is_shared_needs_no_dots_on_the_wire(content: bytes) -> None:
    around = enclose([Attachment("a.b", "text/csv", None, content), LOGO])
    assert b"\r\n." not in around.tail
    assert around.tail.endswith(b"\r\n")
    own = b"Subject: Hei\r\n\r\n.Hei\r\n"
    apart, whole = Envelope.of(SENDER, KARI, own, around.tail), Envelope.of(SENDER, KARI, own + around.tail)
    assert (apart.data + apart.shared + b".\r\n", apart.size) == (whole.data, whole.size)


@pytest.mark.parametrize(
    "name", ["a\r\nBcc: eve@example.no\r\n.pdf", 'a"; x="b.pdf', "a\\.pdf", "=?utf-8?q?a?=.pdf", "a\0.pdf"]
)
def test_no_name_ends_its_header(name: str) -> None:
    message = written(Attachment(name, "application/pdf", None, b""))
    [part] = parsed(message).iter_attachments()
    assert part.get_filename() == name
    assert part.keys() == ["Content-Type", "Content-Transfer-Encoding", "Content-Disposition"]
    assert "Bcc" not in parsed(message)


def letter(**values: Any) -> Letter:
    at_any_time = (datetime(2026, 8, 1, tzinfo=UTC), None, None, None, None)
    its = Letter(
        *at_any_time, 1, uuid4(), "ttd", SENDER, "Hei", "Hei", "Plain", "AtLeastOnce", None, 1, None, None, None
    )
    return replace(its, **values)


def mail(to: str) -> Email:
    at = datetime(2026, 8, 1, tzinfo=UTC)
    return Email(1, uuid4(), 1, at, at, 1, 1, 0, 1, None, "ttd", to, None, None, None, None, None, None)


class Files:
    """Reads what a test gives an order, and counts how often."""

    def __init__(self, content: bytes = b"Hei") -> None:
        self.content = content
        self.read = 0

    async def __call__(self, _order_seq: int) -> Sequence[Attachment]:
        self.read += 1
        return [Attachment("a.txt", "text/plain", None, self.content)]


def made(messages: Messages, *orders: Letter) -> list[Message]:
    """Messages of these orders at once."""

    async def run() -> list[Message]:
        date = datetime(2026, 8, 1, tzinfo=UTC)
        return await asyncio.gather(*(messages.made(mail(KARI), order, date) for order in orders))

    return asyncio.run(run())


def test_attachments_are_read_and_encoded_once_for_all_recipients_of_an_order() -> None:
    files, order = Files(), letter()
    found = made(Messages(files), *[order] * 5)
    assert files.read == 1
    assert len({id(message.shared) for message in found}) == 1
    [part] = parsed(found[0].own + found[0].shared).iter_attachments()
    assert part.get_payload(decode=True) == b"Hei"


def test_encoded_attachments_are_kept_up_to_a_number_of_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.email.messages.ENCLOSED", 4_000)
    files, orders = Files(bytes(1_000)), [letter(seq=7) for _ in range(3)]  # after a restore, numbers come again
    reads = []

    async def run() -> None:
        messages = Messages(files)
        for order in (*orders, orders[2], orders[1], orders[0]):
            await messages.made(mail(KARI), order, datetime(2026, 8, 1, tzinfo=UTC))
            reads.append(files.read)

    asyncio.run(run())
    assert reads == [1, 2, 3, 3, 3, 4]
    large = Messages(Files(bytes(10_000)))
    assert len({id(message.shared) for message in made(large, *[orders[0]] * 3)}) == 1


def test_a_message_waits_for_attachments_that_cannot_be_read_now() -> None:
    async def away(_order_seq: int) -> Sequence[Attachment]:
        raise Unavailable("the database")

    with pytest.raises(RuntimeError, match="cannot be read now"):
        made(Messages(away), letter())
    assert made(Messages(away), letter(attachments=0))[0].shared == b""
