"""The OpenAPI document is true: no 500, no status or answer that it does not describe, and its examples work."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from api.app import OPERATIONS
from api.recipients import NDJSON
from api.subscriptions import PATH as SUBSCRIPTIONS
from engine.db.store import Store
from engine.db.tables import subscriptions
from engine.resources import SCOPE_COMPOSED, SCOPE_SUPPORT, SCOPE_TEMPLATES
from tests.helpers.client import ask
from tests.servers.installation import API, OPEN, at, chain, order

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.servers.installation import Installation

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
SCOPES = (
    f"altinn:notifications.create {SCOPE_COMPOSED} altinn:events.publish altinn:events.subscribe {SCOPE_SUPPORT} "
    f"{SCOPE_TEMPLATES}"
)
HOUR = timedelta(hours=1)
SERVED = {operation.id: operation for operation in OPERATIONS}
WORKING = [name for name, operation in SERVED.items() if min(operation.responses) < 300]  # SMS is refused always


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # the one in which requests can disturb each other
def test_schemathesis_finds_nothing(installation: Installation, tmp_path: Path) -> None:
    token = installation.key.bearer("ttd", SCOPES, timedelta(hours=1))
    platform = installation.key.platform_token("ttd", "apps-test", timedelta(hours=1))
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{installation.address}/openapi.json",
        "--checks", CHECKS,
        "--header", f"Authorization: Bearer {token}",
        "--header", f"PlatformAccessToken: {platform}",
        "--max-examples", "8",
        "--phases", "examples,coverage,fuzzing",
        "--seed", "1",
        "--no-color",
        "--suppress-health-check", "all",
    ]  # fmt: skip
    media = {"SCHEMATHESIS_HOOKS": "tests.helpers.line_media", "PYTHONPATH": str(Path(__file__).parents[2])}
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=False, env=os.environ | media)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]


@dataclass(frozen=True)
class Page:
    """What people paste: the command of each operation, and the tokens."""

    commands: Mapping[str, str]
    tokens: Mapping[str, str]

    def asked(self, name: str) -> tuple[str, str, dict[str, str], bytes | None]:
        """What curl asks: method, URL, headers, body."""
        _, _, method, url, *options = shlex.split(self.commands[name])
        given = list(zip(options[::2], options[1::2], strict=True))
        fields = [
            re.sub(r"\$\w+", lambda found: self.tokens[found[0]], text) for option, text in given if option == "-H"
        ]
        body = next((text.encode() for option, text in given if option == "-d"), None)
        return method, url, dict(field.split(": ", 1) for field in fields), body


@pytest.fixture(scope="module")
def page(installation: Installation) -> Page:
    """The page for people."""
    found = unescape(ask("GET", f"{installation.address}/docs").raise_for_status().text)
    sections = re.findall(r'(?s)<section class="operation" id="([^"]+)">.*?<pre>(curl.*?)</pre>', found)
    [scopes] = re.findall('SCOPES="([^"]+)"', found)
    tokens = {
        "$TOKEN": installation.key.bearer("ttd", scopes, HOUR),
        "$PLATFORM_TOKEN": installation.key.platform_token("ttd", "apps-test", HOUR),
    }
    return Page({name: command.replace("\\\n", " ") for name, command in sections}, tokens)


def identified(installation: Installation, path: str) -> Mapping[str, object]:
    """What a reader fills into braces: names of what the reader has made."""
    with installation.client(scope=SCOPES) as client:
        if "templates" in path:
            put = SERVED["put_templates_name"]
            client.put(put.path.format(name="mine"), json=put.example).raise_for_status()
            return {"name": "mine"}
        if SUBSCRIPTIONS in path:
            made = client.post(SUBSCRIPTIONS, json=SERVED["post_subscriptions"].example).headers["location"]
            delivery = client.get(f"{made}/deliveries").json()["deliveries"][0]["id"]
            validate(installation, int(made.rpartition("/")[2]))
            return {"id": made.rpartition("/")[2], "delivery": delivery}
        if "recurring" in path:
            body = SERVED["post_recurring_orders"].example
            made = f"/{client.post(f'{API}/recurring-orders', json=body).json()['id']}"
        elif "chain" in path:
            made = client.post(f"{API}/future/orders", json=chain("kari@example.no")).headers["location"]
        elif path.endswith(("/recipients", "/close")):
            made = client.post(f"{API}/orders/email", json=OPEN).headers["location"]
            if "close" in path:
                its = f"{API}/orders/{made.rpartition('/')[2]}/recipients"
                client.post(its, content='{"emailAddress":"ola@example.no"}', headers={"Content-Type": NDJSON})
        else:
            made = client.post(f"{API}/orders/email", json=order(requestedSendTime=at(HOUR))).headers["location"]
        return {"id": made.rpartition("/")[2]}


def validate(installation: Installation, seq: int) -> None:
    """As the subscription's endpoint would, if it existed."""
    with closing(Store(installation.environment()["VARSEL_DATABASE_URL"])) as store, store.write() as connection:
        connection.execute(update(subscriptions).where(subscriptions.c.seq == seq).values(validated=True))


@pytest.mark.parametrize("name", WORKING)
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_a_command_of_the_page_works_as_it_is_pasted(installation: Installation, page: Page, name: str) -> None:
    method, url, headers, body = page.asked(name)
    if "{" in url:
        url = url.format_map(identified(installation, SERVED[name].path))
    answer = ask(method, url, headers=headers, content=body)
    assert answer.is_success, answer.text
