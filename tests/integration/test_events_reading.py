"""Reading events over HTTP (events contract 3.2, 3.3, 3.5, 5.2, 5.3), on both databases."""

from __future__ import annotations

import json
import threading
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlencode

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import httpx

    from tests.servers.installation import Installation

API = "/events/api/v1"
EVENTS = f"{API}/events"
SCOPES = "altinn:events.publish altinn:events.subscribe"
LISTED = "application/cloudevents+json; charset=utf-8"
NOT_VALID = "The value '{}' is not valid."
ZONE = "parameter must specify timezone. E.g. 2022-07-07T11:00:53.3917Z for UTC"


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client(scope=SCOPES) as client:
        yield client


@pytest.fixture
def app() -> str:
    """An app of ttd's that no other test uses."""
    return f"app-{uuid.uuid4().hex}"


def a_person() -> str:
    return f"{uuid.uuid4().int % 10**11:011}"


def resource() -> str:
    return f"urn:altinn:resource:{uuid.uuid4().hex}"


def publish(client: httpx.Client, *events: dict[str, Any]) -> list[str]:
    """Publish events, each with whatever it lacks; their ids."""
    whole = [{"specversion": "1.0", "id": uuid.uuid4().hex, "source": "urn:x", "type": "t"} | event for event in events]
    media = {"Content-Type": "application/cloudevents-batch+json"}
    client.post(EVENTS, content=json.dumps(whole).encode(), headers=media).raise_for_status()
    return [str(event["id"]) for event in whole]


def of_app(app: str, **members: object) -> dict[str, Any]:
    return {"resource": f"urn:altinn:resource:app_ttd_{app}", "source": f"https://x.no/ttd/{app}"} | members


def ids(answer: httpx.Response) -> list[str]:
    answer.raise_for_status()
    assert answer.headers["content-type"] == LISTED
    return [event["id"] for event in answer.json()]


def walk(client: httpx.Client, path: str, params: Sequence[tuple[str, str]], **headers: str) -> list[list[str]]:
    """The ids on all pages, by the links from one to the next."""
    pages = []
    answer = client.get(f"{path}?{urlencode(params)}", headers=headers)
    while link := answer.headers.get("next"):
        pages.append(ids(answer))
        answer = client.get(link, headers=headers)
    assert ids(answer) == []
    return pages


# A resource's events


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


@pytest.fixture(scope="session")
def many(installation: Installation) -> str:
    """A resource with 1,001 events, which an app has as well."""
    where = "urn:altinn:resource:app_ttd_many"
    with installation.client(scope=SCOPES) as client:
        publish(client, *[{"resource": where}] * 1000)
        publish(client, {"resource": where})
    return where


# Apps' events


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


# From page to page


def test_the_link_to_the_next_page_asks_for_the_same(client: httpx.Client, installation: Installation) -> None:
    where = resource()
    [name] = publish(client, {"resource": where, "id": f"\u00e6 &+#%/?={uuid.uuid4().hex}", "subject": "/party/1"})
    asked = [
        ("size", "1"),
        ("After", "0"),
        ("Resource", where),
        ("type", "t"),
        ("unknown", "a b+c&d"),
        ("type", "%#x"),
        ("AFTER", "1"),
        ("subject", "/party/1"),
        ("empty", ""),
    ]
    answer = client.get(f"{EVENTS}?{urlencode(asked)}")
    link = answer.headers["next"]
    assert ids(answer) == [name]
    assert link.isascii()
    assert link.startswith(f"{installation.address}{EVENTS}?after=%C3%A6+%26%2B%23%25%2F%3F%3D")
    rest = [("after", name), ("afterSource", "urn:x"), *(pair for pair in asked if pair[0].lower() != "after")]
    assert parse_qsl(link.partition("?")[2], keep_blank_values=True) == rest
    empty = client.get(link)
    assert (empty.text, "next" in empty.headers) == ("[]", False)


@pytest.mark.parametrize(
    "kind", ["a+b", "a&b=c", "a#b", "50%", "a b", "\u00e6\u00f8\u00e5 \U0001f600", "a?b;c,d", "%2B", "_"]
)
def test_links_lead_through_every_event_once(client: httpx.Client, app: str, kind: str) -> None:
    time = "2026-11-23T08:00:00Z"
    names = publish(client, *[of_app(app, type=kind, time=time), of_app(app, type="other thing", time=time)] * 7)
    asked = [("size", "3"), ("type", kind)]
    for path, params in (
        (EVENTS, [("resource", f"urn:altinn:resource:app_ttd_{app}"), ("after", "0")]),
        (f"{API}/app/ttd/{app}", [("from", "2026-11-23T10:00:00+02:00")]),
    ):
        pages = walk(client, path, asked + params)
        assert [name for page in pages for name in page] == names[::2]
        assert [len(page) for page in pages] == [3, 3, 1]


def test_a_page_without_a_visible_event_has_a_next_one(client: httpx.Client, installation: Installation) -> None:
    person = f"/person/{a_person()}"
    publish(client, *[{"resource": "urn:altinn:resource:app_ttd_a", "alternativesubject": person}] * 4)
    with installation.client("skd", scope=SCOPES) as other:
        names = publish(other, {"resource": "urn:altinn:resource:app_skd_a", "alternativesubject": person})
        asked = [("after", "0"), ("size", "2")]
        pages = walk(other, f"{API}/app/party", asked, person=person.removeprefix("/person/"))
    assert pages == [[], [], names]


