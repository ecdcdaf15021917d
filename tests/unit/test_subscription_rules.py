"""The rules of a subscription: each with its text, and in their order."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import Forbidden
from engine.subscriptions.request import MOST_TYPES
from engine.subscriptions.rules import (
    LONGEST_SUBJECT,
    LONGEST_TYPE,
    LONGEST_URL,
)
from tests.helpers.subscription_requests import (
    APP,
    APP_URN,
    DEVELOPMENT,
    ENDPOINT,
    GENERIC,
    HTTPS,
    NOBODY,
    ORG,
    SCOPELESS,
    SOURCE,
    SOURCE_TEXT,
    USER,
    parsed,
    refused,
)

if TYPE_CHECKING:
    from engine.models import Caller

URN_TEXT = "Resource filter must be a valid urn"
SUBJECT_TEXT = "A valid subject to the authenticated identity is required"
SUBUNITS_TEXT = "IncludeSubunits requires a subject filter."
REGISTER_TEXT = (
    "IncludeSubunits needs a register of organisations, which this installation does not have; subscribe to each unit."
)
CONSUMER_TEXT = "Missing event consumer"
APP_ID_TEXT = "A valid app id is required in source filter {environment}/{org}/{app}"
INCOMPATIBLE_TEXT = "Provided resource filter and source filter are not compatible"
RESOURCE_TEXT = "Resource filter is required."
NO_SOURCE_TEXT = "Source filter is not supported for subscriptions on this resource."
NO_ALTERNATIVE_TEXT = "AlternativeSubject filter is not supported for subscriptions on this resource."
TYPE_TEXT = "typeFilter takes a whole type (app.instance.created), a beginning (app.instance.*), or * alone for any."


@pytest.mark.parametrize("endpoint", [None, "", " ", "/hook", "example.no", "http://example.no/", "ftp://example.no/"])
def test_an_endpoint_is_an_absolute_https_address(endpoint: str | None) -> None:
    assert refused({**APP, "endPoint": endpoint}) == ENDPOINT


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("https://127.0.0.1/", "127.0.0.1 is not a public address"),
        ("https://10.0.0.8/hook", "10.0.0.8 is not a public address"),
        ("https://[::1]/", "::1 is not a public address"),
        ("https://example.no:22/", "only the ports 443 and 8443 are allowed"),
        ("https://kari:secret@example.no/", "it must have a host and no user or password"),
        ("https://example.no:port/", "it is not a well-formed URL"),
        ("https://example.no/" + "a" * LONGEST_URL, "it has more than 2000 characters"),
    ],
)
def test_an_endpoint_that_the_guard_refuses_is_refused_with_the_reason(endpoint: str, reason: str) -> None:
    assert refused({**APP, "endPoint": endpoint}) == f"{ENDPOINT}: {reason}"


def test_in_development_an_endpoint_may_be_on_this_machine() -> None:
    assert parsed({**APP, "endPoint": "http://127.0.0.1:8080/hook"}, rules=DEVELOPMENT).endpoint
    assert refused({**APP, "endPoint": "/hook"}, rules=DEVELOPMENT) == ENDPOINT


@pytest.mark.parametrize(
    ("given", "normal"),
    [
        ("https://example.no", "https://example.no/"),
        ("https://example.no?code=1", "https://example.no/?code=1"),
        ("HTTPS://Example.NO:443/Hook", "https://example.no/Hook"),
        (" https://example.no/å ", "https://example.no/%C3%A5"),
        ("https://blåbær.no/", "https://xn--blbr-roah.no/"),
        ("https://example.no/a/?u=https://b.no", "https://example.no/a/?u=https://b.no"),
    ],
)
def test_an_endpoint_is_kept_in_its_normal_form(given: str, normal: str) -> None:
    assert parsed({**APP, "endPoint": given}).endpoint == normal


@pytest.mark.parametrize(
    "source", ["ttd/apps-test", "http://ttd.apps.altinn.no/ttd/apps-test", "https://", "https://a.no:port/", "urn:a:b",
               SOURCE + "a" * LONGEST_URL]
)  # fmt: skip
def test_a_source_filter_is_an_absolute_https_address(source: str) -> None:
    assert refused({**APP, "sourceFilter": source}) == SOURCE_TEXT


@pytest.mark.parametrize(
    ("members", "is_app"),
    [
        ({"sourceFilter": "https://apps.altinn.no/ttd/apps-test"}, True),
        ({"sourceFilter": "https://TTD.apps.Altinn.no/ttd/apps-test"}, True),
        ({"resourceFilter": APP_URN}, True),
        ({"resourceFilter": APP_URN, "sourceFilter": "https://example.no/ttd/apps-test"}, True),
        ({"resourceFilter": "urn:altinn:resource:application"}, False),
    ],
)
def test_a_subscription_is_an_app_s_by_its_resource_or_by_the_domain_of_its_source(
    members: dict[str, str], *, is_app: bool
) -> None:
    assert parsed({"endPoint": HTTPS, **members}).is_app is is_app


@pytest.mark.parametrize("host", ["evilapps.altinn.no", "apps.altinn.no.example.no", "altinn.no"])
def test_a_domain_is_compared_label_by_label(host: str) -> None:
    body = {"endPoint": HTTPS, "sourceFilter": f"https://{host}/ttd/apps-test"}
    assert refused(body) == RESOURCE_TEXT
    assert refused({**body, **GENERIC}) == NO_SOURCE_TEXT


def test_a_generic_subscription_needs_the_scope_and_an_app_s_does_not() -> None:
    with pytest.raises(Forbidden, match=r"altinn:events\.subscribe"):
        parsed(GENERIC, SCOPELESS)
    assert parsed(GENERIC, replace(ORG, scopes=frozenset({"Altinn:Events.Subscribe"})))
    assert parsed(APP, SCOPELESS)


@pytest.mark.parametrize("resource", ["", " ", "cases", "urn:altinn", "urn:altinn:Resource:cases", "urn:a:b\n"])
def test_a_resource_filter_is_a_urn(resource: str) -> None:
    assert refused({**GENERIC, "resourceFilter": resource}) == URN_TEXT


def test_capitals_make_no_urn_even_where_they_make_an_app_s() -> None:
    assert refused({**GENERIC, "resourceFilter": APP_URN.upper()}, SCOPELESS) == URN_TEXT


@pytest.mark.parametrize(
    ("members", "caller", "text"),
    [
        ({}, USER, SUBJECT_TEXT),
        ({}, NOBODY, SUBJECT_TEXT),
        ({"alternativeSubjectFilter": "/party/1"}, ORG, SUBJECT_TEXT),
        ({"alternativeSubjectFilter": "/person/"}, ORG, SUBJECT_TEXT),
        ({"alternativeSubjectFilter": "/Org/1"}, USER, SUBJECT_TEXT),
        ({"alternativeSubjectFilter": "x/org/1", "subjectFilter": "/party/1"}, ORG, SUBJECT_TEXT),
        ({"includeSubunits": True}, ORG, SUBUNITS_TEXT),
        ({"includeSubunits": True, "subjectFilter": "/party/1"}, ORG, REGISTER_TEXT),
        ({"subjectFilter": "/party/1"}, NOBODY, CONSUMER_TEXT),
        ({"sourceFilter": "https://ttd.apps.altinn.no"}, ORG, APP_ID_TEXT),
        ({"sourceFilter": "https://ttd.apps.altinn.no/ttd/"}, ORG, APP_ID_TEXT),
        ({"sourceFilter": SOURCE + "/"}, ORG, APP_ID_TEXT),
        ({"sourceFilter": SOURCE + "/instances/1/2"}, ORG, APP_ID_TEXT),
        ({"sourceFilter": SOURCE + "?a=b"}, ORG, APP_ID_TEXT),
        ({"sourceFilter": SOURCE + "#a"}, ORG, APP_ID_TEXT),
        ({"sourceFilter": SOURCE + "-å"}, ORG, APP_ID_TEXT),
        ({"sourceFilter": "https://kari@ttd.apps.altinn.no/ttd/apps-test"}, ORG, APP_ID_TEXT),
        ({"resourceFilter": APP_URN + "-2"}, ORG, INCOMPATIBLE_TEXT),
        ({"resourceFilter": "urn:altinn:resource:cases"}, ORG, INCOMPATIBLE_TEXT),
    ],
)
def test_each_rule_of_app_subscriptions_has_its_text(members: dict[str, Any], caller: Caller, text: str) -> None:
    assert refused({**APP, **members}, caller) == text


@pytest.mark.parametrize(
    ("members", "caller", "text"),
    [
        ({"resourceFilter": None}, ORG, RESOURCE_TEXT),
        ({"sourceFilter": "https://example.no/ttd/apps-test"}, ORG, NO_SOURCE_TEXT),
        ({"alternativeSubjectFilter": "/org/1"}, ORG, NO_ALTERNATIVE_TEXT),
        ({"includeSubunits": True}, ORG, SUBUNITS_TEXT),
        ({"includeSubunits": True, "subjectFilter": "/party/1"}, ORG, REGISTER_TEXT),
        ({}, NOBODY, CONSUMER_TEXT),
    ],
)
def test_each_rule_of_generic_subscriptions_has_its_text(members: dict[str, Any], caller: Caller, text: str) -> None:
    assert refused({**GENERIC, **members}, caller) == text


def test_the_first_broken_rule_of_a_generic_subscription_counts() -> None:
    """A body and a caller break every rule; each repair shows the next rule."""
    body: dict[str, Any] = {
        "endPoint": "/",
        "sourceFilter": "/",
        "resourceFilter": "cases",
        "subjectFilter": "",
        "typeFilter": "*a",
        "alternativeSubjectFilter": "/party/1",
        "includeSubunits": True,
        "sourcePrefixFilter": "https://example.no/",
        "template": "receipt",
    }
    caller = replace(NOBODY, scopes=frozenset())
    assert refused(body, caller) == ENDPOINT
    body["endPoint"] = HTTPS
    assert refused(body, caller) == SOURCE_TEXT
    body["sourceFilter"] = "https://example.no/ttd/apps-test"
    with pytest.raises(Forbidden):
        parsed(body, caller)
    caller = NOBODY
    assert refused(body, caller) == URN_TEXT
    del body["resourceFilter"]
    assert refused(body, caller).startswith("subjectFilter must not be empty")
    del body["subjectFilter"]
    assert refused(body, caller) == TYPE_TEXT
    del body["typeFilter"]
    assert refused(body, caller) == RESOURCE_TEXT
    body["resourceFilter"] = GENERIC["resourceFilter"]
    assert refused(body, caller) == NO_SOURCE_TEXT
    del body["sourceFilter"]
    assert refused(body, caller) == NO_ALTERNATIVE_TEXT
    del body["alternativeSubjectFilter"]
    assert refused(body, caller) == SUBUNITS_TEXT
    body["subjectFilter"] = "/party/1"
    assert refused(body, caller) == REGISTER_TEXT
    del body["includeSubunits"]
    assert refused(body, caller) == CONSUMER_TEXT
    assert refused(body) == "A template is allowed only with a mailto: endPoint."
    del body["template"]
    assert parsed(body).source_start == "https://example.no/"


def test_the_first_broken_rule_of_an_app_subscription_counts() -> None:
    body: dict[str, Any] = {
        "endPoint": HTTPS,
        "sourceFilter": SOURCE + "/",
        "resourceFilter": APP_URN + "-2",
        "includeSubunits": True,
        "sourcePrefixFilter": "https://example.no/",
    }
    caller = replace(NOBODY, scopes=frozenset())
    assert refused(body, caller) == SUBJECT_TEXT
    body["alternativeSubjectFilter"] = "/party/1"
    assert refused(body, caller) == SUBJECT_TEXT
    body["alternativeSubjectFilter"] = "/org/1"
    assert refused(body, caller) == REGISTER_TEXT
    body["includeSubunits"] = False
    assert refused(body, caller) == CONSUMER_TEXT
    assert refused(body) == APP_ID_TEXT
    body["sourceFilter"] = SOURCE
    assert refused(body) == INCOMPATIBLE_TEXT
    body["resourceFilter"] = APP_URN
    assert refused(body) == "sourceFilter and sourcePrefixFilter exclude each other."
    del body["sourcePrefixFilter"]
    assert parsed(body).resource_filter == APP_URN


def test_a_person_may_be_the_alternative_subject() -> None:
    spec = parsed({**APP, "alternativeSubjectFilter": "/person/01018012345"}, USER)
    assert (spec.subject_filter, spec.alternative_subject_filter) == (None, "/person/01018012345")


@pytest.mark.parametrize(
    "member", ["sourceFilter", "sourcePrefixFilter", "subjectFilter", "alternativeSubjectFilter", "typeFilter"]
)
@pytest.mark.parametrize("blank", ["", " ", "\t\n"])
def test_a_blank_filter_is_refused_and_not_silently_dead(member: str, blank: str) -> None:
    text = f"{member} must not be empty, since nothing would match; leave it out to match everything."
    assert refused({**GENERIC, member: blank}) == text
    assert refused({"endPoint": HTTPS, "resourceFilter": APP_URN, member: blank}) == text


@pytest.mark.parametrize(
    ("member", "longest"),
    [
        ("subjectFilter", LONGEST_SUBJECT),
        ("alternativeSubjectFilter", LONGEST_SUBJECT),
        ("sourcePrefixFilter", LONGEST_URL),
        ("typeFilter", LONGEST_TYPE),
    ],
)
def test_filters_are_bounded_and_without_control_characters(member: str, longest: int) -> None:
    body: dict[str, Any] = {"endPoint": HTTPS, "resourceFilter": APP_URN}
    assert parsed({**body, member: "/org/".ljust(longest, "a")})
    assert (
        refused({**body, member: "/org/".ljust(longest + 1, "a")}) == f"{member} has at most {longest} bytes of UTF-8."
    )
    for control in "\x00\n\x7f\x85\u2028":
        assert refused({**body, member: f"/org/a{control}b"}) == f"{member} must not contain control characters."


@pytest.mark.parametrize(
    ("given", "types"),
    [
        ("app.instance.created", ("app.instance.created",)),
        ("app.instance.*", ("app.instance.*",)),
        ("*", ()),
        (["a", "b.*", "a"], ("a", "b.*")),
        (["a", "*"], ()),
    ],
)
def test_types_are_whole_or_beginnings_or_any(given: str | list[str], types: tuple[str, ...]) -> None:
    spec = parsed({**GENERIC, "typeFilter": given})
    assert spec.types == types
    assert spec.type_as_given == (tuple(given) if isinstance(given, list) else given)


@pytest.mark.parametrize("given", ["app*", "*.created", ".*", "app.*.created", "app.**", "**", ["a", "b*"]])
def test_an_asterisk_elsewhere_is_refused_with_the_right_form(given: str | list[str]) -> None:
    assert refused({**GENERIC, "typeFilter": given}) == TYPE_TEXT


def test_a_list_of_types_is_bounded_and_holds_no_blanks() -> None:
    most = [f"type.{number}" for number in range(MOST_TYPES)]
    assert parsed({**GENERIC, "typeFilter": most}).types == tuple(most)
    assert refused({**GENERIC, "typeFilter": [*most, "a"]}) == f"typeFilter has at most {MOST_TYPES} types."
    assert refused({**GENERIC, "typeFilter": []}).startswith("typeFilter must not be empty")
    assert refused({**GENERIC, "typeFilter": ["*", " "]}).startswith("typeFilter must not be empty")
