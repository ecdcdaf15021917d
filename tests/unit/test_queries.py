"""The search field of a list: keys with values, words without a key, and what is wrong with what was typed."""

from __future__ import annotations

import pytest

from engine.admin import queries
from engine.admin.queries import conditions, suggestions
from engine.admin.resources import AUDIT, DELIVERIES, EMAILS, EVENTS, JOBS, ORDERS, RESOURCES, SUBSCRIPTIONS, Resource
from engine.errors import Invalid

ID = "019a3f0e-7c1b-7000-8000-1a2b3c4d5e6f"


@pytest.mark.parametrize(
    ("resource", "text", "expected"),
    [
        (EMAILS, "", {}),
        (EMAILS, "state:failed", {"state": "failed"}),
        (EMAILS, "  State: failed   recipient:kari@example.no ", {"state": "failed", "recipient": "kari@example.no"}),
        (EMAILS, 'reference:"my reference" since:24h', {"reference": "my reference", "since": "24h"}),
        (EMAILS, 'since:"2026-05-01 12:00"', {"since": "2026-05-01 12:00"}),
        (EMAILS, "code:5.1.1", {"code": "5.1.1"}),
        (EMAILS, "kari@example.no", {"recipient": "kari@example.no"}),
        (EMAILS, "FAILED kari", {"state": "FAILED", "recipient": "kari"}),
        (EMAILS, '"state:failed"', {"recipient": "state:failed"}),
        (EMAILS, ID, {"email": ID}),
        (ORDERS, ID, {"order": ID}),
        (ORDERS, "@example.no", {"recipient": "@example.no"}),
        (ORDERS, "my own reference", {"reference": "my own reference"}),
        (EVENTS, "urn:altinn:resource:app_1", {"resource": "urn:altinn:resource:app_1"}),
        (EVENTS, "resource:urn:altinn:resource:app_1", {"resource": "urn:altinn:resource:app_1"}),
        (EVENTS, "17", {"event": "17"}),
        (EVENTS, "/party/17", {"subject": "/party/17"}),
        (EVENTS, "app.created", {"type": "app.created"}),
        (SUBSCRIPTIONS, "https://receiver.example/a?b", {"endpoint": "https://receiver.example/a?b"}),
        (SUBSCRIPTIONS, "/org/ttd", {"consumer": "/org/ttd"}),
        (DELIVERIES, "12", {"delivery": "12"}),
        (AUDIT, "anna", {"who": "anna"}),
        (AUDIT, "lane/emails", {"target": "lane/emails"}),
    ],
)
def test_what_is_typed_becomes_conditions(resource: Resource, text: str, expected: dict[str, str]) -> None:
    assert conditions(text, resource, resource.fields) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("stat:failed", "This list has no key stat. Did you mean state:failed?"),
        ("stat:lost", "Did you mean state:…?"),
        ("planet:mars", "This list has no key planet. Its keys are state, priority, recipient,"),
        ("planet:mars", 'put quotation marks around it: "planet:mars".'),
        ("state:", "state: needs a value behind the colon, such as state:waiting."),
        ('reference:""', "reference: needs a value behind the colon, such as reference:…."),
        ("state:failed state:due", "state: stands there twice. Leave one out."),
        ("recipient:kari ola", "ola is taken as recipient:, which stands there already. Write another key before it."),
        ('reference:"my reference', 'The quotation mark in reference:"my reference ends nowhere, or inside a word.'),
        ('"a"b', 'The quotation mark in "a"b ends nowhere'),
    ],
)
def test_what_is_wrong_is_told_with_how_to_mend_it(text: str, told: str) -> None:
    with pytest.raises(Invalid) as refused:
        conditions(text, EMAILS, EMAILS.fields)
    assert list(refused.value.errors) == [queries.FIELD]
    assert told in " ".join(refused.value.errors[queries.FIELD])


@pytest.mark.parametrize("resource", [each for each in RESOURCES.values() if each.fields], ids=lambda each: each.name)
def test_a_word_means_something_in_every_list_and_for_everybody(resource: Resource) -> None:
    for fields in (resource.fields, resource.open_fields):
        [name] = conditions("17", resource, fields)
        assert name in fields


def test_nothing_is_typed_into_a_list_that_has_no_keys() -> None:
    for text in ("17", "x:1", '"'):
        with pytest.raises(Invalid, match="cannot be narrowed"):
            conditions(text, JOBS, JOBS.fields)
    assert not conditions(" ", JOBS, JOBS.fields)


def test_what_can_be_typed_is_suggested_with_its_values() -> None:
    found = suggestions(EMAILS.fields)
    assert {"state:failed", "priority:Bulk", "recipient:", "since:"} <= {*found}
    assert "ids:" not in found, "nobody types them"
    assert conditions(" ".join(found[:1]), EMAILS, EMAILS.fields) == {"state": "waiting"}
