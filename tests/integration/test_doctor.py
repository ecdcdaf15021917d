"""The doctor looks at real servers: what it finds, and what it says to do."""

from __future__ import annotations

import json
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest
import redis
from sqlalchemy import text

from engine.auth.operators import Role, add
from engine.auth.tokens import DevelopmentKey
from engine.db.migrations import upgrade
from engine.db.store import Store
from engine.db.tables import processes
from engine.doctor import Finding, Level, Place, ask, broker, database, examine, files, relay
from engine.doctor.asking import living
from engine.observability.heartbeat import Heartbeat, Kind
from engine.settings import Settings
from tests.helpers.command import process, varsel
from tests.helpers.ports import free_port
from tests.helpers.waiting import SHORT, wait_for
from tests.servers.http import Receiver
from tests.servers.http import Say as Answer
from tests.servers.redis import Redis
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Hang, Say

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from tests.servers.installation import Installation
    from tests.servers.postgres import Postgres

SECRET = "s3cret-and-never-shown"


def place(folder: Path, *, url: str = "", redis_url: str = "", embedded: bool = True, **settings: Any) -> Place:
    return Place(Settings.model_validate(settings), folder, url, redis_url, embedded)


def problems(found: Iterable[Finding]) -> list[Finding]:
    return [each for each in found if each.level == Level.PROBLEM]


def one(found: Iterable[Finding], part: str) -> Finding:
    """The finding that says this; AssertionError when none or several do."""
    [finding] = [each for each in found if part in each.text]
    return finding


# The database


@pytest.mark.dialects
def test_a_database_with_the_newest_schema_is_fine(store: Store, database_url: str, tmp_path: Path) -> None:
    found = [*database.database(place(tmp_path, url=database_url))]
    assert {each.level for each in found} <= {Level.OK, Level.WARNING}
    assert one(found, "current (").level == Level.OK
    if store.dialect.name == "postgresql":
        assert one(found, "PostgreSQL ").level == Level.OK
        assert one(found, "clock").level == Level.OK
        assert "of 197 connections are in use" in one(found, "connections").text
    else:
        assert one(found, "SQLite ")
        assert one(found, "(WAL)").level == Level.OK


@pytest.mark.parametrize(
    ("revision", "told"), [("0001", "it is at 0001"), ("9999", "of a newer Varsel"), (None, "there is none")], ids=str
)
def test_another_schema_is_a_problem(
    revision: str | None, told: str, store: Store, database_url: str, tmp_path: Path
) -> None:
    with store.write() as connection:
        connection.execute(text("DELETE FROM alembic_version"))
        if revision:
            connection.execute(text("INSERT INTO alembic_version VALUES (:found)"), {"found": revision})
            connection.execute(text("UPDATE compatibility SET oldest = :found"), {"found": revision})
    [found] = problems(database.database(place(tmp_path, url=database_url)))
    assert told in found.text
    assert found.advice
    assert not [*database.processes(place(tmp_path, url=database_url))]


def test_postgresql_that_may_lose_what_it_confirmed_is_a_warning(postgres: Postgres, tmp_path: Path) -> None:
    url = postgres.database()
    with closing(Store(url)) as store:
        upgrade(store)
        with store.write() as connection:
            name = connection.execute(text("SELECT current_database()")).scalar_one()
            connection.execute(text(f'ALTER DATABASE "{name}" SET synchronous_commit = off'))
    found = one(database.database(place(tmp_path, url=url)), "synchronous_commit is off")
    assert found.level == Level.WARNING
    assert found.advice


def test_a_database_that_is_not_there_is_a_problem_with_a_reason(tmp_path: Path) -> None:
    [missing] = database.database(place(tmp_path, url=f"sqlite:///{tmp_path}/varsel.db"))
    assert missing.level == Level.PROBLEM
    assert f"{tmp_path}/varsel.db" in missing.text
    assert not [*tmp_path.iterdir()]
    url = f"postgresql://varsel:{SECRET}@127.0.0.1:1/varsel"
    [refused] = database.database(place(tmp_path, url=url))
    assert refused.level == Level.PROBLEM
    assert "refused" in refused.text
    assert SECRET not in str(refused)


