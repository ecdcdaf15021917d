"""Compiled messages, read back with Python's own e-mail parser."""

from __future__ import annotations

import email
import re
import uuid
from datetime import UTC, datetime, timedelta, timezone
from email.policy import default
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.email.mime import compile_message, message_id
from engine.email.plain_text import NO_TEXT
from engine.models import Content, ContentType
from engine.text.addresses import wire_address

if TYPE_CHECKING:
    from email.message import EmailMessage

SENDER = "noreply@varsel.example"
DATE = datetime(2026, 8, 1, 8, 0, 0, 123456, tzinfo=UTC)
ID = "<1@varsel.example>"
CONTROLS = [*map(chr, range(0x20)), *map(chr, range(0x7F, 0xA0)), "\u2028", "\u2029"]

texts = st.text(st.characters(exclude_categories=["Cs"]))
subjects = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]))


def raw(body: str = "Hei", *, subject: str = "Hei", html: bool = False, to: str = "kari@example.no") -> bytes:
    content = Content(SENDER, subject, body, ContentType.HTML if html else ContentType.PLAIN)
    return compile_message(content).fill(to=to, message_id=ID, date=DATE)


def parsed(message: bytes) -> EmailMessage:
    return email.message_from_bytes(message, policy=default)


def body_of(message: bytes, kind: str = "plain") -> str:
    part = parsed(message).get_body((kind,))
    assert part is not None
    return str(part.get_content())


def lines(text: str) -> list[str]:
    """The lines of a text, however they end; an empty last one does not count."""
    found = re.split("\r\n|\r|\n", text)
    return found[:-1] if found[-1] == "" else found


def fits_the_wire(message: bytes) -> bool:
    rows = message.split(b"\r\n")
    return rows[-1] == b"" and not any(b"\r" in row or b"\n" in row or len(row) > 998 for row in rows)


def test_the_headers_are_those_of_an_automatic_message() -> None:
    message = parsed(raw(subject="Melding fra oss", to="kari@example.no"))

    assert message["From"] == SENDER
    assert message["To"] == "kari@example.no"
    assert message["Subject"] == "Melding fra oss"
    assert message["Date"].datetime == DATE.replace(microsecond=0)
    assert message["Message-ID"] == ID
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["MIME-Version"] == "1.0"
    assert len(message.keys()) == len(set(message.keys()))
    assert message.defects == []


def test_a_plain_order_is_one_part_of_text() -> None:
    message = parsed(raw("Blåbærsyltetøy på brødet 🍞\n"))

    assert message.get_content_type() == "text/plain"
    assert message.get_content_charset() == "utf-8"
    assert message.get_content() == "Blåbærsyltetøy på brødet 🍞\r\n"


def test_an_html_order_carries_html_and_a_readable_text() -> None:
    html = '<h1>Ny melding</h1><p>Blåbær 🫐: se <a href="https://example.no/a?b=1&amp;c=2">saken</a>.</p>'
    message = raw(html, html=True)

    assert parsed(message).get_content_type() == "multipart/alternative"
    assert [part.get_content_type() for part in parsed(message).iter_parts()] == ["text/plain", "text/html"]
    assert body_of(message, "html").strip() == html
    text = body_of(message)
    assert "Ny melding" in text
    assert "Blåbær 🫐: se" in text
    assert "https://example.no/a?b=1&c=2" in text
    assert "<" not in text


def test_scripts_styles_comments_and_hidden_parts_are_not_in_the_text() -> None:
    html = (
        "<html><head><title>T1</title><style>p {color: red}</style></head><body><script>alert(1)</script>"
        '<!-- secret --><p style="Display : none">preheader</p><template>tpl</template><p>Seen</p></body></html>'
    )
    assert body_of(raw(html, html=True)).split() == ["Seen"]


def test_tables_are_read_row_by_row() -> None:
    html = "<table><tr><th>Frist</th><td>1. mai</td></tr><tr><th>Sak</th><td>42</td></tr></table>"
    assert [line.strip() for line in lines(body_of(raw(html, html=True)))] == ["Frist 1. mai", "Sak 42"]


@pytest.mark.parametrize("html", ["", " ", "<!-- -->", "<p></p>", "<", "<?xml version='1.0' encoding='utf-8'?><p></p>"])
def test_html_that_says_nothing_still_makes_a_whole_message(html: str) -> None:
    message = raw(html, html=True)

    assert body_of(message, "html").strip() == html.strip()
    assert body_of(message).strip() in ("", "<")


