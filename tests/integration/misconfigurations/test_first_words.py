"""What the doctor and the processes say about an installation's settings."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from contextlib import closing
from http import HTTPStatus
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import text

from engine.db.store import Store
from engine.text.urls import place
from tests.helpers.command import process
from tests.helpers.misconfigurations import ALL, NOWHERE, OIDC, SEQUENCES, USAGE, Parts, asked, findings
from tests.helpers.ports import free_port, has_ipv6
from tests.helpers.single_process import SingleProcess
from tests.helpers.waiting import patience, wait_for
from tests.servers.oidc import Provider
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Close, Say

if TYPE_CHECKING:
    from tests.servers.smtp_script import Action, Phase

pytestmark = pytest.mark.slow


def test_what_is_set_rightly_is_said_to_be_well(parts: Parts) -> None:
    url = parts.cache.user("app", *["~varsel:*", "~dramatiq*", "+@read", "+@write", "+@scripting", "+@transaction"])
    parts.cache.run("ACL", "SETUSER", "app", *["+@connection", "+info", "+time", "+config|get"])
    own = parts.as_app(USAGE, ALL, SEQUENCES, "GRANT SELECT ON alembic_version TO app") | {"redis_url": url}
    with Provider() as provider:
        found = findings(parts.good | own | {"oidc_issuer": provider.url} | OIDC)
    problems = [each for each in found if each["level"] == "problem" and each["name"] != "processes"]
    assert problems == []
    with SingleProcess(parts.folder, "worker", **parts.good | own) as worker:
        wait_for(lambda: any("1 worker run" in each["text"] for each in findings(parts.good | own)))
        worker.terminate()
        wait_for(lambda: worker.ended is not None)
        assert [line for line in worker.output.splitlines() if " INFO " not in line] == []
    assert worker.ended == 0


def test_text_is_utf_8_whatever_encoding_the_address_or_the_user_has(parts: Parts) -> None:
    parts.postgres.run(
        parts.database, f"ALTER ROLE varsel IN DATABASE \"{parts.database}\" SET client_encoding = 'SQL_ASCII'"
    )
    for query in ("", "?client_encoding=LATIN1"):
        with closing(Store(parts.good["database_url"] + query)) as store, store.read() as connection:
            assert connection.scalar(text("SELECT current_setting('client_encoding') || ' € 😀'")) == "UTF8 € 😀"


def test_an_issuer_that_calls_itself_otherwise_is_named(parts: Parts) -> None:
    with Provider() as provider:
        [told] = [
            each
            for each in findings(parts.good | {"oidc_issuer": f"{provider.url}/"} | OIDC)
            if each["name"] == "provider"
        ]
    assert f"calls itself {provider.url}: " in told["text"]
    assert "Set VARSEL_OIDC_ISSUER" in told["advice"]


def test_the_advice_names_the_schema_in_which_the_tables_are(parts: Parts) -> None:
    apart = "ALTER SCHEMA public RENAME TO apart"
    parts.postgres.run(parts.database, apart, f'ALTER DATABASE "{parts.database}" SET search_path = apart')
    url = parts.as_app("GRANT USAGE ON SCHEMA apart TO app")
    assert "GRANT INSERT ON ALL TABLES IN SCHEMA apart TO" in asked("needed: INSERT", parts.good | url)


@pytest.mark.parametrize("command", ["worker", "scheduler"])
def test_nothing_is_said_to_listen_at_a_port_that_cannot_be_had(command: str, parts: Parts) -> None:
    port = str(parts.relay.port)
    ended = process(command, **parts.good | {"metrics_port": port})
    assert ended.returncode == 1
    assert "starts" not in ended.stderr


def test_web_can_be_asked_once_it_says_that_it_starts(parts: Parts) -> None:
    with SingleProcess(parts.folder, "web", "--port", free_port(), **parts.good) as web:
        told: list[str] = []
        while not told:
            told = re.findall(r"starts: web, at http://127\.0\.0\.1:(\d+)", web.output)
            assert web.ended is None
        socket.create_connection(("127.0.0.1", int(told[0]))).close()


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
@pytest.mark.parametrize(("host", "asked", "processes"), [("::", ["127.0.0.1", "::1"], 1), ("::1", ["::1"], 2)])
def test_web_listens_at_addresses_of_ipv6(host: str, asked: list[str], processes: int, parts: Parts) -> None:
    arguments = ("web", "--host", host, "--port", 0, "--processes", processes)
    with SingleProcess(parts.folder, *arguments, **parts.good) as web:
        port = web.await_line(f"starts: web, at http://[{host}]:").rpartition(":")[2]
        for address in asked:
            url = f"http://{place(address, int(port))}/livez"
            assert httpx.get(url, timeout=patience()).status_code == HTTPStatus.OK


def test_a_key_set_that_was_never_had_is_not_said_to_stay(parts: Parts) -> None:
    with SingleProcess(
        parts.folder, "web", "--port", free_port(), **parts.good | {"jwks": f"https://{NOWHERE}/x"}
    ) as web:
        wait_for(lambda: "there is no key of bearer tokens from it" in web.output)
        assert "stay as they were" not in web.output


def test_tracing_without_its_extra_is_told(parts: Parts) -> None:
    hidden = parts.folder / "opentelemetry"
    hidden.mkdir()
    (hidden / "__init__.py").write_text("raise ImportError")
    own = {f"VARSEL_{name.upper()}": value for name, value in parts.good.items()} | {"VARSEL_TRACING": "true"}
    for command in ("doctor", "web", "worker"):
        done = subprocess.run(
            [sys.executable, "-m", "engine", command],
            env=os.environ | own | {"PYTHONPATH": str(parts.folder), "PORT": "0"},
            check=False,
            capture_output=True,
            text=True,
            timeout=patience(),
        )
        assert "pip install 'varsel[tracing]'" in done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert done.returncode == (4 if command == "doctor" else 1)


@pytest.mark.parametrize("missing", ["webhook_key", "redis_url", "smtp_url"])
def test_what_a_folder_of_up_has_does_not_help_other_processes(missing: str, parts: Parts) -> None:
    own = {name: value for name, value in parts.good.items() if name != missing}
    stale = parts.folder / ".varsel"
    (stale / "keys").mkdir(parents=True)
    (stale / "keys" / "webhook.key").write_text("k" * 32)
    ended = process("worker", **own, data=str(stale))
    assert ended.returncode == 1
    told = ended.stderr.strip().removeprefix("Error: ")
    [found] = [each for each in findings(own | {"data": str(stale)}) if each["text"] == told]
    assert found["level"] == "problem"
    assert "not start without it" in found["advice"]


def test_a_relay_that_wants_to_know_who_comes_is_told_and_gets_no_message(parts: Parts) -> None:
    cases: tuple[tuple[Phase, Action, str, str], ...] = (
        ("connect", Say(421, "busy"), "takes nothing for now (421", "Wait a little"),
        ("ehlo", Say(502, "5.5.1 what?"), "does not speak SMTP as Varsel does (502", "is the relay"),
        ("mail", Say(452, "4.3.1 disk full"), "takes nothing for now (452", "its room"),
        ("mail", Close(), "breaks the connection off", "lets this machine in"),
        ("rset", Say(451, "no"), "cannot be used (the relay did not answer RSET", "log"),
        ("mail", Say(550, "5.7.26 unauthenticated"), "whose domain does not let it send (550", "SPF"),
        ("mail", Say(530, "5.7.0 Authentication required"), "demands to be signed in to (530", "USER:PASSWORD@"),
        ("mail", Say(554, "5.7.1 Sender must be authenticated"), "demands to be signed in to (554", "USER:PASSWORD@"),
        (
            "mail",
            Say(550, "5.1.8 Sender domain unknown"),
            "takes no mail from VARSEL_FROM_ADDRESS (550",
            "that the relay lets",
        ),
    )
    for phase, reply, told, hint in cases:
        with ScriptedSMTP({phase: reply}) as relay:
            line = asked(told, parts.good | {"smtp_url": relay.url})
            assert not {"RCPT", "DATA"} & set(relay.verbs())
        assert hint in line
