"""Reading the events of apps, over HTTP."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING
from urllib.parse import urlencode

import pytest

from tests.helpers.event_pages import API, EVENTS, a_person, ids, of_app, publish, resource

if TYPE_CHECKING:
    import httpx

NOT_VALID = "The value '{}' is not valid."
ZONE = "parameter must specify timezone. E.g. 2022-07-07T11:00:53.3917Z for UTC"


@pytest.mark.parametrize("path", ["app/party", "app/ttd/apps-test"])
@pytest.mark.parametrize(
    ("query", "person", "detail"),
    [
        ("", "", "The 'From' or 'After' parameter must be defined."),
        ("after=&to=2022-07-07&size=0", "1", "The 'From' or 'After' parameter must be defined."),
        ("from=2022-07-07T11:00&to=2022-07-07&size=0", "", f"The 'From' {ZONE}"),
        ("from=2022-07-07&size=0", "", f"The 'From' {ZONE}"),
        ("after=0&to=2022-07-07T11:00:00.123&size=0", "", f"The 'To' {ZONE}"),
        ("after=0&size=0&party=1", "1", "The 'Size' parameter must be a number larger that 0."),
        ("after=0&size=-1&party=1&unit=1", "", "The 'Size' parameter must be a number larger that 0."),
        ("after=0&party=1&unit=1", "1", "Only one of 'Party' or 'Person' can be defined."),
        ("after=0&party=1&unit=1", "", "Only one of 'Party' or 'Unit' can be defined."),
        ("after=0&unit=12345678", "", "Value of 'Unit' needs to be exactly 9 digits."),
        ("after=0&unit=1234567890", "", "Value of 'Unit' needs to be exactly 9 digits."),
        ("from=2022-07-07Z&unit=12345678x", "1", "Value of 'Unit' needs to be exactly 9 digits."),
        ("after=0", "1606941234", "Value of 'Person' needs to be exactly 11 digits."),
        ("after=0", "160694123456", "Value of 'Person' needs to be exactly 11 digits."),
        ("after=0", "1606941234x", "Value of 'Person' needs to be exactly 11 digits."),
    ],
)
def test_what_an_apps_reader_must_say(client: httpx.Client, path: str, query: str, person: str, detail: str) -> None:
    answer = client.get(f"{API}/{path}?{query}", headers={"person": person} if person else {})
    assert answer.headers["content-type"] == "application/problem+json; charset=utf-8"
    assert (answer.status_code, answer.json()["title"]) == (400, "Bad Request")
    assert answer.json()["detail"] == detail


@pytest.mark.parametrize("query", ["after=0", "after=0&party=0", "after=0&party=-3", "after=0&party=&unit="])
def test_somebody_must_be_named_where_no_app_is(client: httpx.Client, query: str) -> None:
    answer = client.get(f"{API}/app/party?{query}")
    text = "Subject must be specified using either query params party or unit or header value person."
    assert (answer.status_code, answer.json()["detail"]) == (400, text)
    assert client.get(f"{API}/app/ttd/x?{query}").status_code == 200


@pytest.mark.parametrize(
    ("path", "field", "value"),
    [
        ("app/ttd/x?after=0", "from", "yesterday"),
        ("app/ttd/x?after=0", "from", "2023-02-30Z"),
        ("app/ttd/x?after=0", "to", "2023-02-16T18:00:00 02:00"),  # a + that was not encoded
        ("app/ttd/x?after=0", "to", "20230216T180000Z"),
        ("app/ttd/x?after=0", "to", "2023-02-16T25:00Z"),
        ("app/ttd/x?after=0", "size", "many"),
        ("app/ttd/x?after=0", "size", "1.5"),
        ("app/ttd/x?after=0", "size", "2147483648"),
        ("app/ttd/x?after=0", "size", "\u0661"),
        ("app/party?after=0", "party", "me"),
        ("events?resource=urn:altinn:resource:x&after=0", "size", "x"),
    ],
)
def test_what_is_no_such_value_is_told(client: httpx.Client, path: str, field: str, value: str) -> None:
    answer = client.get(f"{API}/{path}&{urlencode({field.upper(): value})}")
    assert (answer.status_code, answer.json()["errors"]) == (400, {field: [NOT_VALID.format(value)]})


def test_parties_units_and_persons_are_found(client: httpx.Client, app: str) -> None:
    number, unit, person = uuid.uuid4().int % 2**30 + 1, f"{uuid.uuid4().int % 10**9:09}", a_person()
    names = publish(
        client,
        of_app(app, subject=f"/party/{number}"),
        of_app(app, subject=f"/party/{number}1", alternativesubject=f"/person/{person}"),
        *(of_app(app, alternativesubject=f"/{kind}/{unit}") for kind in ("organisation", "org", "organization")),
        of_app(app),
    )

    def found(path: str, person: str = "", **params: object) -> list[str]:
        asked = {"after": "0"} | {name: str(value) for name, value in params.items()}
        return ids(client.get(f"{API}/app/{path}", params=asked, headers={"Person": person} if person else {}))

    for path in ("party", f"ttd/{app}", f"TTD/{app.upper()}"):
        assert found(path, party=number) == names[:1]
        assert found(path, person) == names[1:2]
        assert found(path, UNIT=unit) == names[2:5]
        assert found(path, person, unit=unit) == names[1:5]
    assert found(f"ttd/{app}") == names
    assert found(f"ttd/{app}2") == []


def test_types_and_sources_are_patterns_in_any_case(client: httpx.Client, app: str) -> None:
    person = a_person()
    about = {"alternativesubject": f"/person/{person}"}
    names = publish(
        client,
        of_app(app, type="app.created", source="https://x.no/ttd/a", **about),
        of_app(app, type="App.Closed", source="https://x.no/TTD/b", **about),
    )

    def found(path: str, *params: tuple[str, str]) -> list[str]:
        return ids(client.get(f"{API}/app/{path}", params=[("after", "0"), *params], headers={"person": person}))

    for path in ("party", f"ttd/{app}"):
        assert found(path, ("type", "APP.%")) == names
        assert found(path, ("type", "app.c_____")) == names[1:]
        assert found(path, ("type", "x"), ("Type", "app.created")) == names[:1]
    assert found("party", ("source", "%/ttd/_")) == names
    assert found("party", ("source", "%/B"), ("type", "%")) == names[1:]
    assert found("party", ("source", "nowhere"), ("source", "https://X.no/ttd/a")) == names[:1]
    assert found(f"ttd/{app}", ("source", "nowhere")) == names  # this one has no such parameter


def test_both_ends_of_a_time_are_included(client: httpx.Client, app: str) -> None:
    times = [
        "2023-02-16T18:00:00.123Z",
        "2023-02-16T18:00:00.1239Z",
        "2023-02-16T19:30:00+01:00",
        "2023-02-17T00:00:00Z",
    ]
    names = publish(client, of_app(app), *(of_app(app, time=time) for time in times))[1:]  # the first has no time

    def found(since: str, until: str) -> list[int]:
        kept = ids(client.get(f"{API}/app/ttd/{app}", params={"from": since, "to": until}))
        return [names.index(name) for name in kept]

    assert found("2023-02-16T18:00:00.123Z", "2023-02-16T18:00:00.123Z") == [0, 1]  # to the millisecond
    assert found("2023-02-16T18:00:00.1235678Z", "2023-02-16T18:00:00.1239Z") == [0, 1]
    assert found("2023-02-16T18:00:00.124Z", "2023-02-17Z") == [2, 3]
    assert found("2023-02-16T18:30Z", "2023-02-16t18:30:00z") == [2]
    assert found("2023-02-16T20:30:00+02:00", "2023-02-16T13:30:00-05:00") == [2]
    assert found("2023-02-16Z", "2023-02-16T23:59:59.999Z") == [0, 1, 2]
    assert found("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00") == [0, 1, 2, 3]
    assert found("2023-02-18Z", "2023-02-16Z") == []
    both = {"from": "2023-02-16Z", "after": names[1]}
    assert ids(client.get(f"{API}/app/ttd/{app}", params=both)) == names[2:]


def test_the_size_of_an_apps_page_is_bounded_too(client: httpx.Client, many: str) -> None:
    path = f"{API}/app/ttd/{many.rpartition('_')[2]}"
    for size, count in (("", 50), ("1000", 1000), ("1001", 1000), ("2147483647", 1000)):
        assert len(ids(client.get(path, params={"after": "0", "size": size}))) == count


def test_an_unknown_id_is_the_beginning(client: httpx.Client, app: str) -> None:
    names = publish(client, of_app(app), of_app(app))
    for after in ("0", "nobody", "\u00e6", "x" * 5000):
        assert ids(client.get(f"{API}/app/ttd/{app}", params={"after": after})) == names


@pytest.mark.parametrize("name", ["type", "source"])
def test_patterns_are_bounded(client: httpx.Client, name: str) -> None:
    for values in (["x"] * 51, ["x" * 501], ["%" * 6]):
        params = [("after", "0"), ("party", "1"), *((name, value) for value in values)]
        answer = client.get(f"{API}/app/party?{urlencode(params)}")
        assert (answer.status_code, list(answer.json()["errors"])) == (400, [name])
    for values in (["x"] * 50, ["%" * 5 + "x" * 495]):
        params = [("after", "0"), ("party", "1"), *((name, value) for value in values)]
        assert client.get(f"{API}/app/party?{urlencode(params)}").status_code == 200


def test_a_query_is_bounded(client: httpx.Client) -> None:
    params = {"resource": resource(), "after": "0", "unknown": "x" * 16_000}
    answer = client.get(EVENTS, params=params)
    assert (answer.status_code, answer.json()["title"]) == (414, "URI Too Long")


@pytest.mark.parametrize(
    ("path", "field"),
    [
        ("events?resource=urn:altinn:resource:%00&after=0", "resource"),
        ("events?resource=urn:altinn:resource:x&after=%00", "after"),
        ("events?resource=urn:altinn:resource:x&after=0&subject=%00", "subject"),
        ("events?resource=urn:altinn:resource:x&after=0&type=%00", "type"),
        ("app/party?after=0&party=1&source=a%00", "source"),
        ("app/party?after=0&unit=%00", "unit"),
        ("app/t%00d/x?after=0", "org"),
        ("app/ttd/%00?after=0", "app"),
    ],
)
def test_the_character_that_no_database_takes_is_refused(client: httpx.Client, path: str, field: str) -> None:
    answer = client.get(f"{API}/{path}")
    assert (answer.status_code, list(answer.json()["errors"])) == (400, [field])
