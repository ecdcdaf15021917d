"""Reading events from page to page, by links."""

from __future__ import annotations

import threading
import uuid
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

import pytest

from tests.helpers.event_pages import API, EVENTS, SCOPES, a_person, ids, of_app, publish, resource, walk

if TYPE_CHECKING:
    import httpx

    from tests.servers.installation import Installation


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


@pytest.mark.dialects
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
    """A person's number, and the ids of the person's four events, which lie among others'."""
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
