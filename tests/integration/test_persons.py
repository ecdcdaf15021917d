"""A person's erasure and export by address, on both databases: everything that is known, and what waits for it."""

from __future__ import annotations

import json
from datetime import timedelta
from threading import Thread
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Text, func, select, update

from engine.admin.pausing import pause
from engine.admin.persons.erasure import Erasure
from engine.admin.persons.person import Person
from engine.db.tables import contacts, email_attempts, emails, events, metadata, orders, portions, recurring_orders
from engine.events.storing import persist
from engine.models import EmailState, OrderState, new_id
from engine.orders import portions as generating
from engine.orders import uploads
from engine.orders.generation import insert
from engine.orders.quotas import Quotas
from tests.helpers.cli import Cli
from tests.helpers.processing import batch, made, told
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, now
from tests.helpers.uploads import lines, make_portions, opened, sent, seq_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

    from engine.db.store import Store
    from engine.orders.generation import EmailRow

KARI, OLA = "Kari.O'Nes@Blåbær.no", "ola@example.no"
KEY = "a key of 32 characters or more .."
LATER = timedelta(hours=1)


@pytest.fixture
def cli(store: Store) -> Cli:
    return Cli(store.engine.url.render_as_string(hide_password=False), webhook_key=KEY)


def to(*addresses: str) -> str:
    return json.dumps([{"emailAddress": address, "values": "secret"} for address in addresses])


def fill(store: Store) -> dict[str, int]:
    """Orders and all else that has the address; returns what orders and one e-mail are called."""
    done: dict[str, Any] = {"state": OrderState.COMPLETED}
    ended: dict[str, Any] = {"state": EmailState.FAILED_BOUNCED, "due_at": None}
    with store.write() as connection:
        alone = add_order(connection, recipients=to(KARI), subject="Til Kari", body="Kjære Kari", **done)
        both = add_order(connection, recipients=to(OLA, KARI.lower()), state=OrderState.PROCESSED)
        by_number = add_order(connection, recipients=json.dumps([{"nationalIdentityNumber": "01017512345"}]), **done)
        waits = add_order(connection, due_in=LATER, recipients=to("kari.o'nes@xn--blbr-roah.no"), subject="Til Kari")
        among = add_order(connection, due_in=LATER, recipients=to(KARI, OLA))
        add_email(connection, by_number, address=KARI, national_identity_number="01017512345", **ended)
        tried = add_email(
            connection,
            alone,
            address=KARI,
            recipient_name="Kari Nes",
            given='{"values": {"name": "Kari Nes"}}',
            **ended,
        )
        line: dict[str, Any] = {"email_seq": tried, "at": now(), "claim": 1, "outcome": "rejected", "phase": "rcpt"}
        line |= {"code": 550, "reply": f"5.1.1 <{KARI}>: no such user", "relay": "relay:25", "duration_ms": 3}
        connection.execute(email_attempts.insert().values(line))
        add_email(connection, both, address=OLA, **ended)
        waiting = add_email(connection, both, address=KARI.lower(), due_in=LATER)
        add_subscription(connection, f"mailto:{KARI}", template="event")
        contact = {"identity": "01017512345", "name": "Kari Nes", "email": KARI, "is_reserved": False}
        connection.execute(contacts.insert().values(contact))
        attributes = {"subject": f"/user/{KARI}", "source": "https://x.example/kari.o'nes%40bl%C3%A5b%C3%A6r.no"}
        text = json.dumps({"data": KARI}, ensure_ascii=False)
        persist(connection, [an_event(**attributes, alternative_subject=KARI, text=text)])
        pause(connection, "anna", "creator", "skd", f"asked by {KARI}")
        entries = [{"emailAddress": KARI, "values": {"name": "Kari Nes"}}, {"emailAddress": OLA}]
        row = {"order_seq": both, "number": 1, "first": 0, "recipients": json.dumps(entries), "digests": b""}
        connection.execute(portions.insert().values(row))
        made = json.dumps({"order": {"recipients": to(KARI, OLA)}, "has_identity": False})
        weekly = {"id": new_id(now()), "creator": "ttd", "name": "weekly", "fingerprint": "", "created": now()}
        weekly |= {"cron": "0 9 * * 1", "zone": "Europe/Oslo", "missed": "Once", "order_row": made}
        connection.execute(recurring_orders.insert().values(weekly))
    return {"alone": alone, "both": both, "waits": waits, "among": among, "waiting": waiting}


