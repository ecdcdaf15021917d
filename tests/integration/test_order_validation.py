"""Invalid orders over HTTP, on both databases: each mistake has its answer."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest

from engine.text.keywords import MOST
from tests.servers.installation import API, Installation, at, order

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

ORDERS = f"{API}/orders/email"
ASTRAL = "\U0001f600"
REQUIRED = {"emailNotificationOrderRequest"}  # the key that stands beside each JSON path (contract 4.1)


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client() as client:
        yield client


def errors(client: httpx.Client, posted: Any) -> dict[str, list[str]]:
    answer = client.post(ORDERS, json=posted) if not isinstance(posted, bytes) else raw(client, posted)
    assert answer.status_code == 400, answer.text
    problem = answer.json()
    assert problem["type"] == "https://tools.ietf.org/html/rfc9110#section-15.5.1"
    assert problem["title"] == "One or more validation errors occurred."
    assert problem["status"] == 400
    assert problem["traceId"].startswith("00-")
    found: dict[str, list[str]] = problem["errors"]
    return found


def raw(client: httpx.Client, body: bytes, media: str = "application/json") -> httpx.Response:
    return client.post(ORDERS, content=body, headers={"Content-Type": media})


def test_what_is_missing_is_told_alone(client: httpx.Client) -> None:
    assert list(errors(client, {"subject": " ", "body": "", "recipients": []})) == ["Subject", "Body"]
    assert list(errors(client, order() | {"recipients": None})) == ["Recipients"]


def test_broken_rules_are_told_all_together(client: httpx.Client) -> None:
    posted = order(requestedSendTime="2024-01-01T10:00:00", resourceAction="read") | {"recipients": []}
    found = errors(client, posted)
    assert set(found) == {"RequestedSendTime", "ResourceAction", "Recipients"}
    assert len(found["RequestedSendTime"]) == 2


C0, DEL, C1 = map(chr, range(0x20)), "\x7f", map(chr, range(0x80, 0xA0))
CONTROL = "".join((*C0, DEL, *C1, "\u2028\u2029"))
WHITE_SPACE = "\t\n\v\f\r\x85\u2028\u2029"  # taken off where it stands around an address
LINE_ENDS = "\r\n"  # in a subject, the contract turns them into spaces


def test_no_control_character_comes_into_a_header(client: httpx.Client) -> None:
    for character in CONTROL:
        text = f"a{character}b"
        found = set(errors(client, order(subject=text, sendersReference=text, resourceId=text, resourceAction=text)))
        expected = {"SendersReference", "ResourceId", "ResourceAction"}
        assert found == (expected if character in LINE_ENDS else expected | {"Subject"}), repr(character)


def test_no_control_character_comes_into_an_envelope(client: httpx.Client) -> None:
    inside = [place for c in CONTROL for place in (f"a{c}b@example.no", f"a@ex{c}ample.no")]
    around = [place for c in CONTROL if c not in WHITE_SPACE for place in (f"{c}a@b.no", f"a@b.no{c}")]
    everywhere = inside + around
    found = errors(client, order(*everywhere))
    assert set(found) == {f"Recipients[{place}].EmailAddress" for place in range(len(everywhere))}


def test_what_pasting_leaves_around_an_address_is_not_kept(client: httpx.Client) -> None:
    padded = [f"{c}a@b.no{c}" for c in (*WHITE_SPACE, "\u00a0", "\u200b", "\u200e", "\ufeff")]
    placed = client.post(ORDERS, json=order(*padded)).json()
    kept = client.get(f"{ORDERS.removesuffix('/email')}/{placed['orderId']}").json()["recipients"]
    assert [recipient["emailAddress"] for recipient in kept] == ["a@b.no"] * len(padded)


def test_of_control_characters_a_body_may_have_tabs_and_line_ends(client: httpx.Client) -> None:
    for character in [*map(chr, range(0x20)), "\x7f"]:
        posted = order(body=f"a{character}b")
        if character in "\t\r\n":
            assert client.post(ORDERS, json=posted).status_code == 202
        else:
            assert list(errors(client, posted)) == ["Body"], repr(character)


@pytest.mark.parametrize(
    ("recipient", "field"),
    [
        ({}, "Recipients[0]"),
        ({"mobileNumber": "+4799999999"}, "Recipients[0]"),
        ({"emailAddress": "a@b"}, "Recipients[0].EmailAddress"),
        ({"emailAddress": "kari@æø--x.no"}, "Recipients[0].EmailAddress"),
        ({"emailAddress": f"kari@{'æ' * 62}.no"}, "Recipients[0].EmailAddress"),
        ({"emailAddress": "ka\u200bri@example.no"}, "Recipients[0].EmailAddress"),
        ({"emailAddress": "a@example.no\r\nRCPT TO:<b@example.no>"}, "Recipients[0].EmailAddress"),
        ({"emailAddress": "a@example.no,b@example.no"}, "Recipients[0].EmailAddress"),
        ({"nationalIdentityNumber": "1606941234"}, "Recipients[0].NationalIdentityNumber"),
        ({"nationalIdentityNumber": "16069412345", "emailAddress": "a@b.no"}, "Recipients[0]"),
        ({"organizationNumber": "91015080x"}, "Recipients[0].OrganizationNumber"),
        ({"organizationNumber": "910150804", "mobileNumber": "1"}, "Recipients[0]"),
        ({"organizationNumber": "910150804", "nationalIdentityNumber": "16069412345"}, "Recipients[0]"),
    ],
)
def test_a_bad_recipient_is_told_by_its_place(client: httpx.Client, recipient: dict[str, str], field: str) -> None:
    assert list(errors(client, order() | {"recipients": [recipient]})) == [field]


@pytest.mark.parametrize("padded", ["\tkari@example.no", "kari@example.no\n", " \r\n kari@example.no \t"])
def test_what_stands_around_an_address_is_trimmed(client: httpx.Client, padded: str) -> None:
    receipt = client.post(ORDERS, json=order(padded)).raise_for_status().json()
    [recipient] = client.get(f"{API}/orders/{receipt['orderId']}").json()["recipients"]
    assert recipient == {"emailAddress": "kari@example.no"}


@pytest.mark.parametrize(
    ("member", "value", "key"),
    [
        ("subject", 5, "$.subject"),
        ("recipients", "kari@example.no", "$.recipients"),
        ("recipients", [{"emailAddress": 5}], "$.recipients[0].emailAddress"),
        ("requestedSendTime", "tomorrow", "$.requestedSendTime"),
        ("requestedSendTime", None, "$.requestedSendTime"),
        ("requestedSendTime", "9999-12-31T23:59:59-23:59", "$.requestedSendTime"),
        ("contentType", "Markdown", "$.contentType"),
        ("contentType", 7, "$.contentType"),
        ("ignoreReservation", "yes", "$.ignoreReservation"),
    ],
)
def test_a_wrong_type_is_told_by_its_json_path(client: httpx.Client, member: str, value: Any, key: str) -> None:
    assert set(errors(client, order() | {member: value})) == {key, "emailNotificationOrderRequest"}


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b'{"subject":"a",}', b"\xff\xfe", b'{"subject":"\\ud800","body":"b"}', b"[" * 100_000, b"null"],
)
def test_what_is_no_json_object_is_refused(client: httpx.Client, body: bytes) -> None:
    assert any(key.startswith("$") for key in errors(client, body))


def test_limits_are_told(client: httpx.Client) -> None:
    assert "Subject" in errors(client, order(subject="x" * 999))
    assert "Recipients" in errors(client, order(*["a@example.no"] * 10_001))
    assert "SendersReference" in errors(client, order(sendersReference="x" * 501))
    assert "Body" in errors(client, order(subject="$recipientName$", body="$recipientNumber$" * MOST))
    assert raw(client, b" " * 21_981_017).status_code == 413
    chunked = client.post(
        ORDERS, content=(b" " * 1_000_000 for _ in range(22)), headers={"Content-Type": "application/json"}
    )
    assert chunked.status_code == 413
    assert raw(client, b"{}", "text/plain").status_code == 415


@pytest.mark.parametrize(
    "url", ["ftp://example.com", "http://invalid-url", "https://foobar", "urn:x", "/x", "https://u:p@example.com/"]
)
def test_a_condition_endpoint_must_be_a_public_web_address(client: httpx.Client, url: str) -> None:
    assert list(errors(client, order(conditionEndpoint=url))) == ["ConditionEndpoint"]


def test_a_send_time_may_be_five_minutes_old_and_has_any_zone(client: httpx.Client) -> None:
    for hours in (-9, 0, 14):
        now = datetime.now(timezone(timedelta(hours=hours)))
        recent, old = (order(requestedSendTime=(now - timedelta(minutes=ago)).isoformat()) for ago in (4, 6))
        assert client.post(ORDERS, json=recent).status_code == 202
        assert list(errors(client, old)) == ["RequestedSendTime"]


@pytest.mark.parametrize(
    ("body", "key"),
    [
        (b'{"subject": "a" "body": "b"}', "$"),
        (b'{"subject": "a"} {}', "$"),
        (b"{'subject': 'a'}", "$"),
        (b'{"subject": "a" /* no */}', "$"),
        (b'{"subject": NaN}', "$"),
        (b'{"subject": "a\x00"}', "$"),
        (b'{"subject": "a\nb"}', "$"),
        (b'{"a": ' * 5_000 + b"1" + b"}" * 5_000, "$"),
        (b'{"x": ' + b"1" * 5_000 + b"}", "$"),
        (b'{"subject": "\\udc00"}', "$"),
        (json.dumps(order()).encode("utf-16"), "$"),
    ],
    ids=lambda value: repr(value[:30]),
)
def test_what_is_no_json_is_told_at_the_root(client: httpx.Client, body: bytes, key: str) -> None:
    for headers in ({}, {"Idempotency-Key": "broken"}):
        answer = client.post(ORDERS, content=body, headers={"Content-Type": "application/json"} | headers)
        assert answer.status_code == 400
        assert set(answer.json()["errors"]) == {key} | REQUIRED


def test_an_instant_order_is_for_a_few_who_wait(client: httpx.Client) -> None:
    many = [f"kari.{n}@example.no" for n in range(101)]
    said = errors(client, order(*many, priority="instant"))
    assert said == {"Priority": ["An instant order has at most 100 recipients; send it as Normal."]}
    assert list(errors(client, order(priority="Urgent"))) == ["$.priority", *REQUIRED]


@pytest.mark.parametrize(("given", "shown"), [(None, "Normal"), ("bulk", "Bulk"), ("INSTANT", "Instant"), (2, "Bulk")])
def test_a_priority_is_read_in_any_case(client: httpx.Client, given: object, shown: str) -> None:
    order_id = client.post(ORDERS, json=order(priority=given)).json()["orderId"]
    assert client.get(f"{API}/orders/{order_id}").json()["priority"] == shown


def test_strange_but_harmless_json_is_an_order(client: httpx.Client) -> None:
    deep: Any = []
    for _ in range(100):
        deep = [deep]
    harmless: list[Any] = [
        order(extra=deep),
        order(extra=10**4_000),  # jiter's bound, and Python's for writing integers, lie at 4,300 digits
        order(extra=1e300) | {"": None, "\U0001f600": "astral"},
        order(conditionEndpoint=None, ignoreReservation=None, sendersReference=None, resourceId=None),
        order(contentType=None, deliveryGuarantee="atmostonce"),
        order(sendersReference="   ", resourceAction=""),
    ]
    for number, posted in enumerate(harmless):
        key = {"Idempotency-Key": f"harmless-{number}"}
        assert client.post(ORDERS, json=posted, headers=key).status_code == 202
    assert raw(client, json.dumps(order())[:-1].encode() + b', "extra": 1e999}').status_code == 400, "no double has it"


def test_of_a_doubled_member_the_last_counts(client: httpx.Client) -> None:
    text = json.dumps(order())[:-1]
    for last in ('"subject": "last"', '"SUBJECT": "last"'):
        order_id = raw(client, f"{text}, {last}}}".encode()).json()["orderId"]
        assert client.get(f"{API}/orders/{order_id}").json()["emailTemplate"]["subject"] == "last"
    assert "$.subject" in errors(client, f'{text}, "Subject": 5}}'.encode())


@pytest.mark.parametrize(
    ("media", "status"),
    [
        ("application/json", 202),
        ("Application/JSON; charset=utf-8", 202),
        ("text/json", 415),
        ("application/jsonp", 415),
        ("application/problem+json", 202),
        ("application/vnd.order+JSON;charset=utf-8", 202),
        ("application/x-www-form-urlencoded", 415),
        ("", 415),
    ],
)
def test_the_media_type_is_json(client: httpx.Client, media: str, status: int) -> None:
    assert raw(client, json.dumps(order()).encode(), media).status_code == status


def test_the_most_recipients_and_the_longest_texts_are_taken(client: httpx.Client) -> None:
    posted = order(
        *["a@example.no"] * 10_000,
        subject="å" * 998,
        sendersReference=ASTRAL * 500,
        requestedSendTime=at(timedelta(days=1)),
    )
    answer = client.post(ORDERS, json=posted)
    assert answer.status_code == 202
    found = client.get(answer.headers["location"]).json()
    assert (len(found["recipients"]), found["sendersReference"]) == (10_000, ASTRAL * 500)
