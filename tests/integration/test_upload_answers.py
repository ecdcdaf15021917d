"""Recipients that follow their order, over HTTP: from the open order to the mails."""

from __future__ import annotations

import socket
from contextlib import closing
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit
from uuid import UUID

from sqlalchemy import insert, select

from engine.db.store import Store
from engine.db.tables import orders
from engine.models import new_id
from engine.orders import uploads
from tests.helpers.rows import now
from tests.helpers.waiting import wait_for
from tests.servers.installation import API, OPEN, order

if TYPE_CHECKING:
    import httpx

    from tests.servers.installation import Installation

CSV = {"Content-Type": "text/csv; charset=utf-8"}
NDJSON = {"Content-Type": "application/x-ndjson"}


def opened(client: httpx.Client, **members: object) -> str:
    answer = client.post(f"{API}/orders/email", json=OPEN | members)
    assert answer.status_code == 202
    return f"{API}/orders/{answer.json()['orderId']}"


def test_an_order_gets_its_recipients_line_by_line_and_begins_when_it_is_closed(installation: Installation) -> None:
    with installation.client() as client:
        its = opened(client)
        assert client.get(f"{its}/status").json()["processingStatus"]["status"] == "Registered"
        told = client.get(its).json()
        assert (told["recipientsFollow"], told["recipients"], told["priority"]) == (True, [], "Bulk")
        table = '\ufeffEmailAddress;Name\r\nkari@upload.example;Kari\r\n\r\nola;Ola\r\n"per@upload.example";"P;er"\r\n'
        upload = client.post(f"{its}/recipients", content=table.encode(), headers=CSV).json()
        assert (upload["nextLine"], upload["valid"], upload["invalid"], upload["duplicate"]) == (6, 2, 1, 0)
        assert [(fault["line"], fault["column"]) for fault in upload["report"]] == [(4, "emailAddress")]
        refused = client.put(f"{its}/close")
        assert refused.status_code == 409
        assert "1 line is no recipient" in refused.json()["detail"]
        more = b'{"emailAddress":"PER@upload.example"}\n{"emailAddress":"eva@upload.example"}'
        upload = client.post(f"{its}/recipients", params={"fromLine": 6}, content=more, headers=NDJSON).json()
        assert (upload["nextLine"], upload["valid"], upload["duplicate"]) == (8, 3, 1)
        assert client.get(f"{its}/recipients").json() == upload
        closed = client.put(f"{its}/close", params={"validOnly": "true"}).json()
        assert closed["status"] == "Registered"
        wait_for(lambda: client.get(f"{its}/status").json()["processingStatus"]["status"] == "Completed")
        summary = client.get(f"{its}/notifications/email").json()
        assert [each["recipient"]["emailAddress"] for each in summary["notifications"]] == [
            "kari@upload.example",
            "per@upload.example",
            "eva@upload.example",
        ]
        assert client.post(f"{its}/recipients", content=more, headers=NDJSON).status_code == 409
    for name in ("kari", "per", "eva"):
        assert len(wait_for(partial(installation.messages, f"{name}@upload.example"))) == 1


def test_an_upload_that_breaks_off_tells_where_to_go_on(installation: Installation) -> None:
    lines = [b'{"emailAddress":"mottaker%d@example.no"}\n' % number for number in range(20_000)]
    with installation.client() as client:
        its = opened(client)
        address = urlsplit(installation.address)
        head = f"POST {its}/recipients HTTP/1.1\r\nHost: {address.netloc}\r\nContent-Type: application/x-ndjson\r\n"
        head += f"Authorization: {client.headers['authorization']}\r\nContent-Length: 10000000\r\n\r\n"
        with socket.create_connection((address.hostname, address.port)) as connection:
            connection.sendall(head.encode() + b"".join(lines[:15_000]) + b'{"emailAddr')
            wait_for(lambda: client.get(f"{its}/recipients").json()["valid"])
        next_line = client.get(f"{its}/recipients").json()["nextLine"]
        assert 1 < next_line <= 15_001

        def again() -> dict[str, int]:
            """Nothing while the server still reads the one that broke off: the next line is another by then."""
            answer = client.post(f"{its}/recipients", content=b"".join(lines), headers=NDJSON)
            return {} if answer.status_code == 409 else dict(answer.raise_for_status().json())

        upload = wait_for(again)
        assert (upload["nextLine"], upload["valid"], upload["duplicate"]) == (20_001, 20_000, 0)
        assert client.put(f"{its}/cancel").status_code == 200