def test_a_file_that_is_no_database_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "varsel.db").write_bytes(b"not a database, but long enough to be looked at" * 100)
    found = examine(place(tmp_path, url=f"sqlite:///{tmp_path}/varsel.db"), {"database": database.database})
    assert problems(found)


def test_processes_are_told_with_what_they_complain_about(store: Store, database_url: str, tmp_path: Path) -> None:
    here = place(tmp_path, url=database_url)
    assert {(each.text, each.advice) for each in problems(database.processes(here))} == {
        ("No worker runs: what becomes due will wait", "Start `varsel worker` (or `varsel up`)."),
        ("No scheduler runs: send times and retries wait", "Start `varsel scheduler` (or `varsel up`)."),
    }
    beating = [Heartbeat(store, Kind(name)) for name in ("worker", "scheduler", "web")]
    for heartbeat in beating:
        heartbeat.start()
    wait_for(lambda: not problems(database.processes(here)))
    assert [each.text for each in database.processes(here)] == ["1 scheduler, 1 web process, 1 worker run"]
    with store.write() as connection:
        connection.execute(processes.update().where(processes.c.kind == "worker").values(version="0.0.1"))
    old = one(database.processes(here), "of version 0.0.1")
    assert old.level == Level.WARNING
    for heartbeat in beating:
        heartbeat.stop()


# Redis


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Redis]:
    with Redis(tmp_path) as running:
        yield running


def redis_findings(server: Redis, folder: Path, **settings: str) -> list[Finding]:
    with redis.Redis.from_url(server.url) as client:
        for name, value in settings.items():
            client.config_set(name.replace("_", "-"), value)
    return [*broker.redis_server(place(folder, redis_url=server.url))]


def test_a_redis_that_keeps_what_it_is_given_is_fine(server: Redis, tmp_path: Path) -> None:
    found = redis_findings(server, tmp_path, appendonly="yes", appendfsync="always")
    assert {each.level for each in found} == {Level.OK}
    assert one(found, "appendfsync always")
    assert one(found, "version ")
    assert one(found, "clock")


