"""Every rule of a posted subscription with its exact text, and which comes first; hypothesis chooses strange bodies."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadRequest, Forbidden, Invalid
from engine.events.fan_out import MOST_DOTS
from engine.models import Caller
from engine.outbound import Guard
from engine.subscriptions.request import MOST_TYPES, SubscriptionRequest
from engine.subscriptions.rules import (
    LONGEST_SUBJECT,
    LONGEST_TYPE,
    LONGEST_URL,
    SubscriptionRules,
    parse_subscription,
)
from engine.subscriptions.spec import SubscriptionSpec

RULES = SubscriptionRules("apps.altinn.no", Guard(allow_private=False), frozenset({"receipt", "decision"}))
DEVELOPMENT = replace(RULES, guard=Guard(allow_private=True))
ORG = Caller(
    creator="ttd",
    scopes=frozenset({"altinn:events.subscribe", "altinn:notifications.create"}),
    platform=False,
    identity="/org/ttd",
)
SCOPELESS = replace(ORG, scopes=frozenset())
USER = Caller(creator=None, scopes=ORG.scopes, platform=False, identity="/user/1234")
NOBODY = replace(USER, identity=None)

HTTPS = "https://example.no/hook"
SOURCE = "https://ttd.apps.altinn.no/ttd/apps-test"
APP = {"endPoint": HTTPS, "sourceFilter": SOURCE}
APP_URN = "urn:altinn:resource:app_ttd_apps-test"
GENERIC = {"endPoint": HTTPS, "resourceFilter": "urn:altinn:resource:cases"}
MAIL = {**GENERIC, "endPoint": "mailto:kari@example.no", "template": "receipt"}

ENDPOINT = "Missing or invalid endpoint to push events towards"
SOURCE_TEXT = "SourceFilter must be an absolute URL with the https scheme."
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


def parsed(value: Any, caller: Caller = ORG, rules: SubscriptionRules = RULES) -> SubscriptionSpec:
    return parse_subscription(json.dumps(value).encode(), caller, rules)


def refused(value: Any, caller: Caller = ORG, rules: SubscriptionRules = RULES) -> str:
    with pytest.raises(BadRequest) as caught:
        parsed(value, caller, rules)
    return str(caught.value)


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


def test_an_empty_body_is_told_as_such() -> None:
    assert malformed(b"") == {"": ["A non-empty request body is required."]}


@pytest.mark.parametrize("endpoint", [None, "", " ", "/hook", "example.no", "http://example.no/", "ftp://example.no/"])
def test_an_endpoint_is_an_absolute_https_address(endpoint: str | None) -> None:
    assert refused({**APP, "endPoint": endpoint}) == ENDPOINT


@pytest.mark.parametrize(
    ("endpoint", "reason"),
    [
        ("https://127.0.0.1/", "127.0.0.1 is not a public address"),
        ("https://10.0.0.8/hook", "10.0.0.8 is not a public address"),
        ("https://[::1]/", "::1 is not a public address"),
        ("https://example.no:22/", "only the ports 443 and 8443 are let out"),
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
    """Given a body and a caller that break everything, each repair shows the next rule."""
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
    assert refused(body) == "template stands only beside a mailto: endPoint."
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


def test_an_app_s_resource_is_in_lower_case() -> None:
    spec = parsed({**APP, "sourceFilter": "https://ttd.apps.altinn.no/TTD/Apps.Test-1"})
    assert spec.resource_filter == "urn:altinn:resource:app_ttd_apps.test-1"
    assert spec.source_start == "https://ttd.apps.altinn.no/TTD/Apps.Test-1/"
    assert parsed({**APP, "resourceFilter": APP_URN}).resource_filter == APP_URN


@pytest.mark.parametrize("spelling", ["org", "organisation", "organization"])
def test_the_spellings_of_an_organisation_are_one(spelling: str) -> None:
    spec = parsed({**APP, "alternativeSubjectFilter": f"/{spelling}/910514318"}, USER)
    assert spec.alternative_subject_filter == "/organisation/910514318"


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


def test_a_mail_endpoint_is_kept_with_its_template() -> None:
    spec = parsed({**MAIL, "endPoint": "MAILTO:Kari.Nordmann@Example.NO"})
    assert (spec.endpoint, spec.template) == ("mailto:Kari.Nordmann@example.no", "receipt")


@pytest.mark.parametrize("address", ["kari@例え.テスト", "kari@example.international"])
def test_a_mail_endpoint_is_kept_without_what_pasting_left_around_it(address: str) -> None:
    assert parsed({**MAIL, "endPoint": f"\u200b\u00a0mailto:\ufeff{address}\u200e\n"}).endpoint == f"mailto:{address}"


@pytest.mark.parametrize("address", ["kari@æø--x.no", "kari@exam\u200bple.no", f"kari@{'æ' * 62}.no"])
def test_a_mail_endpoint_that_has_no_form_on_the_wire_is_refused(address: str) -> None:
    text = f"{ENDPOINT}: mailto: takes one e-mail address and nothing else"
    assert refused({**MAIL, "endPoint": f"mailto:{address}"}) == text


@pytest.mark.parametrize(
    "address",
    ["", "kari", "kari@example.no?subject=a", "kari@example.no,ola@example.no", "kari%40example.no", "kari@a.no#b",
     "kari@example.no\n", "kari@example.no\nbcc:ola@example.no", " kari@example.no", "//kari@example.no"],
)  # fmt: skip
def test_a_mail_endpoint_is_one_address_and_nothing_else(address: str) -> None:
    text = f"{ENDPOINT}: mailto: takes one e-mail address and nothing else"
    assert refused({**MAIL, "endPoint": f"mailto:{address}.x"}) == text


@pytest.mark.parametrize(
    "caller",
    [
        replace(ORG, scopes=frozenset({"altinn:events.subscribe"})),
        replace(ORG, creator=None),
    ],
)
def test_a_mail_endpoint_needs_the_right_to_send(caller: Caller) -> None:
    with pytest.raises(Forbidden, match="mailto"):
        parsed({**MAIL, "resourceFilter": "no urn"}, caller)


def test_either_scope_gives_the_right_to_send() -> None:
    scopes = frozenset({"altinn:events.subscribe", "altinn:serviceowner/notifications.create"})
    assert parsed(MAIL, replace(ORG, scopes=scopes))


@pytest.mark.parametrize("template", [None, "", "other"])
def test_a_mail_endpoint_needs_a_stored_template(template: str | None) -> None:
    body = {**MAIL, "template": template}
    assert refused(body) == "A mailto: endPoint needs a template, one of: decision, receipt."
    none = replace(RULES, templates=frozenset())
    assert refused(body, rules=none) == "A mailto: endPoint needs a template, one of: (none is stored)."


def test_a_mail_about_mails_would_never_end() -> None:
    body = {**MAIL, "resourceFilter": "urn:altinn:resource:varsel:ttd"}
    assert refused(body) == "A mailto: endPoint cannot hear of e-mails: each would cause the next, without end."
    del body["template"]
    assert parsed({**body, "endPoint": HTTPS}).resource_filter == "urn:altinn:resource:varsel:ttd"


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
    """The spec, or what is wrong with it; whatever else is raised fails the test."""
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