@pytest.mark.parametrize(
    "html",
    [
        pytest.param('<p style="margin-top:99999em">x</p>' * 1000, id="margins"),
        pytest.param("<table><tr><td>" + "x" * 10_000 + "</td></tr>" + "<tr><td>y" * 9_000, id="columns"),
        pytest.param("<div>" * 15_000 + "x", id="nesting"),
        pytest.param("<ol><li value='²'>x", id="numbers that are none"),
        pytest.param("<p style='" + "style:" * 5000 + "'>x</p>", id="styles in styles"),
        pytest.param("<b>x</b>" * 100_000, id="tags"),
    ],
)
def test_html_made_to_exhaust_a_worker_is_neither_slow_nor_large(html: str) -> None:
    message = raw(html, html=True)

    assert body_of(message, "html").strip() == html
    assert len(body_of(message)) <= max(len(html), len(NO_TEXT) + 1)


def test_a_line_of_ten_thousand_characters_arrives_whole() -> None:
    for body in ("x" * 10_000, "æ" * 10_000, "日" * 10_000, "x " * 5_000):
        message = raw(body)
        assert fits_the_wire(message)
        assert lines(body_of(message)) == [body]


def test_a_very_large_body_arrives_whole() -> None:
    body = "Blåbær og jordbær\n" * 20_000
    message = raw(body)

    assert fits_the_wire(message)
    assert lines(body_of(message)) == lines(body)


def test_every_kind_of_line_end_becomes_crlf_before_anything_else() -> None:
    message = raw("en\rto\nthree\r\n.\n.\r\n\r.\rfire")

    assert fits_the_wire(message)
    assert lines(body_of(message)) == ["en", "to", "three", ".", ".", "", ".", "fire"]


def test_what_looks_like_a_header_in_a_body_stays_in_the_body() -> None:
    message = parsed(raw("\r\n\r\nBcc: eve@example.no\r\n\r\nhei", subject="Bcc: eve@example.no"))

    assert "Bcc" not in message
    assert message["Subject"] == "Bcc: eve@example.no"


@pytest.mark.parametrize(
    "subject",
    [
        "Blåbærsyltetøy",
        "🍞" * 200,
        "ord " * 500,
        "x" * 2000,
        "مرحبا بالعالم",
        "\u202eמכתב",
        " innledende og  doble mellomrom ",
        "=?utf-8?q?=0D=0ABcc:_eve@example.no?=",
        "",
    ],
)
def test_a_subject_arrives_as_it_was(subject: str) -> None:
    message = raw(subject=subject)

    assert fits_the_wire(message)
    assert parsed(message)["Subject"] == subject
    assert all(len(line) <= 78 for line in message.partition(b"\r\n\r\n")[0].split(b"\r\n"))


@given(subjects)
def test_any_subject_without_control_characters_arrives_as_it_was(subject: str) -> None:
    message = raw(subject=subject)

    assert fits_the_wire(message)
    assert parsed(message)["Subject"] == subject
    assert list(parsed(message)) == list(parsed(raw()))


@given(texts)
def test_any_text_arrives_as_it_was_but_for_its_line_ends(body: str) -> None:
    message = raw(body)

    assert fits_the_wire(message)
    assert message.isascii()
    assert lines(body_of(message)) == (lines(body) or [""])


@given(texts)
def test_any_html_arrives_as_it_was_but_for_its_line_ends(body: str) -> None:
    message = raw(body, html=True)

    assert fits_the_wire(message)
    assert message.isascii()
    assert lines(body_of(message, "html")) == (lines(body) or [""])


@given(
    st.lists(st.sampled_from(["<p>", "</p>", "<td>", "<ul>", "<li value=9>", "<a href='x'>", "<pre>", "é", " ", "\n"]))
)
def test_any_soup_of_tags_has_a_text(tags: list[str]) -> None:
    assert fits_the_wire(raw("".join(tags), html=True))


def test_lone_surrogates_become_question_marks() -> None:
    message = raw("a\ud800b", subject="c\udfffd", html=True)

    assert parsed(message)["Subject"] == "c?d"
    assert body_of(message).strip() == body_of(message, "html").strip() == "a?b"


