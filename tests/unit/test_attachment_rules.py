"""The rules for attachments (contract 4.5), by the paths that the contract gives their errors."""

from __future__ import annotations

from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Invalid
from engine.models import OrderKind
from engine.orders.any_channel import parse_any_channel
from engine.orders.attachment_request import MIME_TYPES
from engine.orders.attachment_rules import is_allowed
from engine.orders.chain_rules import parse_chain, parse_composed, parse_instant
from engine.orders.rules import Limits, parse_order
from engine.outbound import Guard

NOW = datetime(2026, 8, 1, 8, tzinfo=UTC)
LIMITS = Limits(
    3, Guard(allow_private=False), "noreply@example.no", bulk_above=5, attachment_bytes=10,
    attachment_hosts=("*.blob.core.windows.net", "files.example.no"),
)  # fmt: skip
FILE = {"filename": "vedtak.pdf", "mimeType": "application/pdf", "content": "SGVp"}
BLOB = "https://ttd.blob.core.windows.net/a/vedtak.pdf?sv=2024-11-04&{}"
SIGNED = "se=2026-08-01T08:15:00Z&sr=b&sp=r&sig=c2VjcmV0"
AT = "Recipient.Settings.Attachments"


def composed(*files: object, html: bool = False, **members: object) -> dict[str, Any]:
    settings = {"subject": "Hei", "body": "Hei", "contentType": "Html" if html else "Plain", "attachments": files}
    return {
        "idempotencyId": "1",
        "recipient": {"emailAddress": "kari@example.no", "emailSettings": settings | {"attachments": list(files)}},
    } | members


def refused(*files: object, **members: Any) -> set[str]:
    with pytest.raises(Invalid) as caught:
        parse_composed(composed(*files, **members), LIMITS, NOW)
    assert "c2VjcmV0" not in str(caught.value)
    return set(caught.value.errors)


def file(**members: object) -> dict[str, object]:
    return {name: value for name, value in (FILE | members).items() if value is not None}


def blob(query: str = SIGNED) -> dict[str, object]:
    return file(content=None, sasUrl=BLOB.format(query))


def test_an_attachment_has_its_content_or_an_address() -> None:
    chain = parse_composed(composed(FILE, blob()), LIMITS, NOW)
    assert chain.kind is OrderKind.COMPOSED
    inline, fetched = chain.orders[0].attachments
    assert (inline.content, inline.address) == (b"Hei", None)
    assert (fetched.content, fetched.address) == (None, BLOB.format(SIGNED))
    assert "c2VjcmV0" not in repr(chain)


