"""Installations with a misconfiguration, and what the doctor and the processes say about it."""

from __future__ import annotations

import json
from contextlib import ExitStack, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeAlias

from engine.auth.tokens import DevelopmentKey
from tests.helpers.command import varsel
from tests.helpers.ports import free_port
from tests.helpers.single_process import SingleProcess
from tests.helpers.waiting import wait_for
from tests.servers.pgbouncer import PgBouncer
from tests.servers.postgres import name_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.servers.smtp import ScriptedSMTP
    from tests.servers.strict import StrictPostgres, StrictRedis

Servers: TypeAlias = "tuple[StrictPostgres, StrictRedis, ScriptedSMTP]"
NOWHERE = "127.0.0.1:1"
OIDC = {"oidc_client_id": "varsel", "oidc_roles": "ops=admin"}


class Parts:
    """Servers without a fault, and the settings to use them; the database is a copy of `template`."""

    def __init__(self, folder: Path, stack: ExitStack, servers: Servers, template: str) -> None:
        self.folder, self.stack = folder, stack
        self.postgres, self.cache, self.relay = postgres, cache, relay = servers
        self.database = name_of(postgres.database(template))
        self.good = {
            "database_url": postgres.url(self.database, "varsel"),
            "redis_url": cache.url(),
            "smtp_url": relay.url,
            "jwks": str(DevelopmentKey(folder / "keys").jwks),
            "webhook_key": "a key of these tests, 32 characters",
            "base_url": "http://127.0.0.1:5090",
            "from_address": "noreply@varsel.example",
        }

    def as_app(self, *statements: str) -> dict[str, str]:
        """A user who does not own the tables; `statements` grant its rights."""
        self.postgres.run(self.database, *statements)
        return {"database_url": self.postgres.url(self.database)}

    def encoded(self, encoding: str) -> dict[str, str]:
        """A database with this encoding."""
        name = f"{self.database}_{encoding.lower()}"
        how = f"ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        self.postgres.run(self.database, f'CREATE DATABASE "{name}" {how}')
        return {"database_url": self.postgres.url(name, "varsel")}

    def file(self, name: str, content: str) -> str:
        (self.folder / name).write_text(content)
        return str(self.folder / name)


@dataclass(frozen=True)
class Case:
    """A misconfiguration: the settings that differ, the message, and the processes that print it beside `doctor`."""

    name: str
    settings: Callable[[Parts], dict[str, str]]
    told: str
    hint: str
    who: tuple[str, ...] = ()
    while_it_is: Callable[[Parts], AbstractContextManager[object]] = field(default=lambda _: nullcontext())
    by_doctor: bool = True
    doctor_adds: str = ""

    def __str__(self) -> str:
        return self.name


def database(**parts: str) -> Callable[[Parts], dict[str, str]]:
    """The address of the database with some parts changed."""
    return lambda it: {"database_url": it.postgres.url(**({"database": it.database, "user": "varsel"} | parts))}


def option(name: str) -> Callable[[Parts], dict[str, str]]:
    return lambda it: {"database_url": f"{it.good['database_url']}?{name}"}


def pooled(url: Callable[[str], str] = str, **settings: object) -> Callable[[Parts], dict[str, str]]:
    """The database behind a pooler with these settings, at this form of its address."""

    def begin(it: Parts) -> dict[str, str]:
        pooler = PgBouncer(it.postgres.address(it.database), **settings)  # type: ignore[arg-type]
        return {"database_url": url(it.stack.enter_context(pooler).url)}

    return begin


def given(**settings: str) -> Callable[[Parts], dict[str, str]]:
    return lambda _: settings


def user(*rights: str) -> Callable[[Parts], dict[str, str]]:
    return lambda it: {"redis_url": it.cache.user("app", *rights)}


def altered(statement: str) -> Callable[[Parts], dict[str, str]]:
    """The database's schema is not what it says."""

    def alter(it: Parts) -> dict[str, str]:
        it.postgres.run(it.database, statement)
        return {}

    return alter


def become(version: str) -> Callable[[Parts], dict[str, str]]:
    """The database's schema is of another Varsel."""

    def alter(it: Parts) -> dict[str, str]:
        it.postgres.run(
            it.database,
            f"UPDATE alembic_version SET version_num = '{version}'",
            f"UPDATE compatibility SET oldest = '{version}'",
        )
        return {}

    return alter


USAGE = "GRANT USAGE ON SCHEMA public TO app"
ALL = "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO app"
SEQUENCES = "GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO app"


def findings(settings: dict[str, str]) -> list[dict[str, Any]]:
    """What `varsel doctor` finds."""
    done = varsel("doctor", "--json", **settings)
    assert done.exit_code in (0, 4), done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return found


def asked(told: str, settings: dict[str, str]) -> str:
    """The doctor's finding that says this."""
    found = findings(settings)
    finding = next((each for each in found if told in each["text"] and each["level"] != "ok"), None)
    assert finding, "\n".join(map(str, found))
    return f"{finding['text']}. {finding['advice']}"


def said(command: str, told: str, settings: dict[str, str], folder: Path) -> str:
    """The line of a process that says this; if the process ends, it is its last line, without a traceback."""
    arguments = (command, "--port", free_port()) if command == "web" else (command,)
    with ExitStack() as stack:
        running = stack.enter_context(SingleProcess(folder, *arguments, **settings))
        wait_for(lambda: told in running.output or running.ended is not None)
        output = running.output
        if running.ended is not None:
            assert running.ended == 1
            assert output.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in output
    [line] = {line.partition(": ")[2] for line in output.splitlines() if told in line} or [output]
    return line
