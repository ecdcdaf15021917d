"""Lists in the console: the search field, chips, totals, directions, and rows that are selected."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import pytest
from sqlalchemy import insert, select, update

from engine.db.tables import attempt_sums, deliveries, email_attempts, emails, jobs, orders, wordings
from engine.models import DeliveryState, EmailState, OrderState
from tests.helpers.rows import add_email, add_order, add_subscription, now

if TYPE_CHECKING:
    from engine.db.store import Store
    from tests.helpers.console import Site

FAILED: dict[str, Any] = {"state": EmailState.FAILED_BOUNCED, "due_at": None}


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("orders?q=kari@example.no", "orders?recipient=kari%40example.no"),
        ("emails?q=state:FAILED+kari", "emails?state=failed&recipient=kari"),
        ("emails?q=state:RETRYING", "emails?state=retrying"),
        ("emails?state=due&recipient=&q=reference:%22my+own%22&zone=Europe/Oslo", "emails?state=due&reference=my+own"),
        ("emails?state=due&q=state:later", "emails?state=later"),
        ("emails?state=due&cursor=1&sort=ascending&q=", "emails?state=due&sort=ascending"),
        ("orders?zone=Europe/Oslo&q=since:2026-05-01", "orders?since=2026-05-01T00%3A00%3A00%2B02%3A00"),
        ("audit?q=", "audit"),
    ],
)
def test_what_is_typed_becomes_the_address_of_the_list(site: Site, path: str, location: str) -> None:
    answer = site.browser("ola").get(f"/console/{path}")
    assert (answer.status_code, answer.headers.get("location")) == (303, f"/console/{location}")


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("emails?q=stat:failed", "This list has no key stat. Did you mean state:failed?"),
        ("emails?q=state:lost", "state: lost is none of waiting, due,"),
        (
            "orders?zone=Europe/Oslo&q=since:soon",
            "since: A time such as 2026-05-01T12:00:00+02:00, or how long ago: 90m, 24h, 7d.",
        ),
        ("orders?colour=red", "This list cannot be narrowed by colour. It can by state,"),
        ("orders?cursor=x", "Not a cursor of this list; begin at its newest page."),
        ("orders?sort=colour", "sort is ascending or descending."),
        ("orders?q=since:9999-12-31T23:59:59-14:00", "since: A time such as"),
        ("jobs?q=17", "This list cannot be narrowed."),
        ("jobs?cursor=x", "Not a cursor of this list"),
        ("jobs?state=Done", "This list cannot be narrowed by state."),
    ],
)
def test_what_is_wrong_stands_beside_the_search_field(site: Site, path: str, told: str) -> None:
    answer = site.browser("ola").get(f"/console/{path}")
    assert answer.status_code == 400
    [wrong] = re.findall(r'<p class="wrong" id="narrow-wrong" role="alert">(.*?)</p>', answer.text)
    assert told in unescape(wrong)
    typed = re.search(r"[?&]q=([^&]*)", path)
    if not path.startswith("jobs"):
        assert f'name="q" value="{typed[1] if typed else ""}"' in answer.text, "what was typed stays"
    assert "<table" not in answer.text
    assert "Remove: zone" not in answer.text


def test_what_is_wrong_in_a_labelled_field_stands_beside_it(site: Site) -> None:
    answer = site.browser("ola").get("/console/orders?q=&since=soon&creator=ttd")
    assert answer.status_code == 400
    assert re.search(r'<details id="more-filters" open>.*id="f-since-wrong">A time such as', answer.text, re.DOTALL)
    assert 'name="since" value="soon"' in answer.text
    assert "narrow-wrong" not in answer.text


def test_viewers_type_what_they_may_ask_for(site: Site) -> None:
    browser = site.browser("kari")
    assert browser.get("/console/emails?q=ttd").headers["location"] == "/console/emails?creator=ttd"
    assert browser.get("/console/emails?q=recipient:kari").status_code == 403
    assert "recipient:" not in browser.get("/console/emails").text


def test_each_condition_is_a_chip_that_can_be_removed(site: Site) -> None:
    path = "/console/emails?state=failed&recipient=kari@example.no&since=2026-05-01T00:00%2B02:00"
    page = site.browser("ola").get(path).text
    chips = dict(re.findall(r'<a href="([^"]*)" aria-label="Remove: ([^"]*)"', page))
    since = urlencode({"since": "2026-05-01T00:00:00+02:00"})
    assert {unescape(href): label for href, label in chips.items()} == {
        f"/console/emails?recipient=kari%40example.no&{since}": "State failed",
        f"/console/emails?state=failed&{since}": "Recipient kari@example.no",
        "/console/emails?state=failed&recipient=kari%40example.no": "From 2026-05-01T00:00:00+02:00",
    }
    assert 'aria-label="Narrowed by"' not in site.browser("ola").get("/console/emails").text


def test_totals_directions_and_pages_both_ways(site: Site, store: Store) -> None:
    with store.write() as connection:
        order = add_order(connection, state=OrderState.COMPLETED)
        for number in range(120):
            add_email(connection, order, address=f"person{number}@example.no", **FAILED)
    browser = site.browser("ola")

    def read(path: str) -> tuple[list[str], dict[str, str]]:
        page = browser.get(path).text
        links = {rel: unescape(href) for rel, href in re.findall(r'rel="(prev|next)" href="([^"]*)"', page)}
        assert ">120 e-mails<" in page
        turned = re.search(r'aria-sort="(\w+)"><a href="([^"]*)">', page)
        assert turned
        return re.findall(r">(person\d+)<", page), links | {turned[1]: unescape(turned[2])}

    first, links = read("/console/emails?state=failed")
    assert len(first) == 50
    assert {*links} == {"next", "descending"}
    second, further = read(links["next"])
    assert {*further} == {"prev", "next", "descending"}
    assert read(further["prev"])[0] == first
    third, last = read(further["next"])
    assert {*last} == {"prev", "descending"}
    assert read(last["prev"])[0] == second
    oldest, up = read(links["descending"])
    assert oldest == [*first, *second, *third][::-1][:50]
    assert read(up["next"])[0] == [*first, *second, *third][::-1][50:100]
    assert up["ascending"] == "/console/emails?state=failed"


def test_an_email_tells_when_it_was_sent_and_what_was_answered_last(site: Site, store: Store) -> None:
    with store.write() as connection:
        order = add_order(connection, state=OrderState.COMPLETED)
        seq = add_email(connection, order, state=EmailState.SUCCEEDED, due_at=None, attempts=2)
        lost = add_email(connection, order, **FAILED)
        line = {"claim": 1, "duration_ms": 1, "relay": "relay:25"}
        early, late = now().replace(year=2024, microsecond=0), now().replace(year=2025, microsecond=0)
        put_off = line | {"email_seq": seq, "at": early, "outcome": "deferred", "code": 451, "reply": "later"}
        sent = line | {"email_seq": seq, "at": late, "outcome": "accepted", "code": 250, "reply": "queued as 4Xk2"}
        refused = line | {"email_seq": lost, "at": early, "outcome": "rejected", "code": 550, "reply": "no such user"}
        connection.execute(insert(email_attempts), [put_off, sent, refused])
    page = site.browser("ola").get("/console/emails").text
    [row] = re.findall(r'<tr role="row">(?:(?!</tr>).)*250 queued as 4Xk2.*?</tr>', page, re.DOTALL)
    assert f"{late:%Y-%m-%d %H:%M:%S}" in row
    [row] = re.findall(r'<tr role="row">(?:(?!</tr>).)*550 no such user.*?</tr>', page, re.DOTALL)
    assert f"{early:%Y-%m-%d}" not in row


def test_an_action_on_selected_rows_asks_and_does_it_to_them_alone(site: Site, store: Store) -> None:
    with store.write() as connection:
        order = add_order(connection, state=OrderState.COMPLETED)
        for number in range(5):
            add_email(connection, order, address=f"person{number}@example.no", **FAILED)
        made = connection.execute(select(emails.c.id, emails.c.address).order_by(emails.c.id)).all()
    ids, addresses = [str(each.id) for each in made], [each.address for each in made]
    browser = site.browser("ola")
    listed = browser.get("/console/emails?state=failed").text
    assert [*re.findall(r'form="selected" name="ids" [^>]*value="([^"]*)"', listed)] == ids[::-1]
    assert " checked></td>" not in listed
    assert browser.get("/console/emails?state=failed&select=page").text.count(" checked></td>") == 5
    chosen = urlencode([("state", "failed"), ("ids", ""), *(("ids", each) for each in ids[1:4])])
    asked = browser.get(f"/console/emails/all/retry?{chosen}").text
    assert "<h1>Retry: 3 e-mails</h1>" in asked
    assert "<dt>Rows</dt><dd>3 selected</dd>" in asked
    assert [each in asked for each in addresses] == [False, True, True, True, False]
    answer = browser.answer(f"/console/emails/all/retry?{chosen}", "Retry: 3 e-mails")
    with store.read() as connection:
        job = connection.execute(select(jobs.c.total, jobs.c.filter)).one()
    assert job.total == 3
    assert all((each in job.filter) == (each in ids[1:4]) for each in ids)
    assert "Rows: 3 selected" in browser.get(answer.headers["location"]).text
    assert "narrowed to state failed, rows 3 selected" in browser.get("/console/audit").text


def test_without_a_selected_row_nothing_is_asked(site: Site, keys: dict[str, Any]) -> None:
    assert keys
    answer = site.browser("ola").get("/console/emails/all/retry?state=failed&ids=")
    assert answer.status_code == 400
    assert "No row is selected. Go back, and select the rows first." in answer.text


def test_only_lists_with_actions_and_only_operators_can_select(site: Site, store: Store, keys: dict[str, Any]) -> None:
    assert keys
    with store.write() as connection:
        connection.execute(update(orders).values(state=OrderState.REGISTERED, due_at=now() + timedelta(hours=1)))
    for name, path, expected in (
        ("ola", "orders", 1),
        ("ola", "emails", 1),
        ("ola", "deliveries", 1),
        ("kari", "emails", 0),
        ("ola", "events", 0),
        ("ola", "subscriptions", 0),
    ):
        assert site.browser(name).get(f"/console/{path}").text.count('form="selected"') == expected, (name, path)


def test_each_page_has_a_letter_of_its_own_and_the_list_of_keys_tells_it(site: Site) -> None:
    page = site.browser("anna").get("/console/orders").text
    letters = {unescape(name): key for key, name in re.findall(r'data-key="(\w)"[^>]*>([^<]*)</a>', page)}
    told = {unescape(name): key for key, name in re.findall(r"<kbd>g</kbd> <kbd>(\w)</kbd></dt><dd>([^<]*)<", page)}
    assert told == letters
    assert len({*letters.values()}) == len(letters) == page.partition("</nav>")[0].count("<li>")


def test_a_group_of_failures_is_called_by_what_was_answered(site: Site, store: Store) -> None:
    with store.write() as connection:
        said = {"key": "0123456789ab", "text": "550 5.1.1 no such user", "since": now(), "seen": now()}
        connection.execute(insert(wordings).values(said))
    browser = site.browser("ola")
    page = browser.get("/console/emails?failure=0123456789ab").text
    assert _chips(page) == ["Failure group: 550 5.1.1 no such user"]
    assert _chips(browser.get("/console/emails?failure=ba9876543210").text) == ["Failure group: ba9876543210"]


def test_a_group_whose_e_mails_failed_again_tells_how_many_attempts_its_parts_count(site: Site, store: Store) -> None:
    group = {"failure": "0123456789ab", "outcome": "rejected"}
    with store.write() as connection:
        said = {"key": group["failure"], "text": "550 5.1.1 no such user", "since": now(), "seen": now()}
        connection.execute(insert(wordings).values(said))
        ended = group | {"at": now() - timedelta(minutes=10), "relay": "relay:25", "domain": "a.no", "creator": "ttd"}
        connection.execute(insert(attempt_sums).values(ended | {"count": 6}))
        order = add_order(connection)
        for _ in range(3):
            line = group | {"email_seq": add_email(connection, order, **FAILED), "at": now(), "duration_ms": 1}
            connection.execute(
                insert(email_attempts), [line | {"relay": "relay:25", "reply": "", "claim": n} for n in (1, 2)]
            )
    page = site.browser("ola").get("/console/overview").text
    assert "<strong>3</strong> failed" in page
    assert "in 6 attempts:" in page


def test_an_e_mail_that_was_tried_is_not_called_new(site: Site, store: Store) -> None:
    with store.write() as connection:
        order = add_order(connection)
        add_email(connection, order, address="tried@example.no", attempts=2)
        add_email(connection, order, address="untried@example.no")
    page = site.browser("ola").get("/console/emails").text
    assert re.findall(r'@example\.no.*?class="state wait">(\w+)<', page, re.DOTALL) == ["New", "Waiting"]


def test_the_list_of_subscriptions_tells_what_waits_for_each(site: Site, store: Store) -> None:
    with store.write() as connection:
        waits, _nothing = (add_subscription(connection, f"https://{name}.example/hook") for name in ("a", "b"))
        push = {"subscription_seq": waits, "state": DeliveryState.WAITING, "due_at": now(), "attempts": 0}
        connection.execute(insert(deliveries), [push | {"created": now(), "last_update": now()}] * 3)
    page = site.browser("ola").get("/console/subscriptions").text
    found = re.findall(r'href="(/console/deliveries\?[^"]+)">(\d+)</a>', page)
    assert [(unescape(path), count) for path, count in found] == [
        (f"/console/deliveries?subscription={waits}&state=Waiting", "3")
    ]


def _chips(page: str) -> list[str]:
    """What the chips of a list say."""
    shown = re.findall(r"<li><span>(.*?)</span><a href", page, re.DOTALL)
    return [unescape(re.sub(r"<[^>]+>", "", each)) for each in shown]