def left(store: Store) -> dict[str, list[str]]:
    """Where the address, the number or the name stands, in any text of any table."""
    found: dict[str, list[str]] = {}
    with store.read() as connection:
        for table in metadata.tables.values():
            for column in table.c:
                if not isinstance(column.type, Text) and not hasattr(column.type, "length"):
                    continue
                texts = [str(text) for text in connection.scalars(select(column).where(column.is_not(None)))]
                words = ("kari.o'nes", "01017512345", "kjære", 'secret", "', "kari nes")
                if has := [text for text in texts if any(word in text.lower() for word in words)]:
                    found[f"{table.name}.{column.name}"] = has
    return found


def test_an_address_is_erased_from_every_table_and_a_receipt_says_how_often(store: Store, cli: Cli) -> None:
    its = fill(store)
    assert {"orders.recipients", "emails.address", "contacts.name", "audit_log.detail"} <= left(store).keys()
    receipt = json.loads(cli.text("persons", "erase", KARI, "--yes", "--json"))
    assert left(store).keys() <= {"pauses.reason"}
    counts = receipt["counts"]
    assert (counts["e-mails"], counts["orders"], counts["contacts"]) == (3, 6, 1)
    assert (counts["e-mails that waited"], counts["orders that waited"], counts["events"]) == (1, 1, 1)
    assert counts["subscriptions that sent there"] == 1
    assert receipt["erased"] == Person.of("kari.o'nes@blåbær.NO").mark(KEY)
    lines = cli.items("audit", "list", "--target", f"persons/{receipt['erased']}")
    assert [line["detail"] for line in lines] == [counts, {"begun": True}]
    with store.read() as connection:
        orders_now = {row.seq: row for row in connection.execute(select(orders))}
        ended = connection.execute(select(emails).where(emails.c.seq == its["waiting"])).one()
    assert (orders_now[its["alone"]].subject, orders_now[its["alone"]].body) == ("", "")
    assert orders_now[its["waits"]].state == OrderState.CANCELLED
    assert orders_now[its["both"]].subject == "Hei"
    assert [each.get("emailAddress") for each in json.loads(orders_now[its["among"]].recipients)] == [None, OLA]
    assert (ended.state, ended.address, ended.due_at) == (EmailState.FAILED, "", None)
    assert told(store, orders_now[its["both"]].id) == ["order.completed", "email.failed"]
    assert told(store, orders_now[its["waits"]].id) == ["order.cancelled"]
    again = json.loads(cli.text("persons", "erase", KARI, "--yes", "--json"))
    assert not any(again["counts"].values())


def test_an_order_goes_on_without_who_was_erased(store: Store, cli: Cli) -> None:
    its = fill(store)
    cli.text("persons", "erase", KARI, "--yes")
    with store.write() as connection:
        connection.execute(update(orders).where(orders.c.seq == its["among"]).values(due_at=now()))
    batch(store)
    states = {row.address: row.state for row in made(store, its["among"])}
    assert states == {"": EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED, OLA: EmailState.NEW}


def test_an_order_that_is_processed_meanwhile_is_erased_with_its_email(store: Store) -> None:
    with store.write() as connection:
        add_order(connection, due_in=LATER, recipients=to(KARI), subject="Til Kari")
    erasure, more, number = Erasure(Person.of(KARI), "anna", "mark"), True, 0
    while more:
        with store.write() as connection:
            more = erasure.step(connection)
        number += 1
        if number == 4:  # its e-mails are looked for already
            with store.write() as connection:
                connection.execute(update(orders).values(due_at=now()))
            batch(store)
    assert not left(store)
    with store.read() as connection:
        assert connection.scalars(select(emails.c.state)).all() == [EmailState.FAILED]


