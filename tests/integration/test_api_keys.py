"""API keys on both databases: what requests with them may do, how soon they end, and what team and test keys send."""

from __future__ import annotations

import asyncio
import json
import re
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import update

from api.recipients import NDJSON
from engine.auth.api_keys.secrets import KeyKind, is_key, new_key
from engine.db.tables import emails
from engine.email.messages import Messages
from engine.email.simulation import Simulation
from engine.models import LEVELS, TEST, EmailState
from engine.queue.calendars import Calendars
from engine.queue.runner import Runner
from engine.queue.withdrawals import Withdrawals
from engine.resources import SCOPE_COMPOSED, SCOPE_SUBSCRIBE, SCOPE_TEMPLATES, status_resource
from tests.helpers.cli import Cli
from tests.helpers.client import connect
from tests.helpers.mails import fill, log, rows
from tests.helpers.processing import batch as process_orders
from tests.helpers.processing import place
from tests.helpers.relaying import deliver
from tests.helpers.waiting import LONG, wait_for
from tests.servers.installation import API, OPEN, at, chain, instant, order
from tests.servers.smtp import ScriptedSMTP

if TYPE_CHECKING:
    import httpx

    from engine.db.store import Store
    from tests.servers.installation import Installation

ORDERS = f"{API}/orders"
SECOND = timedelta(seconds=1)


@pytest.fixture
def cli(installation: Installation) -> Cli:
    return Cli(installation.environment()["VARSEL_DATABASE_URL"])


def make(cli: Cli, *words: str, creator: str = "nav") -> str:
    """A key's text."""
    text = cli.text("keys", "create", "--creator", creator, "--name", "Fagsystem", *words).strip()
    assert is_key(text)
    return text


def number(cli: Cli) -> int:
    """That of the newest key."""
    return int(cli.items("keys", "list")[0]["seq"])


def having(installation: Installation, key: str, **headers: str) -> httpx.Client:
    return connect(installation.address, headers={"Authorization": f"Bearer {key}"} | headers)


def works(client: httpx.Client) -> bool:
    return client.get(f"{ORDERS}?sendersReference=x").status_code == 200


def settled(client: httpx.Client, order_id: str) -> dict[str, str]:
    """What became of each address, once the order is completed."""

    def found() -> dict[str, str]:
        emails = client.get(f"{ORDERS}/{order_id}/notifications/email").json()["notifications"]
        status = client.get(f"{ORDERS}/{order_id}/status").json()["processingStatus"]["status"]
        states = {each["recipient"]["emailAddress"]: each["sendStatus"]["status"] for each in emails}
        return states if status == "Completed" and not {"New", "Sending"} & {*states.values()} else {}

    return wait_for(found)


def test_a_key_stands_in_place_of_a_token_and_the_database_has_its_hash_alone(
    installation: Installation, cli: Cli
) -> None:
    key = make(cli)
    with having(installation, key) as client:
        wait_for(lambda: works(client))
        placed = client.post(f"{ORDERS}/email", json=order("kari@keys.example"))
        assert client.get(f"{ORDERS}/{placed.json()['orderId']}").json()["creator"] == "nav"
        assert settled(client, placed.json()["orderId"]) == {"kari@keys.example": "Succeeded"}
        lacks = client.post(f"{API}/future/orders/composed-email", json={})
        assert (lacks.status_code, lacks.content) == (403, b"")
        assert f'scope="{SCOPE_COMPOSED}"' in lacks.headers["www-authenticate"]
        beside = {"PlatformAccessToken": installation.key.platform_token("ttd", "apps", timedelta(hours=1))}
        assert client.post(f"{ORDERS}/email", json=order(), headers=beside).status_code == 401
    [listed] = [item for item in cli.items("keys", "list") if item["seq"] == number(cli)]
    assert listed["last_used"] is not None
    assert key not in json.dumps(listed)
    assert key[-49:] not in "".join(installation.output)


