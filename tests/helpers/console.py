"""The console over HTTP: three operators, a database with one of everything, and browsers without a screen."""

from __future__ import annotations

import asyncio
import functools
import json
import re
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING, Any

import argon2
import httpx
from dramatiq.brokers.redis import RedisBroker
from sqlalchemy import update
from starlette.applications import Starlette
from starlette.middleware import Middleware

from api import root_path
from api.console.application import console, prepare
from api.paths import CanonicalPaths
from api.root_path import RootPath
from engine.admin.resources import RESOURCES
from engine.auth.operators import Role
from engine.db.readers import Readers
from engine.db.tables import (
    api_keys,
    audit_log,
    deliveries,
    delivery_attempts,
    email_attempts,
    events,
    jobs,
    pauses,
    processes,
    recurring_orders,
    subscriptions,
)
from engine.db.writers import Writers
from engine.models import EmailState, OrderState, new_id
from engine.orders.quotas import Quotas
from engine.queue.broker import Notifier
from engine.settings import Settings
from tests.helpers.rows import add_email, add_order, add_subscription, an_event, now

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    import redis
    from sqlalchemy import Connection

    from engine.db.store import Store

PASSWORD = "correct horse battery"
ROLES = {"anna": Role.ADMIN, "ola": Role.OPERATOR, "kari": Role.VIEWER}
HOME = "http://127.0.0.1:5090"
SECRET = "secret@example.no"  # personal data in every place that may have some
# Markup, quotes, a bell, a terminal's colour, and characters that turn or hide text.
NASTY = f"{SECRET}<script>alert(1)</script>\"'><img src=x onerror=alert(1)>\u202egnp\u2066\x07\x1b[31m\u200b"


class Site:
    """The console as it is served, without the rest of the web application."""

    def __init__(self, store: Store, client: redis.Redis, folder: Path, address: str = HOME) -> None:
        file = operators_file(folder)
        config = Settings(webhook_key="a key of 32 characters or more ..", operators_file=file, base_url=address)
        self.store = store
        self.address = address
        root = root_path.of(config)
        self.app = Starlette(middleware=[Middleware(CanonicalPaths), Middleware(RootPath, root)] if root else [])
        state = self.app.state
        state.settings, state.store, state.redis, state.quotas = config, store, client, Quotas(config.quotas_file)
        state.readers = self.readers = Readers(store.engine.url.render_as_string(hide_password=False))
        state.writers = Writers(store)
        state.notifier = Notifier(client, RedisBroker(client=client))
        self.app.routes.extend(console(config, state))
        prepare(state, config)

    def browser(self, name: str) -> Browser:
        """A browser in which this operator has signed in."""
        browser = Browser(self)
        answer = browser.post("/console/sign-in", name=name, password=PASSWORD, next="/console/overview")
        assert answer.status_code == 303
        return browser


def operators_file(folder: Path) -> Path:
    """A file of ROLES, each with PASSWORD."""
    file = folder / "operators.toml"
    file.write_text(_operators())
    file.chmod(0o600)
    return file


@functools.cache
def _operators() -> str:
    """Operators with hashes that are quick to verify: a hash says how much work it takes."""
    quick = argon2.PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    return "\n".join(
        f'[operators.{name}]\nrole = "{role}"\npassword = "{quick.hash(PASSWORD)}"' for name, role in ROLES.items()
    )


class Browser:
    """A browser that keeps cookies and the token of the last page; it follows no redirects."""

    def __init__(self, site: Site) -> None:
        transport = httpx.ASGITransport(site.app, client=("127.0.0.1", 50_000))
        self.client = httpx.AsyncClient(transport=transport, base_url=site.address)

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self.client.get(path))

    def post(self, path: str, **fields: str) -> httpx.Response:
        """Post a form with this session's token."""
        return self.send(path, csrf=self.token(), **fields)

    def send(self, path: str, origin: str = HOME, **fields: str) -> httpx.Response:
        return asyncio.run(self.client.post(path, data=fields, headers={"Origin": origin}))

    def answer(self, path: str, says: str) -> httpx.Response:
        """Confirm the question at `path` if its text contains `says`."""
        asked = self.get(path)
        assert (asked.status_code, says in asked.text) == (200, True), asked.text
        given = self.send(path.partition("?")[0], **fields(asked.text))
        assert given.status_code == 303, given.text
        return given

    def token(self) -> str:
        page = self.get("/console/sign-in").text
        return unescape(re.findall(r'name="csrf" value="([^"]+)"', page)[0])