@pytest.mark.parametrize(
    ("given", "place"),
    [
        (None, "[0]"),
        (file(content=None), "[0]"),
        (file(sasUrl=BLOB.format(SIGNED)), "[0]"),
        (file(filename=" "), "[0].Filename"),
        (file(filename="vedtak"), "[0].Filename"),
        (file(filename="vedtak."), "[0].Filename"),
        (file(filename="a/b.pdf"), "[0].Filename"),
        (file(filename="a\\b.pdf"), "[0].Filename"),
        (file(filename="a\r\nBcc: x@example.no.pdf"), "[0].Filename"),
        (file(filename="fdp.\u202eexe"), "[0].Filename"),
        (file(filename="fdp.\u061cexe"), "[0].Filename"),
        (file(filename="a\u200b.pdf"), "[0].Filename"),
        (file(filename="æ" * 126 + ".pdf"), "[0].Filename"),
        (file(mimeType="application/x-msdownload"), "[0].MimeType"),
        (file(mimeType="application/pdf\r\nX: y"), "[0].MimeType"),
        (file(contentId="logo"), "[0].ContentId"),
        (file(mimeType="image/png", contentId="a>b"), "[0].ContentId"),
        (blob(""), "[0].SasUrl"),
        (blob(SIGNED.replace("sr=b", "sr=c")), "[0].SasUrl"),
        (blob(SIGNED.replace("sp=r", "sp=w")), "[0].SasUrl"),
        (blob(SIGNED.replace("sig=c2VjcmV0", "sig=")), "[0].SasUrl"),
        (blob(SIGNED + "&sig=again"), "[0].SasUrl"),
        (blob(SIGNED.replace("2026-08-01T08:15:00Z", "soon")), "[0].SasUrl"),
        (blob(SIGNED.replace("08:15:00Z", "08:14:59Z")), "[0]"),
        (file(content=None, sasUrl="http://files.example.no/a.pdf"), "[0].SasUrl"),
        (file(content=None, sasUrl="https://c2VjcmV0@files.example.no/a.pdf"), "[0].SasUrl"),
        (file(content=None, sasUrl="https://files.example.no:22/a.pdf"), "[0].SasUrl"),
        (file(content=None, sasUrl="https://other.example.no/a.pdf?c2VjcmV0"), "[0].SasUrl"),
        (file(content=None, sasUrl="a.pdf?c2VjcmV0"), "[0].SasUrl"),
        (file(content=None, sasUrl="https://files..example.no/a.pdf"), "[0].SasUrl"),
        (file(content=None, sasUrl=f"https://{'a' * 64}.example.no/a.pdf"), "[0].SasUrl"),
        (file(content=None, sasUrl="https://files.example.no/" + "a" * 2_000), "[0].SasUrl"),
    ],
)
def test_what_breaks_a_rule_is_told_at_its_place(given: object, place: str) -> None:
    assert refused(given) == {AT + place}


def test_the_last_send_times_are_refused_like_others_that_are_too_late() -> None:
    settings = {"subject": "Hei", "body": "Hei", "attachments": [blob(SIGNED)]}
    recipient = {"emailAddress": "kari@example.no", "emailSettings": settings}
    late = {"idempotencyId": "late", "requestedSendTime": "9999-12-31T23:59:59Z", "recipient": recipient}
    with pytest.raises(Invalid) as refusal:
        parse_composed(late, LIMITS, NOW)
    assert "RequestedSendTime" in refusal.value.errors


def test_few_recipients_leave_room_for_many_attachments() -> None:
    order = {"subject": "Hei", "body": "Hei", "recipients": [{"emailAddress": "kari@example.no"}]}
    files = [file(content="")] * 10
    assert len(parse_order(order | {"attachments": files}, LIMITS, NOW).attachments) == 10
    with pytest.raises(Invalid):
        parse_order(order | {"attachments": files * 2}, LIMITS, NOW)


def test_the_number_and_the_sum_of_the_sizes_are_bounded() -> None:
    assert refused(*[FILE] * 4) == {AT}  # 12 bytes
    assert refused(*[file(content="")] * 11) == {AT}
    assert len(parse_composed(composed(*[file(content="")] * 10), LIMITS, NOW).orders[0].attachments) == 10


@pytest.mark.parametrize("content", ["SGVp\n", "SGV", "SGV=p", "SGVpSA", "SGVpSB==", "SGV-", "æ", " ", 7])
def test_content_is_base64_and_nothing_else(content: object) -> None:
    assert refused(file(content=content)) == {"$.recipient.emailSettings.attachments[0].content", "orderRequest"}


@given(st.binary(max_size=10))
def test_all_bytes_can_be_sent(content: bytes) -> None:
    chain = parse_composed(composed(file(content=b64encode(content).decode())), LIMITS, NOW)
    assert chain.orders[0].attachments[0].content == content


def test_images_of_an_html_text_have_names_of_their_own() -> None:
    image = file(mimeType="IMAGE/PNG", filename="a.png", contentId="logo@example.no", content="SA==")
    made = parse_composed(composed(image, html=True), LIMITS, NOW).orders[0].attachments[0]
    assert (made.content_id, made.mime_type) == ("logo@example.no", "image/png")
    assert refused(image, image, html=True) == {f"{AT}[1].ContentId"}
    assert refused(image) == {f"{AT}[0].ContentId"}