@pytest.mark.parametrize(
    ("settings", "level", "told"),
    [
        ({"appendonly": "no"}, Level.WARNING, "appendonly is no"),
        ({"appendonly": "yes", "appendfsync": "no"}, Level.WARNING, "appendfsync is no"),
        ({"maxmemory_policy": "allkeys-lru"}, Level.PROBLEM, "allkeys-lru"),
        ({"maxmemory": "1100000"}, Level.WARNING, " of 1 MB"),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_a_redis_that_may_lose_something_is_told(
    settings: dict[str, str], level: Level, told: str, server: Redis, tmp_path: Path
) -> None:
    found = one(redis_findings(server, tmp_path, **settings), told)
    assert found.level == level
    assert found.advice


def test_a_redis_that_is_not_there_is_a_problem(tmp_path: Path) -> None:
    url = f"redis://:{SECRET}@127.0.0.1:1/0"
    [found] = broker.redis_server(place(tmp_path, redis_url=url))
    assert found.level == Level.PROBLEM
    assert "varsel up" in found.advice
    assert SECRET not in str(found)


# The relay


def relay_findings(server: ScriptedSMTP, folder: Path, **settings: Any) -> list[Finding]:
    ca_file = server.ca_file if server.tls else None
    return relay.relay(place(folder, **{"smtp_url": server.url, "smtp_ca_file": ca_file} | settings))


@pytest.mark.parametrize("tls", [None, "starttls", "implicit"])
def test_a_session_is_opened_as_for_delivery_and_no_mail_is_sent(tls: Any, tmp_path: Path) -> None:
    with ScriptedSMTP(tls=tls, credentials=("varsel", SECRET)) as server:
        found = relay_findings(server, tmp_path)
        server.wait_for(lambda: server.open == 0)
    assert {each.level for each in found if "certificate" not in each.text} == {Level.OK}
    assert one(found, "greets: relay.example ESMTP")
    assert one(found, "signed in as varsel")
    assert "SIZE 50000000, SMTPUTF8, PIPELINING, 8BITMIME" in one(found, "offers").text
    assert one(found, "takes mail from noreply@varsel.example")
    assert not {"RCPT", "DATA"} & set(server.verbs())
    assert server.verbs()[-3:] == ["MAIL", "RSET", "QUIT"]
    assert SECRET not in str(found)
    if tls:
        certificate = one(found, "certificate")
        assert certificate.level == Level.WARNING  # it is good for a few days alone
        assert "127.0.0.1" in certificate.text


def test_a_relay_that_offers_little_is_told(tmp_path: Path) -> None:
    with ScriptedSMTP(extensions=["SIZE 5000"]) as server:
        found = relay_findings(server, tmp_path)
    assert one(found, "SMTPUTF8: ").level == Level.WARNING
    assert one(found, "up to 5,000 bytes").level == Level.WARNING


@pytest.mark.parametrize(
    ("script", "told", "advice"),
    [
        ({"connect": Say(554, "5.7.1 go away")}, "554 5.7.1 go away", "this machine's address"),
        ({"auth": Say(535, "5.7.8 wrong")}, "535 5.7.8 wrong", "USER:PASSWORD"),
    ],
    ids=["connect", "auth"],
)
def test_a_relay_that_refuses_is_a_problem_in_its_own_words(
    script: Any, told: str, advice: str, tmp_path: Path
) -> None:
    with ScriptedSMTP(script, credentials=("varsel", SECRET)) as server:
        [found] = relay_findings(server, tmp_path)
    assert found.level == Level.PROBLEM
    assert told in found.text
    assert advice in found.advice


def test_a_certificate_of_somebody_else_is_a_problem(tmp_path: Path) -> None:
    with ScriptedSMTP(tls="starttls", cert_name="other.example") as server:
        [other] = relay_findings(server, tmp_path)
        [unknown] = relay_findings(server, tmp_path, smtp_ca_file=None)
    for found in (other, unknown):
        assert found.level == Level.PROBLEM
        assert "certificate" in found.text
        assert "VARSEL_SMTP_CA_FILE" in found.advice


def test_each_of_several_relays_and_the_file_of_routes_are_checked(tmp_path: Path) -> None:
    file = tmp_path / "routes.toml"
    with ScriptedSMTP() as server:
        file.write_text(f'[relays.own]\nurl = "{server.url}"\n')
        several = place(tmp_path, smtp_url=f"2*{server.url},smtp://127.0.0.1:1", routes_file=file)
        found = relay.relay(several)
        assert one(found, "routes.toml can be used").level == Level.OK
        own = f"own (127.0.0.1:{server.port})"
        assert {each.name for each in found if "greets" in each.text} == {
            f"relay 127.0.0.1:{server.port}",
            f"relay {own}",
        }
        assert {each.name for each in problems(found)} == {"relay 127.0.0.1:1"}
        file.write_text("broken")
        assert "VARSEL_ROUTES_FILE" in one(relay.relay(several), "is not TOML").text


def test_the_file_of_routes_is_checked_beside_the_development_inbox_too(tmp_path: Path) -> None:
    file = tmp_path / "routes.toml"
    beside_inbox = place(tmp_path, routes_file=file)
    with ScriptedSMTP() as server:
        file.write_text(f'[relays.own]\nurl = "{server.url}"\n[relays.gone]\nurl = "smtp://127.0.0.1:1"\n')
        found = relay.relay(beside_inbox)
        assert one(found, "that no route takes elsewhere stay in the development inbox").level == Level.OK
        assert one(found, "greets").name == f"relay own (127.0.0.1:{server.port})"
    [gone] = problems(found)
    assert gone.name == "relay gone (127.0.0.1:1)"
    assert f"HOST:PORT in [relays.gone] in {file}." in gone.advice
    assert "VARSEL_SMTP_URL" not in gone.advice
    file.write_text('[[route]]\ncreators = ["skd"]\nrelays = ["own"]\n')
    assert "VARSEL_ROUTES_FILE" in one(relay.relay(beside_inbox), "rule 1: knows no relay own").text


def test_a_relay_that_is_not_there_or_says_nothing_is_a_problem(tmp_path: Path) -> None:
    [refused] = relay.relay(place(tmp_path, smtp_url="smtp://127.0.0.1:1"))
    assert refused.level == Level.PROBLEM
    with ScriptedSMTP({"connect": Hang()}) as server:
        found = examine(place(tmp_path, smtp_url=server.url), {"relay": relay.relay}, within=0.5)
        server.release()
    assert "no answer within 0.5 s" in found[0].text


def test_an_installation_without_a_relay_is_told(tmp_path: Path) -> None:
    [fine] = relay.relay(place(tmp_path))
    assert fine.level == Level.OK
    [missing] = relay.relay(place(tmp_path, embedded=False, database_url="postgresql://db.example/varsel"))
    assert missing.level == Level.PROBLEM


# Files


def test_files_are_read_as_the_processes_read_them(tmp_path: Path) -> None:
    key = DevelopmentKey(tmp_path)
    operators = tmp_path / "operators.toml"
    add(operators, "anna", Role.ADMIN, "correct horse battery")
    good: dict[str, Any] = {
        "jwks": str(key.jwks),
        "platform_keys": key.platform,
        "webhook_key": "x" * 32,
        "operators_file": operators,
    }
    found = [*files.keys(place(tmp_path, **good))]
    assert {each.level for each in found} == {Level.OK}
    assert len(found) == 5
    assert "VARSEL_AUDIENCES" in one(found, "any audience").text
    assert not [each for each in files.keys(place(tmp_path, **good, audiences="urn:varsel")) if "audience" in each.text]
    operators.write_text("nonsense")
    broken: dict[str, Any] = {
        "jwks": str(operators),
        "platform_keys": tmp_path / "nowhere",
        "operators_file": operators,
    }
    broken |= {"audiences": "urn:varsel", "access_file": operators, "email_templates": tmp_path / "nowhere"}
    found = [*files.keys(place(tmp_path / "elsewhere", **broken))]
    assert len(problems(found)) == 6
    assert all(each.advice for each in found)


def test_what_is_for_development_alone_is_told_of_an_installation_with_a_database(tmp_path: Path) -> None:
    [fine] = files.settings(place(tmp_path))
    assert fine.level == Level.OK
    found = [*files.settings(place(tmp_path, database_url="postgresql://db.example/varsel"))]
    assert [each.level for each in found] == [Level.OK, Level.WARNING, Level.WARNING]


# The command


def test_the_doctor_finds_a_running_installation_well(installation: Installation) -> None:
    url = installation.settings.get("VARSEL_DATABASE_URL")
    settings = {"database_url": url} if url else {}

    def examined() -> Any:
        found = varsel("doctor", "--data", installation.folder, "--json", **settings)
        return found if found.exit_code == 0 else None

    items = json.loads(wait_for(examined).stdout)["items"]  # workers show themselves a moment after the API
    assert {each["name"] for each in items} >= {"database", "schema", "redis", "relay", "keys", "processes", "disk"}
    ready = varsel("wait-ready", "--url", installation.address)
    assert (ready.exit_code, ready.stdout) == (0, "ready\n")


def test_alive_names_who_lives_here(installation: Installation) -> None:
    url = installation.settings.get("VARSEL_DATABASE_URL")
    settings = {"database_url": url} if url else {}

    def asked() -> str | None:
        found = varsel("alive", "--data", installation.folder, **settings)
        return found.stdout if {"scheduler", "web", "worker"} <= set(found.stdout.split()) else None

    assert str(wait_for(asked)).startswith("alive: ")


def test_nobody_is_alive_whose_heartbeat_stopped_or_is_of_another_machine(store: Store, database_url: str) -> None:
    none = varsel("alive", database_url=database_url)
    assert (none.exit_code, none.stdout) == (4, "")
    assert "no process here" in none.stderr
    beating = Heartbeat(store, Kind("worker", settings={}))
    beating.start()
    wait_for(lambda: varsel("alive", database_url=database_url).exit_code == 0)
    with store.write() as connection:
        connection.execute(processes.update().values(host="another"))
    assert varsel("alive", database_url=database_url).exit_code == 4
    beating.stop()


def test_nobody_is_alive_who_ended_before_the_databases_clock_was_set_back(store: Store, database_url: str) -> None:
    gone, beating = (Heartbeat(store, Kind("worker", settings={"name": name})) for name in ("gone", "beating"))
    gone.start()
    wait_for(lambda: varsel("alive", database_url=database_url).exit_code == 0)
    with store.write() as connection:
        an_hour_later = {"id": uuid4(), "seen": datetime.now(UTC) + timedelta(hours=1)}  # it does not beat in this row
        connection.execute(processes.update().values(an_hour_later))
    gone.stop()
    assert varsel("alive", database_url=database_url).exit_code == 4
    beating.start()
    assert len(wait_for(lambda: living(database_url))) == 1
    beating.stop()


def test_who_lives_is_unknown_without_the_database_and_no_reason_to_restart() -> None:
    found = varsel("alive", database_url=f"postgresql://varsel@127.0.0.1:{free_port()}/varsel")
    assert (found.exit_code, found.stdout) == (0, "unknown: the database does not answer\n")


def test_the_doctor_says_what_to_do_and_ends_with_4(tmp_path: Path) -> None:
    done = process("doctor", "--data", tmp_path, smtp_url="smtp://127.0.0.1:1")
    assert done.returncode == 4
    lines = done.stdout.splitlines()
    assert any(line.startswith("problem  database") for line in lines)
    assert any("varsel up" in line for line in lines)
    assert "\x1b" not in done.stdout
    assert not [*tmp_path.iterdir()]


def test_settings_that_cannot_be_loaded_are_a_finding() -> None:
    found = varsel("doctor", databse_url="x")
    assert found.exit_code == 4
    assert found.stdout.startswith("problem  settings  unknown setting VARSEL_DATABSE_URL")


def test_what_a_relay_says_cannot_steer_the_terminal(tmp_path: Path) -> None:
    with ScriptedSMTP({"connect": Say(220, "relay \x1b[2Jgoes \u202eon")}) as server:
        found = varsel("doctor", "--data", tmp_path, smtp_url=server.url)
    assert "goes" in found.stdout
    assert found.stdout.replace("\n", "").isprintable()


def test_wait_ready_tells_what_the_api_waits_for() -> None:
    answer = {"status": "unavailable", "database": "the database does not answer", "redis": "ok"}
    with Receiver(Answer(503, json.dumps(answer).encode())) as receiver:
        ended = varsel("wait-ready", "--timeout", SHORT.total_seconds(), "--url", receiver.url)
    assert ended.exit_code == 4
    assert ended.stderr == f"Error: not ready within {SHORT.total_seconds():g} s: the database does not answer\n"


# The settings of processes


def test_the_settings_of_running_processes_are_checked_and_not_the_shells(
    store: Store, database_url: str, tmp_path: Path
) -> None:
    missing = tmp_path / "quotas.toml"
    told = {"web": {"quotas_file": str(missing), "lease": "30"}, "worker": {"lease": "60", "metrics_port": "9191"}}
    beats = [Heartbeat(store, Kind(kind, settings=its)) for kind, its in told.items()]
    for beat in beats:
        beat.start()
    try:
        wait_for(lambda: len(ask(database_url)) == len(beats))
        ended = varsel("doctor", "--json", database_url=database_url, limits_file=str(tmp_path / "limits.toml"))
        found = [f"{each['level']}: {each['text']}" for each in json.loads(ended.stdout)["items"]]
    finally:
        for beat in beats:
            beat.stop()
    assert one_of(found, "as the processes of this machine tell: web ")
    assert one_of(found, "processes differ in VARSEL_LEASE: 30 for web ").startswith("warning")
    assert one_of(found, str(missing)).startswith("problem")
    assert not any("limits.toml" in each or "METRICS_PORT" in each for each in found)
    assert ask(database_url) == []


def test_without_processes_the_commands_own_settings_are_checked(database_url: str, tmp_path: Path) -> None:
    ended = varsel("doctor", "--json", database_url=database_url, limits_file=str(tmp_path / "limits.toml"))
    found = [each["text"] for each in json.loads(ended.stdout)["items"]]
    assert one_of(found, "those of this command, since no process of this machine tells its own")
    assert one_of(found, "limits.toml")


def one_of(found: Iterable[str], part: str) -> str:
    [text] = [each for each in found if part in each]
    return text