def test_a_key_that_is_no_good_is_refused_and_told_why(installation: Installation) -> None:
    good = new_key(KeyKind.LIVE)
    wrong = {"malformed": good[:-1] + ("a" if good[-1] != "a" else "b"), "unknown, revoked or expired": good}
    with connect(installation.address) as client:
        for reason, key in wrong.items():
            answer = client.post(f"{ORDERS}/email", json=order(), headers={"Authorization": f"Bearer {key}"})
            assert (answer.status_code, answer.content) == (401, b"")
            assert (
                f'error="invalid_token", error_description="the API key is {reason}'
                in (answer.headers["www-authenticate"])
            )
        assert client.get(f"{ORDERS}/x", headers={"Cookie": f"AltinnStudioRuntime={good}"}).status_code == 401


def test_a_replaced_key_overlaps_with_its_successor_and_a_revoked_one_ends(
    installation: Installation, cli: Cli
) -> None:
    first = make(cli, "--days", "30")
    old = number(cli)
    second = cli.text("keys", "rotate", str(old), "--overlap", "1").strip()
    new = number(cli)
    with having(installation, first) as earlier, having(installation, second) as later:
        wait_for(lambda: works(earlier) and works(later))
        assert f"The key {old} of nav" in cli.text("keys", "revoke", str(old), "--yes")
        wait_for(lambda: not works(earlier))
        assert works(later)
        third = cli.text("keys", "rotate", str(new), "--overlap", "0").strip()
        wait_for(lambda: not works(later))
    with having(installation, third) as last:
        wait_for(lambda: works(last))
    assert "has ended already" in cli.refused(5, "keys", "rotate", str(old))
    assert "There is no key" in cli.refused(3, "keys", "revoke", "999999")
    ends = {item["seq"]: (item["state"], item["expires"]) for item in cli.items("keys", "list", "--creator", "nav")}
    assert ends[old][0] == ends[new][0] == "revoked"
    assert ends[new + 1][0] == "active"
    assert ends[new + 1][1] is not None
    assert [line["action"] for line in cli.items("audit", "list", "--target", f"keys/{old}")] == ["revoke", "create"]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--scope", "altinn:everything"], "cannot have altinn:everything"),
        (["--kind", "test", "--scope", "altinn:events.publish"], "A test key cannot have altinn:events.publish"),
        (["--kind", "team"], "A team key needs guests"),
        (["--guest", "kari@example.no"], "A team key needs guests"),
        (["--kind", "team", "--guest", "kari@"], "is no address, @domain or number"),
        (["--creator", "nav:test"], "A creator such as ttd"),
        (["--days", "0"], "From 1 to"),
    ],
)
def test_what_no_key_can_be_is_refused(cli: Cli, words: list[str], told: str) -> None:
    assert told in cli.refused(2, "keys", "create", "--creator", "nav", "--name", "x", *words)