def test_a_signature_lasts_until_after_the_send_time() -> None:
    later = (NOW + timedelta(minutes=1)).isoformat()
    assert refused(blob(), requestedSendTime=later) == {f"{AT}[0]"}
    other = file(content=None, sasUrl="https://FILES.example.no/a.pdf?X-Amz-Signature=c2VjcmV0")
    assert parse_composed(composed(other, requestedSendTime=later), LIMITS, NOW)


def test_a_composed_order_has_the_rules_of_its_generation() -> None:
    assert refused(requestedSendTime="2026-08-01T07:59:59Z") == {"RequestedSendTime"}
    assert refused(idempotencyId=" ") == {"IdempotencyId"}
    given = composed()
    given["recipient"]["emailAddress"] = "kari"
    given["recipient"]["emailSettings"]["subject"] = " "
    with pytest.raises(Invalid) as caught:
        parse_composed(given, LIMITS, NOW)
    assert set(caught.value.errors) == {"Recipient.EmailAddress", "Recipient.Settings.Subject"}


def test_every_way_to_order_takes_attachments_and_tells_of_them_at_its_own_place() -> None:
    good, bad = [FILE], [file(filename="a")]
    text = {"subject": "Hei", "body": "Hei"}
    kari = {"emailAddress": "kari@example.no"}

    def chain(first: object, second: object) -> dict[str, Any]:
        to = [{"recipientEmail": kari | {"emailSettings": text | {"attachments": each}}} for each in (first, second)]
        return {"idempotencyId": "1", "recipient": to[0], "reminders": [{"delayDays": 1, "recipient": to[1]}]}

    number = {"nationalIdentityNumber": "01017512345", "channelSchema": "Email"}
    person = {
        "idempotencyId": "1",
        "recipient": {"recipientPerson": number | {"emailSettings": text | {"attachments": bad}}},
    }
    instant = {"idempotencyId": "1", "recipientEmail": kari | {"emailSettings": text | {"attachments": bad}}}
    v1 = text | {"recipients": [kari], "attachments": bad}
    any_channel = {"notificationChannel": "Email", "recipients": [kari], "emailTemplate": text | {"attachments": bad}}
    for parse, posted, place in (
        (parse_chain, chain(bad, good), "Recipient.RecipientEmail.Settings"),
        (parse_chain, chain(good, bad), "Reminders[0].Recipient.RecipientEmail.Settings"),
        (parse_chain, person, "Recipient.RecipientPerson.EmailSettings"),
        (parse_instant, instant, "RecipientEmail.EmailSettings"),
        (parse_order, v1, ""),
        (parse_any_channel, any_channel, "EmailTemplate"),
    ):
        with pytest.raises(Invalid) as caught:
            parse(posted, LIMITS, NOW)
        assert set(caught.value.errors) == {".".join(filter(None, (place, "Attachments[0].Filename")))}
    first, reminder = parse_chain(chain(good, good), LIMITS, NOW).orders
    assert first.attachments == reminder.attachments != ()
    assert parse_order(v1 | {"attachments": good}, LIMITS, NOW).attachments == first.attachments


@pytest.mark.parametrize(
    "host", ["blob.core.windows.net", "evilblob.core.windows.net", "a.blob.core.windows.net.no", "a.files.example.no"]
)
def test_a_host_is_not_allowed_for_its_likeness(host: str) -> None:
    assert not is_allowed(host, LIMITS.attachment_hosts)


@pytest.mark.parametrize("host", ["a.blob.core.windows.net", "a.b.blob.core.windows.net", "files.example.no"])
def test_a_host_is_allowed_by_its_name_or_its_end(host: str) -> None:
    assert is_allowed(host, LIMITS.attachment_hosts)


def test_media_types_are_those_that_the_contract_lists() -> None:
    assert len(MIME_TYPES) == 60
    assert (
        MIME_TYPES["application/vnd.ms-excel.sheet.macroenabled.12"] == "application/vnd.ms-excel.sheet.macroEnabled.12"
    )
