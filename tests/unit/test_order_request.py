"""Any JSON is either an order or a list of errors; hypothesis chooses the JSON."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime, timedelta, timezone
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Invalid
from engine.models import ContentType
from engine.orders.members import MOST_VALUES, parse_json
from engine.orders.request import PARAMETER
from engine.orders.rules import Limits, parse_order
from engine.outbound import Guard

if TYPE_CHECKING:
    from engine.orders.new_order import NewOrder

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIMITS = Limits(3, Guard(allow_private=False), "noreply@example.no", bulk_above=5)
MEMBERS = st.sampled_from(
    ["subject", "body", "contentType", "recipients", "sendersReference", "requestedSendTime", "conditionEndpoint",
     "ignoreReservation", "resourceId", "resourceAction", "deliveryGuarantee", "priority", "emailAddress",
     "organizationNumber"]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS | st.text(max_size=5), inner),
    max_leaves=20,
)
VALID = {"subject": "a", "body": "b", "recipients": [{"emailAddress": "kari@example.no"}]}
LINE = st.text(st.characters(exclude_categories=("C", "Zl", "Zp")), min_size=1, max_size=200).filter(str.strip)


def tried(value: dict[str, Any]) -> tuple[NewOrder | None, dict[str, list[str]]]:
    """The order, or its errors; any other exception fails the test."""
    try:
        return parse_order(value, LIMITS, NOW), {}
    except Invalid as refused:
        return None, refused.errors


@pytest.mark.slow
@given(st.dictionaries(MEMBERS | st.text(max_size=5), JSON))
def test_any_object_is_an_order_or_is_refused_with_reasons(value: dict[str, Any]) -> None:
    order, errors = tried(value)
    if order is None:
        assert errors
        assert all(field and texts for field, texts in errors.items())
    else:
        assert order.subject
        assert order.recipients


@given(MEMBERS, JSON)
def test_one_strange_member_is_borne_or_refused(member: str, strange: Any) -> None:
    order, errors = tried({**VALID, member: strange})
    assert (order is None) == bool(errors)
    assert "Input should" not in str(errors)


@pytest.mark.parametrize(
    ("members", "key", "text"),
    [
        ({"subject": 5}, "$.subject", "must be a string"),
        ({"ignoreReservation": "yes"}, "$.ignoreReservation", "must be true or false"),
        ({"recipients": {}}, "$.recipients", "must be an array"),
        ({"recipients": [{}, 5]}, "$.recipients[1]", "must be an object"),
        ({"recipients": [{"mobileNumber": []}]}, "$.recipients[0].mobileNumber", "must be a string"),
        ({"contentType": "Markdown"}, "$.contentType", "must be one of Plain, Html"),
    ],
)
def test_a_wrong_type_is_told_by_its_place_and_what_must_stand_there(
    members: dict[str, Any], key: str, text: str
) -> None:
    _, errors = tried(VALID | members)
    assert errors == {key: [f"The JSON value {text}."], PARAMETER: [f"The {PARAMETER} field is required."]}


@given(st.binary(max_size=300) | JSON.map(lambda value: json.dumps(value).encode()))
def test_any_body_is_an_object_or_refused(body: bytes) -> None:
    found: Any = {}
    with suppress(Invalid):
        found = parse_json(body, PARAMETER)
    assert isinstance(found, dict)


@given(LINE, LINE, st.sampled_from(["html", "HTML", 1, "plain", 0, None]))
def test_what_was_written_is_what_is_kept(subject: str, body: str, kind: Any) -> None:
    order = parse_order({**VALID, "subject": subject, "body": body, "contentType": kind}, LIMITS, NOW)
    assert (order.subject, order.body) == (subject, body)
    assert order.content_type is (ContentType.HTML if kind in ("html", "HTML", 1) else ContentType.PLAIN)


@given(
    st.datetimes(datetime(2026, 11, 25), datetime(9000, 1, 1)),  # noqa: DTZ001 the zone is the next strategy's
    st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes))),
)
def test_a_send_time_is_an_instant_whatever_its_zone(when: datetime, zone: timezone) -> None:
    moment = when.replace(tzinfo=zone)
    order = parse_order({**VALID, "requestedSendTime": moment.isoformat()}, LIMITS, NOW)
    assert order.requested_send_time == moment


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("2026-11-23T12:00:00Z", True),
        ("2026-11-23T12:00:00.1234567Z", True),
        ("2026-11-23T12:00Z", True),
        ("2026-11-23T11:54:59Z", False),
        ("2026-11-23T11:55:00Z", True),
        ("2026-11-23", False),
        ("2026-11-23T12:00:00", False),
        ("2026-11-23 12:00:00Z", False),
        ("2026-W48-1T12:00:00Z", False),
        ("2026-02-30T12:00:00Z", False),
        ("20261123T120000Z", False),
        ("9998-12-31T23:59:59Z", True),
        ("9999-01-01T00:59:59+01:00", True),
        ("9999-01-01T00:00:00Z", False),
        ("9999-12-31T23:59:59+01:00", False),
    ],
)
def test_times_are_iso_8601_with_a_zone(text: str, good: bool) -> None:  # noqa: FBT001 a row of the table
    order, errors = tried({**VALID, "requestedSendTime": text})
    assert (order is not None, not errors) == (good, good)


def test_a_body_of_millions_of_values_is_refused_before_it_takes_its_memory() -> None:
    with pytest.raises(Invalid) as refusal:
        parse_json(b"[" + b"{}," * (MOST_VALUES + 1) + b"{}]", PARAMETER)
    assert refusal.value.errors["$"] == ["The body has more than 1,000,000 values."]