def test_who_reads_while_others_write_misses_nothing(client: httpx.Client, installation: Installation) -> None:
    where, writers, each = resource(), 6, 60
    published: list[str] = []
    running = threading.Semaphore(0)

    def write() -> None:
        with installation.client(scope=SCOPES) as writer:
            for number in range(each):
                published.extend(publish(writer, *[{"resource": where}] * (number % 3 + 1)))
        running.release()

    threads = [threading.Thread(target=write) for _ in range(writers)]
    for thread in threads:
        thread.start()
    read: list[str] = []
    while True:
        over = not any(thread.is_alive() for thread in threads)  # asked before the page is
        page = ids(client.get(EVENTS, params={"resource": where, "after": read[-1] if read else "0", "size": "7"}))
        read += page
        if over and not page:
            break
    assert len(read) == len(set(read)) == writers * each * 2
    assert set(read) == set(published)


def test_events_of_several_sources_with_one_id_are_each_read_once(client: httpx.Client) -> None:
    where = resource()
    events = [{"resource": where, "id": "same", "source": f"urn:source:{number}"} for number in range(4)]
    publish(client, *events)
    answer = client.get(EVENTS, params={"resource": where, "after": "0", "size": "1"})
    sources = []
    while link := answer.headers.get("next"):
        sources += [event["source"] for event in answer.json()]
        answer = client.get(link)
    assert sources == [event["source"] for event in events]


def test_another_resources_event_of_the_same_id_moves_no_reader(client: httpx.Client) -> None:
    mine, other = resource(), resource()
    publish(client, {"resource": other, "id": (name := uuid.uuid4().hex), "source": "urn:early"})
    first, second = publish(client, {"resource": mine, "id": name}, {"resource": mine})
    assert first == name
    answer = client.get(EVENTS, params={"resource": mine, "after": name})
    assert ids(answer) == [second]


@pytest.mark.parametrize("of", ["another resource", "another subject"])
def test_an_event_that_is_not_asked_for_still_says_where_to_go_on(client: httpx.Client, of: str) -> None:
    mine = resource()
    asked = {"resource": mine, "subject": "/party/1"}
    other = {"another resource": asked | {"resource": resource()}, "another subject": asked | {"subject": "/party/2"}}
    names = publish(client, asked, other[of], asked)
    answer = client.get(EVENTS, params={"resource": mine, "subject": "/party/1", "after": names[1]})
    assert ids(answer) == names[2:]


# A filter that came in a header


def about_two(client: httpx.Client, app: str) -> tuple[str, list[str]]:
    """A person's number, and the ids of its four events among those of somebody else."""
    person = a_person()
    hers, others = (of_app(app, alternativesubject=f"/person/{number}") for number in (person, a_person()))
    return person, publish(client, *[hers, others] * 4)[::2]


def test_the_link_alone_asks_for_the_alternative_subject_of_the_header(client: httpx.Client, app: str) -> None:
    person, names = about_two(client, app)
    header = {"Altinn-AlternativeSubject": f"/person/{person}"}
    first = client.get(EVENTS, params={"resource": of_app(app)["resource"], "after": "0", "size": "1"}, headers=header)
    second = client.get(first.headers["next"])
    third = client.get(second.headers["next"], headers=header)
    fourth = client.get(third.headers["next"])
    assert [ids(page) for page in (first, second, third, fourth)] == [[name] for name in names]
    assert ids(client.get(fourth.headers["next"])) == []


@pytest.mark.parametrize("path", ["app/party", "app/ttd/{app}"])
def test_the_link_alone_asks_for_the_person_of_the_header(client: httpx.Client, app: str, path: str) -> None:
    person, names = about_two(client, app)
    answer = client.get(f"{API}/{path.format(app=app)}?after=0&size=1", headers={"person": person})
    found = []
    while link := answer.headers.get("next"):
        assert person not in link  # addresses come into logs
        found += ids(answer)
        answer = client.get(link)
    assert found == names


def test_a_link_whose_filter_was_changed_is_refused(client: httpx.Client, app: str) -> None:
    person, _ = about_two(client, app)
    link = client.get(f"{API}/app/ttd/{app}?after=0&size=1", headers={"person": person}).headers["next"]
    for sealed in ("x", "\u00e6", f"/person/{person}", dict(parse_qsl(link))["alternativeSubject"][:-3]):
        answer = client.get(f"{API}/app/ttd/{app}", params={"after": "0", "alternativeSubject": sealed})
        assert (answer.status_code, "send the header again" in answer.json()["detail"]) == (400, True)
    assert client.get(f"{link}&party=1").status_code == 400


def test_a_page_ends_early_when_its_events_are_large(client: httpx.Client) -> None:
    where = resource()
    for _ in range(8):
        publish(client, {"resource": where, "data": "x" * 1_000_000})
    pages = walk(client, EVENTS, [("resource", where), ("after", "0")])
    assert [len(page) for page in pages] == [4, 4]
