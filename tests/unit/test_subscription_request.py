"""Every rule of a posted subscription with its exact text, in order; hypothesis chooses strange bodies."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadRequest, Forbidden, Invalid
from engine.events.fan_out import MOST_DOTS
from engine.subscriptions.request import MOST_TYPES, SubscriptionRequest
from engine.subscriptions.rules import (
    LONGEST_URL,
    SubscriptionRules,
    parse_subscription,
)
from engine.subscriptions.spec import SubscriptionSpec
from tests.helpers.subscription_requests import (
    APP,
    APP_URN,
    DEVELOPMENT,
    ENDPOINT,
    GENERIC,
    HTTPS,
    MAIL,
    NOBODY,
    ORG,
    RULES,
    SCOPELESS,
    SOURCE,
    SOURCE_TEXT,
    USER,
    parsed,
    refused,
)

if TYPE_CHECKING:
    from engine.models import Caller


@pytest.mark.parametrize(
    "hostile", [f"mailto:{'@' * 60_000}?", f"mailto:{'a' * 60_000}@example.no", f"https://{'a.' * 30_000}no/"]
)
def test_an_endpoint_is_measured_before_anything_else_is_done_with_it(hostile: str) -> None:
    assert refused({**MAIL, "endPoint": hostile}, SCOPELESS) == f"{ENDPOINT}: it has more than {LONGEST_URL} characters"


def test_a_source_is_measured_before_it_is_read() -> None:
    assert refused({**APP, "sourceFilter": f"https://{'æ' * 60_000}.no/ttd/app"}) == SOURCE_TEXT


def test_a_beginning_has_no_more_dots_than_an_event_is_looked_up_under() -> None:
    longest = "a." * MOST_DOTS + "*"
    assert parsed({**GENERIC, "typeFilter": longest}).types == (longest,)
    refusal = f"A beginning in typeFilter has at most {MOST_DOTS} dots."
    assert refused({**GENERIC, "typeFilter": f"a.{longest}"}) == refusal
    whole = "a." * 200 + "a"
    assert parsed({**GENERIC, "typeFilter": whole}).types == (whole,)


def malformed(body: bytes) -> dict[str, list[str]]:
    with pytest.raises(Invalid) as caught:
        parse_subscription(body, ORG, RULES)
    return caught.value.errors


def test_an_app_subscription_takes_its_resource_from_the_source() -> None:
    assert parsed(APP) == SubscriptionSpec(
        endpoint=HTTPS,
        source_filter=SOURCE,
        source_prefix=None,
        resource_filter=APP_URN,
        subject_filter=None,
        alternative_subject_filter=None,
        types=(),
        type_as_given=None,
        include_subunits=False,
        ordered=False,
        template=None,
        is_app=True,
    )


def test_a_generic_subscription_keeps_what_was_posted() -> None:
    spec = parsed({**GENERIC, "subjectFilter": "/party/1", "typeFilter": "case.opened", "ordered": True, "other": 1})
    assert (spec.resource_filter, spec.is_app) == ("urn:altinn:resource:cases", False)
    assert (spec.subject_filter, spec.types, spec.type_as_given) == ("/party/1", ("case.opened",), "case.opened")
    assert spec.ordered


@pytest.mark.parametrize("name", ["endPoint", "endpoint", "EndPoint", "ENDPOINT"])
def test_member_names_are_matched_in_any_case(name: str) -> None:
    assert parsed({name: HTTPS, "RESOURCEfilter": GENERIC["resourceFilter"]}).endpoint == HTTPS


def test_every_member_is_described_under_its_own_name() -> None:
    members = SubscriptionRequest.model_json_schema()["properties"]
    assert list(members) == [
        "endPoint", "sourceFilter", "sourcePrefixFilter", "resourceFilter", "subjectFilter",
        "alternativeSubjectFilter", "typeFilter", "includeSubunits", "ordered", "template",
    ]  # fmt: skip
    assert all(member["description"] for member in members.values())


@pytest.mark.parametrize(
    ("body", "keys"),
    [
        (b"{", {"$"}),
        (b"{'a': 1}", {"$"}),
        (b'{"endPoint": "https://example.no",}', {"$"}),
        (b"\xff", {"$"}),
        (b"[]", {"$"}),
        (b"null", {"$"}),
        (b'{"endpoint": 1}', {"$.endPoint"}),
        (b'{"includeSubunits": "true", "ordered": 1}', {"$.includeSubunits", "$.ordered"}),
        (b'{"typeFilter": {}}', {"$.typeFilter"}),
        (b'{"typeFilter": ["a", null]}', {"$.typeFilter"}),
    ],
)
def test_json_of_the_wrong_form_is_told_by_place(body: bytes, keys: set[str]) -> None:
    assert set(malformed(body)) == keys


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("endPoint", 1, "must be a string"),
        ("ordered", 1, "must be true or false"),
        ("typeFilter", {}, "must be a string or an array of strings"),
        ("typeFilter", ["a", None, 5], "must be a string or an array of strings"),
    ],
)
def test_a_wrong_type_is_told_once_with_what_must_stand_there(name: str, value: Any, text: str) -> None:
    assert malformed(json.dumps({name: value}).encode()) == {f"$.{name}": [f"The JSON value {text}."]}


def test_an_empty_body_is_told_as_such() -> None:
    assert malformed(b"") == {"": ["A non-empty request body is required."]}


def test_an_app_s_resource_is_in_lower_case() -> None:
    spec = parsed({**APP, "sourceFilter": "https://ttd.apps.altinn.no/TTD/Apps.Test-1"})
    assert spec.resource_filter == "urn:altinn:resource:app_ttd_apps.test-1"
    assert spec.source_start == "https://ttd.apps.altinn.no/TTD/Apps.Test-1/"
    assert parsed({**APP, "resourceFilter": APP_URN}).resource_filter == APP_URN


@pytest.mark.parametrize("spelling", ["org", "organisation", "organization"])
def test_the_spellings_of_an_organisation_are_one(spelling: str) -> None:
    spec = parsed({**APP, "alternativeSubjectFilter": f"/{spelling}/910514318"}, USER)
    assert spec.alternative_subject_filter == "/organisation/910514318"


def test_the_source_of_a_match_begins_with_the_filter_or_the_prefix() -> None:
    assert parsed(APP).source_start == SOURCE + "/"
    assert parsed({**GENERIC, "sourcePrefixFilter": "urn:cases"}).source_start == "urn:cases"
    assert parsed(GENERIC).source_start is None


def test_everything_that_makes_a_subscription_its_own_is_in_the_fingerprint() -> None:
    spec = parsed(GENERIC)
    others = [
        replace(spec, endpoint=HTTPS + "/2"),
        replace(spec, source_filter=SOURCE),
        replace(spec, source_prefix=SOURCE),
        replace(spec, resource_filter=APP_URN),
        replace(spec, subject_filter="a"),
        replace(spec, alternative_subject_filter="a"),
        replace(spec, types=("a", "b")),
        replace(spec, include_subunits=True),
        replace(spec, ordered=True),
        replace(spec, template="receipt"),
    ]
    prints = {other.fingerprint("/org/ttd") for other in [spec, *others]} | {spec.fingerprint("/org/skd")}
    assert len(prints) == len(others) + 2
    assert all(len(print_) == 64 for print_ in prints)


@pytest.mark.parametrize(
    ("one", "same"),
    [
        ({"endPoint": "https://example.no"}, {"endPoint": "HTTPS://EXAMPLE.no:443/"}),
        ({"typeFilter": ["a", "b"]}, {"typeFilter": ["b", "a", "b"]}),
        ({"typeFilter": "*"}, {}),
    ],
)
def test_what_means_the_same_has_the_same_fingerprint(one: dict[str, Any], same: dict[str, Any]) -> None:
    prints = {parsed({**GENERIC, **members}).fingerprint("/org/ttd") for members in (one, same)}
    assert len(prints) == 1


MEMBERS = st.sampled_from([field.alias or "" for field in SubscriptionRequest.model_fields.values()])
TEXTS = st.text() | st.sampled_from([HTTPS, SOURCE, APP_URN, "https://", "mailto:a@b.no", "/org/1", "a.*", "receipt"])
URLS = st.builds("{}{}".format, st.sampled_from(["https://", "https://xn--", "mailto:", SOURCE]), st.text())
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | TEXTS | URLS
JSON = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(MEMBERS | TEXTS, inner))
CALLERS = st.sampled_from([ORG, SCOPELESS, USER, NOBODY])
INSTALLATIONS = st.sampled_from([RULES, DEVELOPMENT])


def tried(body: bytes, caller: Caller, rules: SubscriptionRules) -> tuple[SubscriptionSpec | None, str]:
    """The spec, or its error; any other exception fails the test."""
    try:
        return parse_subscription(body, caller, rules), ""
    except (Invalid, BadRequest, Forbidden) as error:
        return None, str(error)


def check(body: bytes, caller: Caller, rules: SubscriptionRules) -> None:
    spec, error = tried(body, caller, rules)
    assert (spec is None) == bool(error)
    if spec is not None:
        assert len(spec.fingerprint(caller.identity or "")) == 64
        assert spec.endpoint.isprintable()


@given(st.binary(max_size=200) | JSON.map(lambda value: json.dumps(value).encode()), CALLERS, INSTALLATIONS)
def test_any_body_is_a_spec_or_is_refused(body: bytes, caller: Caller, rules: SubscriptionRules) -> None:
    check(body, caller, rules)


@given(st.sampled_from([APP, GENERIC, MAIL]), st.dictionaries(MEMBERS, JSON, max_size=3), CALLERS, INSTALLATIONS)
def test_a_strange_member_is_borne_or_refused(
    valid: dict[str, Any], strange: dict[str, Any], caller: Caller, rules: SubscriptionRules
) -> None:
    check(json.dumps({**valid, **strange}).encode(), caller, rules)


def test_of_a_list_of_types_without_end_few_are_looked_at() -> None:
    with pytest.raises(Invalid) as refused:
        parse_subscription(json.dumps({**APP, "typeFilter": [1] * 1_000}).encode(), ORG, RULES)
    assert len(refused.value.errors["$.typeFilter"]) <= MOST_TYPES + 2