def test_a_team_key_sends_to_its_guests_alone(installation: Installation, cli: Cli) -> None:
    words = ("--kind", "team", "--guest", "Kari@Team.example", "--guest", "@guests.example", "--guest", "910150804")
    with having(
        installation, make(cli, *words, "--scope", SCOPE_SUBSCRIBE, "--scope", "altinn:notifications.create")
    ) as client:
        wait_for(lambda: works(client))
        body = order("kari@team.example", "ola@team.example", "per@guests.example")
        body["recipients"] = [*body["recipients"], {"nationalIdentityNumber": "01017512345"}]  # type: ignore[misc]
        refused = client.post(f"{ORDERS}/email", json=body)
        assert (refused.status_code, list(refused.json()["errors"])) == (
            400, ["Recipients[1].EmailAddress", "Recipients[3].NationalIdentityNumber"]
        )  # fmt: skip
        assert "guest list" in refused.json()["errors"]["Recipients[1].EmailAddress"][0]
        reminding = client.post(f"{API}/future/orders", json=chain("kari@team.example", "ola@team.example"))
        assert list(reminding.json()["errors"]) == ["Reminders[0].Recipient.EmailAddress"]
        assert client.post(f"{API}/future/orders/instant/email", json=instant("ola@team.example")).status_code == 400
        weekly = {"name": "weekly", "cron": "0 9 * * 1", "zone": "Europe/Oslo", "order": body}
        again = client.post(f"{API}/recurring-orders", json=weekly)
        assert list(again.json()["errors"]) == [f"Order.{place}" for place in refused.json()["errors"]]
        opened = client.post(f"{ORDERS}/email", json=OPEN).json()["orderId"]
        lines = "".join(f'{{"emailAddress":"{name}@team.example"}}\n' for name in ("Kari", "ola"))
        told = client.post(f"{ORDERS}/{opened}/recipients", content=lines, headers={"Content-Type": NDJSON}).json()
        assert (told["valid"], [each["line"] for each in told["report"]]) == (1, [2])
        subscription = {
            "endPoint": "mailto:ola@team.example", "resourceFilter": status_resource("nav"), "template": "event",
            "typeFilter": "no.varsel.order.*",
        }  # fmt: skip
        told = client.post("/events/api/v1/subscriptions", json=subscription)
        assert (told.status_code, "guest list" in told.text) == (400, True)
        placed = client.post(f"{ORDERS}/email", json=order("KARI@team.example", "per@guests.example"))
        assert set(settled(client, placed.json()["orderId"]).values()) == {"Succeeded"}
    assert installation.messages("per@guests.example")


def test_orders_of_a_test_key_take_their_whole_way_and_nothing_is_sent(installation: Installation, cli: Cli) -> None:
    addresses = ["ola@tests.example", *(f"{kind}+1@simulator.varsel" for kind in ("bounced", "complained", "slow"))]
    scopes = ("--scope", SCOPE_SUBSCRIBE, "--scope", "altinn:notifications.create")
    key = make(cli, "--kind", "test", *scopes)
    mark = {"Idempotency-Key": "tests-and-others"}
    with having(installation, key) as client:
        wait_for(lambda: works(client))
        deferred = client.post(f"{ORDERS}/email", json=order("deferred@simulator.varsel")).json()["orderId"]
        placed = client.post(f"{ORDERS}/email", json=order(*addresses), headers=mark).json()["orderId"]
        urgent = client.post(f"{API}/future/orders/instant/email", json=instant("ola@tests.example"))
        assert urgent.status_code == 201
        states = settled(client, placed)
        shown = client.get(f"{ORDERS}/{placed}").json()
        wait_for(lambda: client.get(f"{ORDERS}/{deferred}/status").json().get("notificationsStatusSummary"))
        events = wait_for(lambda: told(client, placed))
    assert states == dict(
        zip(addresses, ("Succeeded", "Failed_Bounced", "Failed_FilteredSpam", "Succeeded"), strict=True)
    )
    assert (shown["creator"], shown["priority"]) == ("nav:test", "Test")
    assert all(event["data"]["test"] for event in events)
    assert {event["type"].rpartition(".")[2] for event in events} == {
        "completed", "succeeded", "failed_bounced", "failed_filteredspam"
    }  # fmt: skip
    [waiting] = cli.items("emails", "list", "--recipient", "deferred@simulator.varsel")
    assert (waiting["attempts"], waiting["last_code"], waiting["priority"]) == (1, 451, "Test")
    assert not [mail for address in addresses for mail in installation.messages(address)]
    live = installation.client("nav")
    with live:
        assert live.get(f"{ORDERS}/{placed}").status_code == 404
        again = live.post(f"{ORDERS}/email", json=order(*addresses[:1]), headers=mark)
        assert settled(live, again.json()["orderId"]) == {"ola@tests.example": "Succeeded"}
    assert len(wait_for(lambda: installation.messages("ola@tests.example"))) == 1


def told(client: httpx.Client, order_id: str) -> list[dict[str, Any]]:
    """The events of an order, once it is completed."""
    asked = {"after": "0", "resource": status_resource("nav:test"), "subject": f"/orders/{order_id}", "size": "50"}
    found: list[dict[str, Any]] = client.get("/events/api/v1/events", params=asked).raise_for_status().json()
    return found if any(event["type"].endswith("order.completed") for event in found) else []


