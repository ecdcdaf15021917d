"""Reading the events of a resource, over HTTP."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from tests.helpers.event_pages import EVENTS, LISTED, ids, publish, resource, walk

if TYPE_CHECKING:
    import httpx


def test_a_page_is_a_list_of_events_as_they_were_stored(client: httpx.Client) -> None:
    where = resource()
    first, second = publish(client, {"resource": where}, {"resource": where})
    answer = client.get(EVENTS, params={"resource": where, "after": "0"})
    texts = [
        f'{{"specversion":"1.0","id":"{name}","source":"urn:x","type":"t","resource":"{where}"}}'
        for name in (first, second)
    ]
    assert answer.text == f"[{texts[0]}, {texts[1]}]"
    assert answer.headers["content-type"] == LISTED
    empty = client.get(EVENTS, params={"resource": where, "after": second})
    assert (empty.text, "next" in empty.headers) == ("[]", False)


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        (
            "resource=urn:other:x&after=0",
            "The 'resource' parameter must begin with `urn:altinn:resource:`",
        ),
        ("resource=x", "The 'resource' parameter must begin with `urn:altinn:resource:`"),
        ("resource=urn:altinn:resource:x", "The 'after' parameter must be defined."),
        ("resource=urn:altinn:resource:x&after=", "The 'after' parameter must be defined."),
        (
            "resource=urn:altinn:resource:x&after=0&subject=/party/1",
            "Only one of 'subject' or 'alternativeSubject' can be defined.",
        ),
    ],
)
def test_what_a_resources_reader_must_say(client: httpx.Client, query: str, detail: str) -> None:
    answer = client.get(f"{EVENTS}?{query}", headers={"Altinn-AlternativeSubject": "/person/1"})
    assert answer.headers["content-type"] == "application/problem+json; charset=utf-8"
    assert (answer.status_code, answer.json()["title"]) == (400, "Bad Request")
    assert answer.json()["detail"] == detail


@pytest.mark.parametrize("query", ["", "?resource=", "?resource=&after="])
def test_the_resource_is_required(client: httpx.Client, query: str) -> None:
    answer = client.get(EVENTS + query)
    assert (answer.status_code, answer.json()["title"]) == (400, "One or more validation errors occurred.")
    assert answer.json()["errors"] == {"resource": ["The resource field is required."]}


def test_subjects_are_matched_exactly(client: httpx.Client) -> None:
    where = resource()
    names = publish(
        client,
        *(
            {"resource": where, "subject": subject, "alternativesubject": alternative}
            for subject, alternative in (
                ("/party/1", "/person/1"),
                ("/party/12", "/person/12"),
                ("/Party/1", "/Person/1"),
                ("/org/1", "/org/1"),
                ("/org/1", "/organisation/1"),
                ("/org/1", "/organization/1"),
            )
        ),
    )

    def found(alternative: str = "", **params: str) -> list[str]:
        headers = {"altinn-alternativesubject": alternative} if alternative else {}
        return ids(client.get(EVENTS, params={"resource": where, "after": "0"} | params, headers=headers))

    assert found() == names
    assert found(subject="/party/1") == names[:1]
    assert found(subject="/party/%") == []
    assert found("/person/1") == names[:1]
    for organisation in ("/org/1", "/organisation/1", "/organization/1"):
        assert found(organisation) == names[3:]
    assert walk(
        client, EVENTS, [("resource", where), ("after", "0"), ("size", "1")], **{"Altinn-AlternativeSubject": "/org/1"}
    ) == [[name] for name in names[3:]]


def test_types_are_patterns_in_their_case(client: httpx.Client) -> None:
    where = resource()
    kinds = ["app.created", "App.created", "app_created", "app.closed", "x[y]*?", "a\\%"]
    names = dict(zip(kinds, publish(client, *({"resource": where, "type": kind} for kind in kinds)), strict=True))

    def found(*patterns: str) -> list[str]:
        params = [("resource", where), ("after", "0"), *(("TYPE", pattern) for pattern in patterns)]
        kept = ids(client.get(f"{EVENTS}?{urlencode(params)}"))
        return [kind for kind, name in names.items() if name in kept]

    assert found("app.created") == ["app.created"]
    assert found("app.%") == ["app.created", "app.closed"]
    assert found("app_created") == ["app.created", "app_created"]
    assert found("APP%") == []
    assert found("App.created", "%closed") == ["App.created", "app.closed"]
    assert found("x[y]*?") == ["x[y]*?"]
    assert found("a\\%") == ["a\\%"]
    assert found("app.created,app.closed") == []
    assert found("") == kinds


@pytest.mark.parametrize(
    ("size", "count"), [("", 50), ("0", 50), ("-7", 50), ("1", 1), ("999", 999), ("1000", 1000), ("5000", 1000)]
)
def test_a_pages_size_is_bounded(client: httpx.Client, many: str, size: str, count: int) -> None:
    assert len(ids(client.get(EVENTS, params={"resource": many, "after": "0", "size": size}))) == count