def test_a_dry_run_tells_what_would_follow_and_stores_nothing(installation: Installation) -> None:
    with installation.client() as client:
        its = opened(client, requestedSendTime="2099-12-24T08:00:00Z", subject="Til $recipientName$")
        text = b'{"emailAddress":"kari@dry.example"}\n{"emailAddress":"kari@dry.example"}\n{}\n'
        told = client.post(f"{its}/recipients", params={"dryRun": "true"}, content=text, headers=NDJSON).json()
        assert (told["valid"], told["invalid"], told["duplicate"], told["nextLine"]) == (1, 1, 1, 4)
        run = told["dryRun"]
        assert run["sendTimes"] == [{"zone": "UTC", "time": "2099-12-24T08:00:00Z", "recipients": 1}]
        assert run["sample"] == {
            "to": "kari@dry.example",
            "subject": "Til $recipientName$",
            "body": "Hei!",
            "contentType": "Plain",
        }
        stored = client.get(f"{its}/recipients").json()
        assert (stored["nextLine"], stored["valid"], stored["report"]) == (1, 0, [])


def test_what_an_open_order_must_not_have_is_told(installation: Installation) -> None:
    with installation.client() as client:
        both = client.post(f"{API}/orders/email", json=order(recipientsFollow=True, priority="Instant"))
        assert (both.status_code, set(both.json()["errors"])) == (400, {"Recipients", "Priority"})
        its = opened(client)
        wrong = client.post(f"{its}/recipients", content=b"name\nkari@example.no\n", headers=CSV)
        assert (wrong.status_code, set(wrong.json()["errors"])) == (400, {"line 1"})
        assert client.post(f"{its}/recipients", content=b"", params={"fromLine": 2}, headers=NDJSON).status_code == 409
        assert client.put(f"{its}/close").status_code == 400
        posted = client.post(f"{API}/orders/email", json=order()).json()["orderId"]
        assert client.get(f"{API}/orders/{posted}/recipients").status_code == 404


def test_a_dry_run_tells_when_emails_begin_to_go_in_each_zone(installation: Installation) -> None:
    window = {"zone": "Europe/Oslo", "from": "09:00", "to": "17:00"}
    text = b'{"emailAddress":"kari@zone.example"}\n{"emailAddress":"jo@zone.example","timeZone":"America/New_York"}\n'
    with installation.client() as client:
        its = opened(client, requestedSendTime="2099-12-24T06:00:00Z", sendingWindow=window)
        told = client.post(f"{its}/recipients", params={"dryRun": "true"}, content=text, headers=NDJSON).json()
    assert told["dryRun"]["sendTimes"] == [
        {"zone": "Europe/Oslo", "time": "2099-12-24T08:00:00Z", "recipients": 1},
        {"zone": "America/New_York", "time": "2099-12-24T14:00:00Z", "recipients": 1},
    ]


def test_a_creator_has_so_many_open_orders_and_no_more(installation: Installation) -> None:
    database = installation.environment()["VARSEL_DATABASE_URL"]
    posted = {"subject": "Hei", "body": "Hei!", "recipientsFollow": True}
    with installation.client("opens") as client:
        first = client.post(f"{API}/orders/email", json=posted, headers={"Idempotency-Key": "first"}).json()["orderId"]
        with closing(Store(database)) as store:
            _open_copies(store, UUID(first), uploads.MOST_OPEN - 1)
            refused = client.post(f"{API}/orders/email", json=posted)
            assert refused.status_code == 409
            assert "close or cancel one first" in refused.json()["detail"]
            known = client.post(f"{API}/orders/email", json=posted, headers={"Idempotency-Key": "first"})
            assert known.json()["orderId"] == first, "an order that is there is answered as ever"
        client.put(f"{API}/orders/{first}/withdraw")
        assert client.post(f"{API}/orders/email", json=posted).status_code == 202


def _open_copies(store: Store, order_id: UUID, number: int) -> None:
    """So many further open orders like this one."""
    with store.write() as connection:
        row = dict(connection.execute(select(orders).where(orders.c.id == order_id)).mappings().one())
        del row["seq"]
        connection.execute(insert(orders), [row | {"id": new_id(now())} for _ in range(number)])