def test_a_key_without_end_has_successors_without_end(cli: Cli) -> None:
    make(cli)
    old = number(cli)
    for _ in range(2):
        cli.text("keys", "rotate", str(old))
    found = {item["seq"]: item for item in cli.items("keys", "list")}
    assert [found[old + later]["expires"] for later in range(3)] == [None] * 3
    assert (found[old]["state"], found[old]["revoked"] is None) == ("active", False)


def test_a_test_key_names_the_templates_of_its_creator_and_hears_what_is_wrong_with_them(
    installation: Installation, cli: Cli
) -> None:
    broken = {"subject": "{{ 1 // n }}", "text": "{{ 1 // n }}", "locale": "en"}
    with installation.client("nav", SCOPE_TEMPLATES) as client:
        assert client.put(f"{API}/templates/broken", json=broken).status_code == 201
    recipient = {"emailAddress": "ola@tests.example", "values": {"n": 0}}
    templated = {"template": {"name": "broken"}, "recipients": [recipient]}
    late = order("slow@simulator.varsel", expiresAt=at(timedelta(days=3)))
    with having(installation, make(cli, "--kind", "test")) as client:
        wait_for(lambda: works(client))
        placed, slow = (client.post(f"{ORDERS}/email", json=each).json()["orderId"] for each in (templated, late))
        assert settled(client, placed) == {"ola@tests.example": "Failed"}
        assert settled(client, slow) == {"slow@simulator.varsel": "Succeeded"}
    [failed] = cli.items("emails", "list", "--order", placed)
    assert "its template cannot be rendered" in cli.text("emails", "show", failed["id"])


def test_a_token_that_names_a_creator_of_tests_names_nobody(installation: Installation) -> None:
    with installation.client("nav:test") as client:
        answer = client.post(f"{ORDERS}/email", json=order())
    assert (answer.status_code, answer.content) == (403, b"")


def test_keys_look_like_nothing_else() -> None:
    keys = {new_key(kind) for kind in KeyKind for _ in range(3)}
    assert len(keys) == 9
    for key in keys:
        assert re.fullmatch("varsel_(live|team|test)_[0-9A-Za-z]{49}", key)
        assert is_key(key)
        assert not is_key(key[:20] + ("x" if key[20] != "x" else "y") + key[21:])


def test_who_has_a_relay_claims_no_tests_and_the_simulator_nothing_else(store: Store) -> None:
    place(store, {"emailAddress": "order@tests.example"}, creator="nav:test", priority=LEVELS.index(TEST))
    of_test: dict[str, Any] = {"creator": "nav:test", "priority": LEVELS.index(TEST)}
    fill(store, "deferred@simulator.varsel", order=of_test, **of_test)
    fill(store, "live@tests.example")
    with ScriptedSMTP() as relay:
        deliver(store, relay.url, lambda deliverer: deliverer.run())
    process_orders(store)
    assert [mail.rcpt_tos for mail in relay.accepted] == [["live@tests.example"]]
    assert rows(store)["deferred@simulator.varsel"].claim == 0
    fill(store, "other@tests.example")
    simulate(store)
    assert (rows(store)["deferred@simulator.varsel"].state, log(store)[-1].code) == (EmailState.NEW, 451)
    with store.write() as connection:
        its = emails.c.address == "deferred@simulator.varsel"
        connection.execute(update(emails).where(its).values(due_at=emails.c.last_update))
    simulate(store)
    states = {address: row.state for address, row in rows(store).items()}
    assert states == {
        "deferred@simulator.varsel": EmailState.SUCCEEDED,
        "live@tests.example": EmailState.SUCCEEDED,
        "other@tests.example": EmailState.NEW,
    }


def simulate(store: Store) -> None:
    asyncio.run(Runner(store, Simulation(store.clock, Messages(), Calendars(), Withdrawals(store)), LONG).run())