def fields(page: str) -> dict[str, str]:
    """The fields that a question's form sends, with its token."""
    [form] = re.findall(r'<form method="post" action="[^"]*" class="actions">(.*?)</form>', page, re.DOTALL)
    return {name: unescape(value) for name, value in re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', form)}


def _recurring(connection: Connection, text: str, label: str) -> UUID:
    """A recurring order of orders with this text, to it."""
    its_id, to = new_id(now()), json.dumps([{"emailAddress": text}])
    made = {"subject": text, "body": text, "senders_reference": text, "recipients": to}
    made |= {"sender": "from@example.no", "content_type": "Plain"}
    values = {"id": its_id, "creator": label[:100], "name": label[:100], "fingerprint": "", "created": now()}
    values |= {"cron": "0 9 * * 1", "zone": "Europe/Oslo", "missed": "Once", "last_fault": label}
    values |= {"order_row": json.dumps({"order": made, "has_identity": False}), "next_at": now() + timedelta(days=1)}
    connection.execute(recurring_orders.insert().values(values))
    return its_id


def fill(store: Store, text: str = NASTY, label: str = NASTY) -> dict[str, Any]:
    """One of everything, with `text` for what is personal data and `label` for the rest; returns keys by resource."""
    with store.write() as connection:
        keys: dict[str, Any] = {"orders": new_id(now()), "emails": new_id(now())}
        values: dict[str, Any] = {"senders_reference": text, "subject": text, "body": text, "content_type": "Html"}
        values["condition_endpoint"] = f"https://user:{text}@condition.example/{text}?token={text}"
        recipients = json.dumps([{"emailAddress": text}])
        order = add_order(
            connection,
            id=keys["orders"],
            state=OrderState.COMPLETED,
            recipients=recipients,
            creator=label[:100],
            **values,
        )
        email = add_email(connection, order, id=keys["emails"], address=text, state=EmailState.FAILED, due_at=None)
        line = {"at": now(), "duration_ms": 5, "outcome": "rejected", "reply": text}
        of_email = {"email_seq": email, "claim": 1, "relay": "relay:25", "phase": "rcpt", "code": 550}
        connection.execute(email_attempts.insert().values(line | of_email))
        event = an_event(type=label, subject=text, source=f"https://source.example/{text}", alternative_subject=text)
        row = {name: getattr(event, name) for name in ("id", "source", "type", "subject", "resource", "time", "text")}
        row |= {"alternative_subject": text, "registered": now(), "resource": label}
        keys["events"] = connection.execute(events.insert().values(row).returning(events.c.seq)).scalar_one()
        keys["subscriptions"] = add_subscription(
            connection, f"https://hooks.example/services/{text}?token={text}", consumer=label[:200], subject_filter=text
        )
        trouble = {"last_error": label, "paused_reason": label, "type_filter": json.dumps(label)}
        connection.execute(update(subscriptions).values(trouble))
        push = {"subscription_seq": keys["subscriptions"], "event_seq": keys["events"], "state": "Dead"}
        push |= {"created": now(), "last_update": now()}
        keys["deliveries"] = connection.execute(
            deliveries.insert().values(push).returning(deliveries.c.seq)
        ).scalar_one()
        connection.execute(
            delivery_attempts.insert().values(line | {"delivery_seq": keys["deliveries"], "status": 500})
        )
        job = {"created": now(), "last_update": now(), "state": "Done", "who": label[:200], "resource": "emails"}
        given = {"recipient": text, "reference": text}
        job |= {"action": "retry", "filter": json.dumps(given), "argument": label, "total": 1}
        keys["jobs"] = connection.execute(jobs.insert().values(job).returning(jobs.c.seq)).scalar_one()
        named = {
            "hash": "x",
            "kind": "team",
            "creator": label[:100],
            "name": label[:100],
            "scopes": label,
            "guests": text,
        }
        connection.execute(api_keys.insert().values(named | {"created": now(), "who": label[:200]}))
        keys["recurring"] = _recurring(connection, text, label)
        for resource, key in keys.items():
            done = {"at": now(), "who": label[:200], "action": "x", "target": f"{resource}/{key}"}
            detail = json.dumps({"filter": given, "from": text})
            connection.execute(audit_log.insert().values(done | {"detail": detail}))
        connection.execute(pauses.insert().values(kind="domain", value="example.no", at=now(), who="x", reason=label))
        process = {"id": new_id(now()), "kind": "worker", "host": label, "pid": 1, "version": "1", "relay": label}
        process |= {"started": now(), "seen": now(), "trouble": label, "trouble_since": now()}
        connection.execute(processes.insert().values(process))
    return keys


def pages(keys: dict[str, Any]) -> list[str]:
    lists = [f"/console/{resource}" for resource in RESOURCES]
    return [
        "/console/overview",
        "/console/rates",
        *lists,
        *(f"/console/{resource}/{key}" for resource, key in keys.items()),
    ]
