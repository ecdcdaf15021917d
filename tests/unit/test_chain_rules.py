"""Any JSON is either an order of the second generation or a list of errors; hypothesis chooses the JSON."""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import to_json

from engine.errors import Invalid
from engine.models import OrderKind, new_id
from engine.orders.chain_rules import MOST_REMINDERS, parse_chain, parse_instant
from engine.orders.checks import Broken, check_endpoint
from engine.orders.rules import Limits
from engine.outbound import Guard

if TYPE_CHECKING:
    from engine.orders.chains import NewChain

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)
LIMITS = Limits(3, Guard(allow_private=False), "noreply@example.no", bulk_above=5)
SETTINGS = {"subject": "a", "body": "b"}
MAIL = {"recipientEmail": {"emailAddress": "kari@example.no", "emailSettings": SETTINGS}}
VALID = {"idempotencyId": "x", "recipient": MAIL}
# Of a wrong type, beside the body's own name; or of Altinn's classes (contract 4.1).
PATH = re.compile(
    r"\$(\.\w+|\[\d+\])*|(instantEmailN|n)otificationOrderRequest|[A-Z]\w*(\[\d+\])?(\.[A-Z]\w*(\[\d+\])?)*"
)
MEMBERS = st.sampled_from(
    ["idempotencyId", "sendersReference", "requestedSendTime", "conditionEndpoint", "dialogportenAssociation",
     "dialogId", "recipient", "reminders", "recipientEmail", "recipientSms", "recipientPerson", "recipientOrganization",
     "delayDays", "emailAddress", "emailSettings", "smsSettings", "subject", "body", "contentType", "channelSchema",
     "orgNumber", "nationalIdentityNumber", "senderEmailAddress", "sendingTimePolicy", "resourceId", "resourceAction"]
)  # fmt: skip
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()
TIMES = st.datetimes(timezones=st.just(UTC)).map(datetime.isoformat)
JSON = st.recursive(
    SCALARS | TIMES | st.just(MAIL),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS | st.text(max_size=5), inner),
    max_leaves=20,
)


@pytest.mark.parametrize(
    "here", ["http://localhost:1234/x", "http://127.0.0.1:8000/ask", "http://[::1]/", "https://LOCALHOST"]
)
def test_a_condition_may_lead_to_this_machine_where_private_addresses_are_allowed(here: str) -> None:
    def refused(url: str, *, allow_private: bool) -> bool:
        broken = Broken()
        check_endpoint(url, Guard(allow_private), broken)
        return "ConditionEndpoint" in broken.errors

    assert not refused(here, allow_private=True)
    assert refused(here, allow_private=False)
    assert refused("http://192.168.0.1/x", allow_private=True), "other addresses have no name"


def _parsed(parse: Any, value: dict[str, Any]) -> tuple[NewChain | None, dict[str, list[str]]]:
    try:
        return parse(value, LIMITS, NOW), {}
    except Invalid as refused:
        return None, refused.errors


def tried(parse: Any, value: dict[str, Any]) -> NewChain | None:
    """The orders, as they can be stored, or None with reasons; any other exception fails the test."""
    chain, errors = _parsed(parse, value)
    if chain is None:
        assert errors
        assert all(PATH.fullmatch(field) and texts for field, texts in errors.items()), errors
        return None
    rows = [order.row(new_id(NOW), "ttd", "noreply@example.no", new_id(NOW)) for order in chain.orders]
    assert json.loads(to_json(rows))
    return chain


@pytest.mark.slow
@given(st.dictionaries(MEMBERS | st.text(max_size=5), JSON))
def test_any_object_is_an_order_or_is_refused_with_reasons(value: dict[str, Any]) -> None:
    for parse in (parse_chain, parse_instant):
        tried(parse, value)
        tried(parse, VALID | value)


@given(MEMBERS, JSON)
def test_one_odd_member_is_refused_or_taken(name: str, value: Any) -> None:
    tried(parse_chain, VALID | {name: value})
    tried(parse_chain, VALID | {"recipient": {name: value}})
    tried(parse_chain, VALID | {"reminders": [{"delayDays": 1, "recipient": MAIL, name: value}]})


@given(st.datetimes(min_value=datetime(2026, 12, 1), timezones=st.just(UTC)), st.integers())  # noqa: DTZ001 hypothesis wants it
def test_reminders_lie_so_many_days_behind_the_requested_time(at: datetime, days: int) -> None:
    value = VALID | {"requestedSendTime": at.isoformat(), "reminders": [{"delayDays": days, "recipient": MAIL}]}
    if chain := tried(parse_chain, value):
        first, second = chain.orders
        assert (first.requested_send_time, second.requested_send_time) == (at, at + timedelta(days=days))
        assert (first.kind, second.kind) == (OrderKind.NOTIFICATION, OrderKind.REMINDER)


def test_reminders_are_bounded() -> None:
    reminders = [{"delayDays": 1, "recipient": MAIL}] * (MOST_REMINDERS + 1)
    chain = tried(parse_chain, VALID | {"reminders": reminders[1:]})
    assert chain
    assert len(chain.orders) == 1 + MOST_REMINDERS
    with pytest.raises(Invalid, match="at most 100 reminders"):
        parse_chain(VALID | {"reminders": reminders}, LIMITS, NOW)