@pytest.mark.parametrize("control", CONTROLS)
def test_control_characters_are_refused_wherever_they_would_reach_a_header(control: str) -> None:
    compiled = compile_message(Content(SENDER, "Hei", "Hei", ContentType.PLAIN))
    for address in (
        f"kari{control}@example.no",
        f"kari@example{control}.no",
        f'"a{control}b"@x.no',
        f"k@x.no{control}",
    ):
        with pytest.raises(ValueError, match="address"):
            compiled.fill(to=address, message_id=ID, date=DATE)
        with pytest.raises(ValueError, match="address"):
            compile_message(Content(address, "Hei", "Hei", ContentType.PLAIN))
        with pytest.raises(ValueError, match="Message-ID"):
            compiled.fill(to="kari@example.no", message_id=f"<{address}>", date=DATE)
    for subject in (f"a{control}b", control, f"a{control}"):
        with pytest.raises(ValueError, match="subject"):
            compile_message(Content(SENDER, subject, "Hei", ContentType.PLAIN))


@pytest.mark.parametrize(
    "address",
    [
        "",
        "kari",
        "@example.no",
        "kari@",
        "kari@a@example.no",
        "kari nordmann@example.no",
        "kari@exam ple.no",
        "<kari@example.no>",
        "kari@example.no> SIZE=1",
        "kari@example.no,eve@example.no",
        "kari@-å-.no",
        "kari@xn--å.no",
        "kari@ex!ample.no",
        "k" * 310 + "@example.no",
        "kari\ud800@example.no",
    ],
)
def test_what_is_no_address_has_no_form_on_the_wire(address: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011  # also UnicodeEncodeError, from surrogates
        wire_address(address)


@pytest.mark.parametrize(
    ("address", "wire", "utf8"),
    [
        ("kari@example.no", "kari@example.no", False),
        ("Kari.Nordmann+x@Example.NO", "Kari.Nordmann+x@Example.NO", False),
        ('"kari nordmann"@example.no', '"kari nordmann"@example.no', False),
        ("kari@[127.0.0.1]", "kari@[127.0.0.1]", False),
        ("kari@blåbær.no", "kari@xn--blbr-roah.no", False),
        ("kari@BLÅBÆR.no", "kari@xn--blbr-roah.no", False),
        ("kåre@example.no", "kåre@example.no", True),
        ("kåre@blåbær.no", "kåre@xn--blbr-roah.no", True),
    ],
)
def test_an_address_goes_on_the_wire_with_an_ascii_domain(address: str, wire: str, utf8: bool) -> None:  # noqa: FBT001  # a table
    assert wire_address(address) == (wire, utf8)
    head = raw(to=address).partition(b"\r\n")[0]
    assert head == f"To: {wire}".encode()


def test_a_date_keeps_its_zone_and_needs_one() -> None:
    compiled = compile_message(Content(SENDER, "Hei", "Hei", ContentType.PLAIN))
    oslo = timezone(timedelta(hours=2))

    message = compiled.fill(to="kari@example.no", message_id=ID, date=datetime(2026, 8, 1, 10, tzinfo=oslo))
    assert parsed(message)["Date"].datetime == datetime(2026, 8, 1, 8, tzinfo=UTC)
    with pytest.raises(ValueError, match="zone"):
        compiled.fill(to="kari@example.no", message_id=ID, date=datetime(2026, 8, 1))  # noqa: DTZ001  # the mistake itself


def test_one_compiled_message_serves_many_recipients() -> None:
    compiled = compile_message(Content(SENDER, "Hei", "Hei", ContentType.PLAIN))
    first = compiled.fill(to="a@example.no", message_id="<1@x>", date=DATE)
    second = compiled.fill(to="b@example.no", message_id="<2@x>", date=DATE + timedelta(hours=1))

    assert (parsed(first)["To"], parsed(first)["Message-ID"]) == ("a@example.no", "<1@x>")
    assert (parsed(second)["To"], parsed(second)["Message-ID"]) == ("b@example.no", "<2@x>")
    assert parsed(second)["Date"].datetime - parsed(first)["Date"].datetime == timedelta(hours=1)


def test_the_message_id_is_the_same_at_every_attempt() -> None:
    email_id = uuid.UUID(int=1)

    assert message_id(email_id, SENDER) == message_id(email_id, SENDER) == f"<{email_id}@varsel.example>"
    assert message_id(email_id, "post@blåbær.no") == f"<{email_id}@xn--blbr-roah.no>"