def test_nothing_is_taken_out_of_a_workers_hands(store: Store, cli: Cli) -> None:
    its = fill(store)
    leased: dict[str, Any] = {"state": EmailState.SENDING, "due_at": now() + LATER}
    with store.write() as connection:
        connection.execute(update(emails).where(emails.c.seq == its["waiting"]).values(leased))
    before = left(store)
    assert "is being sent at this moment" in cli.refused(5, "persons", "erase", KARI, "--yes")
    assert left(store) == before
    with store.write() as connection:
        connection.execute(update(emails).where(emails.c.seq == its["waiting"]).values(state=EmailState.NEW))
        connection.execute(update(orders).where(orders.c.seq == its["among"]).values(unresolved=1))
    assert "is being processed at this moment" in cli.refused(5, "persons", "erase", KARI, "--yes")


def test_all_that_is_known_of_an_address_is_one_document(store: Store, cli: Cli) -> None:
    fill(store)
    cli.text("keys", "create", "--kind", "team", "--creator", "ttd", "--name", "trial", "--guest", KARI, "--guest", OLA)
    document = json.loads(cli.text("persons", "export", KARI))
    assert document["address"] == KARI
    assert [contact["name"] for contact in document["contacts"]] == ["Kari Nes"]
    assert sorted(each["order"]["subject"] for each in document["emails"]) == ["Hei", "Hei", "Til Kari"]
    assert [len(order["recipients"]) for order in document["orders"]] == [1, 1]
    assert len(document["events"]) == len(document["subscriptions"]) == 1
    assert [each["name"] for each in document["recurring orders"]] == ["weekly"]
    assert document["guests of keys"] == [{"creator": "ttd", "name": "trial"}]
    assert OLA not in json.dumps(document)
    assert [line["target"] for line in cli.items("audit", "list", "--action", "export")] == [
        f"persons/{Person.of(KARI).mark(KEY)}"
    ]
    assert "valid e-mail address" in cli.refused(2, "persons", "export", "kari")


def test_others_whose_address_is_alike_stay(store: Store, cli: Cli) -> None:
    alike = ("xkari.o'nes@blåbær.no", "kari_o'nes@blåbær.no", "kari.o'nes@blåbær.no.example", "kari.o'nes@x.blåbær.no")
    with store.write() as connection:
        order = add_order(connection, recipients=to(*alike), state=OrderState.PROCESSED)
        for address in alike:
            add_email(connection, order, address=address)
            persist(connection, [an_event(subject=address)])
    receipt = json.loads(cli.text("persons", "erase", KARI, "--yes", "--json"))
    assert not any(receipt["counts"].values())
    with store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(events).where(events.c.subject.in_(alike))) == 4


@pytest.mark.dialects
def test_who_follows_an_order_and_is_erased_while_their_portion_is_made_gets_nothing(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    order_id = opened(store)
    sent(store, order_id, lines("kari@example.no", OLA))
    with store.write() as connection:
        uploads.close(connection, Quotas(None), "ttd", order_id, valid_only=False)
    batch(store)

    def erase() -> None:
        erasure, more = Erasure(Person.of("kari@example.no"), "anna", "mark"), True
        while more:
            with store.write() as connection:
                more = erasure.step(connection)

    eraser = Thread(target=erase)

    def meanwhile(connection: Connection, rows: Iterable[EmailRow]) -> None:
        kept = list(rows)
        eraser.start()
        eraser.join(0.5)  # it waits for this transaction, or would have missed these e-mails
        insert(connection, kept)

    monkeypatch.setattr(generating, "insert", meanwhile)
    make_portions(store)
    eraser.join()
    assert {row.address: row.state for row in made(store, seq_of(store, order_id))} == {
        "": EmailState.FAILED,
        OLA: EmailState.NEW,
    }
