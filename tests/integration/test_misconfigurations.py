"""What is set wrongly, and what each process says of it: the same words with the same advice, in one line."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
from contextlib import ExitStack, closing, nullcontext
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from engine.auth.tokens import DevelopmentKey
from engine.db.migrations import upgrade
from engine.db.store import Store
from tests.helpers.alone import Alone
from tests.helpers.command import process, varsel
from tests.helpers.ports import free_port
from tests.helpers.waiting import patience, wait_for
from tests.servers.oidc import Provider
from tests.servers.pgbouncer import PgBouncer
from tests.servers.smtp import Close, Say, ScriptedSMTP
from tests.servers.strict import EVERYTHING, PASSWORD, StrictPostgres, StrictRedis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager
    from pathlib import Path

    from tests.servers.smtp import Action, Phase

pytestmark = pytest.mark.slow

RUNNING = ("web", "worker")
EVERYBODY = ("migrate", "web", "worker")
NOWHERE = "127.0.0.1:1"
NO_HOST = "no-such-host.invalid"
OIDC = {"oidc_client_id": "varsel", "oidc_roles": "ops=admin"}


class Parts:
    """Servers on which all is well, and the settings by which it is."""

    def __init__(
        self, folder: Path, stack: ExitStack, postgres: StrictPostgres, cache: StrictRedis, relay: ScriptedSMTP
    ) -> None:
        self.folder, self.stack, self.postgres, self.cache, self.relay = folder, stack, postgres, cache, relay
        self.database = str(Store(postgres.database()).engine.url.database)
        self.good = {
            "database_url": postgres.url(self.database, "varsel"),
            "redis_url": cache.url(),
            "smtp_url": relay.url,
            "jwks": str(DevelopmentKey(folder / "keys").jwks),
            "webhook_key": "a key of these tests, 32 characters",
            "base_url": "http://127.0.0.1:5090",
            "from_address": "noreply@varsel.example",
        }

    def migrate(self) -> None:
        with closing(Store(self.good["database_url"])) as store:
            upgrade(store)

    def as_app(self, *statements: str) -> dict[str, str]:
        """A migrated database that belongs to somebody else; `statements` are what its user may do."""
        self.migrate()
        self.postgres.run(self.database, *statements)
        return {"database_url": self.postgres.url(self.database)}

    def encoded(self, encoding: str) -> dict[str, str]:
        """A database that keeps text so."""
        name = f"{self.database}_{encoding.lower()}"
        how = f"ENCODING '{encoding}' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'"
        self.postgres.run(self.database, f'CREATE DATABASE "{name}" {how}')
        return {"database_url": self.postgres.url(name, "varsel")}

    def file(self, name: str, content: str) -> str:
        (self.folder / name).write_text(content)
        return str(self.folder / name)


@dataclass(frozen=True)
class Case:
    """A misconfiguration: the settings that differ, what is said, and which processes say so beside `doctor`."""

    name: str
    settings: Callable[[Parts], dict[str, str]]
    told: str
    hint: str
    who: tuple[str, ...] = ()
    while_it_is: Callable[[Parts], AbstractContextManager[object]] = field(default=lambda _: nullcontext())
    migrated: bool = True
    by_doctor: bool = True
    doctor_adds: str = ""

    def __str__(self) -> str:
        return self.name


def database(**parts: str) -> Callable[[Parts], dict[str, str]]:
    """The address of the database with other parts."""
    return lambda it: {"database_url": it.postgres.url(**({"database": it.database, "user": "varsel"} | parts))}


def option(name: str) -> Callable[[Parts], dict[str, str]]:
    return lambda it: {"database_url": f"{it.good['database_url']}?{name}"}


def pooled(url: Callable[[str], str] = str, **settings: object) -> Callable[[Parts], dict[str, str]]:
    """Behind a pooler with these settings, at a form of its address."""

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
        it.migrate()
        it.postgres.run(it.database, statement)
        return {}

    return alter


def become(version: str) -> Callable[[Parts], dict[str, str]]:
    """The database's schema is of another Varsel."""

    def alter(it: Parts) -> dict[str, str]:
        it.migrate()
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
CLOSED = "REVOKE ALL ON SCHEMA public FROM PUBLIC"

AN_OPTION = "the database cannot be asked with an option of its address"
OTHER_TEXT = "the database keeps text in another encoding than UTF-8 (its server_encoding is "

CASES = [
    # The database
    Case(
        "nobody-listens",
        given(database_url=f"postgresql://varsel@{NOWHERE}/varsel"),
        "the database does not answer (Connection refused)",
        "HOST and PORT",
        EVERYBODY,
    ),
    Case(
        "no-host",
        given(database_url=f"postgresql://varsel@{NO_HOST}/varsel"),
        "its host has no address",
        "HOST",
        EVERYBODY,
    ),
    Case("password", database(password="wrong"), "the database refuses the user or the password", "%40", EVERYBODY),
    Case("no-role", database(user="nobody"), "the database refuses the user or the password", "USER", EVERYBODY),
    Case("no-database", database(database="none"), "the server has none of that name", "createdb", EVERYBODY),
    Case("no-entry", database(user="stranger"), "does not let this user in", "pg_hba.conf", EVERYBODY),
    Case("sslmode-typo", option("sslmode=requre"), 'invalid sslmode value: "requre"', "behind the ?", EVERYBODY),
    Case("no-tls", option("sslmode=require"), "offers no TLS", "sslmode", EVERYBODY),
    Case("unknown-option", option("sllmode=require"), "cannot be used", "options", EVERYBODY),
    Case("timeout-typo", option("connect_timeout=soon"), "cannot be used", "options", EVERYBODY),
    Case("channel-binding", option("channel_binding=require&sslmode=disable"), AN_OPTION, "behind the ?", EVERYBODY),
    Case("sign-in-typo", option("require_auth=none"), AN_OPTION, "behind the ?", EVERYBODY),
    Case("service", option("service=none"), "cannot be asked by its address", "behind the ?", EVERYBODY),
    Case("parameter-typo", option("options=-cno_such%3D1"), AN_OPTION, "behind the ?", EVERYBODY),
    Case("parameter-value", option("options=-cstatement_timeout%3Dsoon"), AN_OPTION, "behind the ?", EVERYBODY),
    Case("standby", option("target_session_attrs=standby"), "another than target_session_attrs", "primary", EVERYBODY),
    Case(
        "no-postgresql",
        lambda it: {"database_url": f"postgresql://u:p@127.0.0.1:{it.relay.port}/x"},
        "the database is something else that answers there",
        "HOST and PORT",
        EVERYBODY,
    ),
    Case(
        "search-path",
        option("options=-csearch_path%3Dnowhere"),
        "has no schema of those in which its user looks for tables (search_path is nowhere)",
        "correct search_path",
        EVERYBODY,
    ),
    Case("latin1", lambda it: it.encoded("LATIN1"), OTHER_TEXT + "LATIN1)", "-E UTF8", (*EVERYBODY, "scheduler")),
    Case("ascii", lambda it: it.encoded("SQL_ASCII"), OTHER_TEXT + "SQL_ASCII)", "-E UTF8", (*EVERYBODY, "scheduler")),
    Case("driver", given(database_url="postgresql+asyncpg://x@y/z"), "DATABASE_URL: must", "postgresql://", EVERYBODY),
    Case("unescaped", given(database_url="postgresql://u:p@ss@h/x"), "DATABASE_URL: must", "%40", EVERYBODY),
    Case(
        "no-connect",
        lambda it: it.as_app(f'REVOKE CONNECT ON DATABASE "{it.database}" FROM PUBLIC'),
        "permission denied for database",
        "Rights",
        EVERYBODY,
    ),
    Case(
        "connection-limit",
        lambda it: it.as_app(f'ALTER DATABASE "{it.database}" CONNECTION LIMIT 0'),
        "takes no more connections",
        "max_connections",
        EVERYBODY,
    ),
    Case("no-usage", lambda it: it.as_app(CLOSED), "it may use no schema", "Rights", EVERYBODY),
    Case("no-grants", lambda it: it.as_app(USAGE), "does not let its user do what is needed", "Rights", EVERYBODY),
    Case(
        "no-login",
        lambda it: it.as_app("ALTER ROLE nologin NOLOGIN") | {"database_url": it.postgres.url(it.database, "nologin")},
        "the database lets nobody in by this user",
        "ALTER ROLE NAME LOGIN",
        EVERYBODY,
    ),
    # The pooler before it
    Case(
        "pooler-password",
        pooled(lambda url: url.replace("varsel@", "varsel:wrong@"), users={"varsel": PASSWORD}),
        "the database refuses the user or the password (SASL authentication failed)",
        "USER:PASSWORD",
        EVERYBODY,
    ),
    Case(
        "pooler-name",
        pooled(lambda url: url.replace("varsel@/varsel?", f"varsel:{PASSWORD}@/varzel?"), users={"varsel": PASSWORD}),
        "the pooler knows none of that name (no such database: varzel)",
        "databases",
        EVERYBODY,
    ),
    Case(
        "pooler-options",
        pooled(lambda url: f"{url}&options=-csearch_path%3Dpublic"),
        f"{AN_OPTION} (unsupported startup parameter: options)",
        "a pooler takes no `options`",
        EVERYBODY,
    ),
    Case("pooler-mode", pooled(pool_mode="statement"), "takes no transactions", "pool_mode transaction", EVERYBODY),
    Case("pooler-simple", pooled(disable_pqexec=1), "takes no transactions", "disable_pqexec off", EVERYBODY),
    Case(
        "may-not-migrate",
        lambda it: {"database_url": it.postgres.url(it.database)},
        "permission denied for schema public",
        "as the owner of the tables",
        ("migrate",),
        migrated=False,
        by_doctor=False,
    ),
    Case(
        "no-insert",
        lambda it: it.as_app(USAGE, ALL, SEQUENCES, "REVOKE INSERT ON emails FROM app"),
        "do what is needed: INSERT on emails",
        "GRANT INSERT ON TABLE emails",
    ),
    Case(
        "no-sequences",
        lambda it: it.as_app(USAGE, ALL),
        "do what is needed: USAGE on",
        "GRANT USAGE ON ALL SEQUENCES",
    ),
    Case(
        "read-only",
        lambda it: it.as_app(
            USAGE, ALL, SEQUENCES, f'ALTER DATABASE "{it.database}" SET default_transaction_read_only = on'
        ),
        "the database takes no writes",
        "primary",
    ),
    Case(
        "row-security",
        lambda it: it.as_app(USAGE, ALL, SEQUENCES, "ALTER TABLE emails ENABLE ROW LEVEL SECURITY"),
        "hides all rows from its user: emails",
        "ALTER TABLE emails DISABLE ROW LEVEL SECURITY",
    ),
    Case("no-table", altered("DROP TABLE history CASCADE"), "it lacks history", "restore a backup"),
    Case("no-column", altered("ALTER TABLE emails DROP COLUMN due_at CASCADE"), "lacks emails.due_at", "restore"),
    Case("behind", become("0005"), "the database's schema is not current", "varsel migrate", RUNNING),
    Case("too-new", become("9999"), "of a newer Varsel, with which this one cannot work", "Going back", EVERYBODY),
    Case(
        "not-what-it-says",
        become("0005"),
        "the database's schema cannot be brought up to date",
        "alembic_version",
        ("migrate",),
        by_doctor=False,
    ),
    Case("no-folder", given(database_url="sqlite:////nowhere/varsel.db"), "/nowhere/varsel.db", "", EVERYBODY),
    Case(
        "no-sqlite",
        lambda it: {"database_url": f"sqlite:///{it.file('other.db', 'not a database ' * 1000)}"},
        "the database is a file of something else",
        "another file",
        EVERYBODY,
    ),
    # Redis
    Case(
        "redis-nobody-listens",
        given(redis_url=f"redis://{NOWHERE}/0"),
        "Redis does not answer",
        "correct the address",
        RUNNING,
    ),
    Case("redis-no-host", given(redis_url=f"redis://{NO_HOST}/0"), "its host has no address", "HOST", RUNNING),
    Case(
        "redis-password",
        lambda it: {"redis_url": it.cache.url(password="wrong")},
        "Redis refuses the user or the password",
        "USER:PASSWORD",
        RUNNING,
    ),
    Case(
        "redis-no-password",
        lambda it: {"redis_url": f"redis://127.0.0.1:{it.cache.port}/0"},
        "Redis demands a password",
        ":PASSWORD@",
        RUNNING,
    ),
    Case("redis-no-queue", user("~varsel:*", "+@all"), "Redis does not let its user", "Rights", RUNNING),
    Case(
        "redis-namespace", user("~varsel:*", "~dramatiq:*", "+@all"), "Redis does not let its user", "Rights", RUNNING
    ),
    Case("redis-no-queue-named", user("~varsel:*", "+@all"), "work stands still: ~dramatiq*", "ACL SETUSER"),
    Case("redis-no-keys", user(*EVERYTHING, "-keys"), "work stands still: +keys", "ACL SETUSER NAME +keys"),
    Case("redis-no-scripts", user(*EVERYTHING, "-@scripting"), "+eval +evalsha +script|load", "ACL SETUSER"),
    Case("redis-no-info", user(*EVERYTHING, "-info", "-config"), "to look at it: +info +config|get", "ACL SETUSER"),
    Case(
        "redis-no-tls",
        lambda it: {"redis_url": it.cache.url().replace("redis://", "rediss://")},
        "TLS on one side alone",
        "redis://",
        RUNNING,
    ),
    Case(
        "redis-tls-alone",
        lambda it: {"redis_url": f"redis://:{PASSWORD}@127.0.0.1:{it.cache.tls_port}/0"},
        "TLS on one side alone",
        "rediss://",
        RUNNING,
    ),
    Case(
        "redis-certificate",
        lambda it: {"redis_url": f"rediss://:{PASSWORD}@127.0.0.1:{it.cache.tls_port}/0"},
        "shows a certificate that cannot be verified",
        "ssl_ca_certs",
        RUNNING,
    ),
    Case(
        "redis-number", lambda it: {"redis_url": f"{it.cache.url()}99"}, "no database of that number", "0 is", RUNNING
    ),
    Case("redis-name", given(redis_url="redis://h/main"), "must end with the number", "/0", EVERYBODY),
    Case("redis-option", given(redis_url="redis://h/0?tls=1"), "cannot be used", "options", RUNNING),
    Case(
        "redis-decodes",
        given(redis_url="redis://h/0?decode_responses=1"),
        "takes no decode_responses",
        "bytes",
        EVERYBODY,
    ),
    Case(
        "no-redis",
        lambda it: {"redis_url": f"redis://127.0.0.1:{it.relay.port}/0"},
        "something else that answers",
        "HOST:PORT",
        RUNNING,
    ),
    Case(
        "redis-full",
        given(),
        "its memory is full",
        "Raise maxmemory",
        RUNNING,
        lambda it: it.cache.set("maxmemory", "1"),
    ),
    # The relay: a worker says so when it has something to send (tests/integration/test_smtp.py)
    Case("relay-nobody-listens", given(smtp_url=f"smtp://{NOWHERE}"), "relay 127.0.0.1:1 does not answer", "HOST:PORT"),
    Case("relay-no-host", given(smtp_url=f"smtp://{NO_HOST}"), "has no address", "HOST"),
    Case(
        "relay-starttls",
        lambda it: {"smtp_url": f"smtp+starttls://127.0.0.1:{it.relay.port}"},
        "offers no STARTTLS",
        "smtps://",
    ),
    Case(
        "relay-tls",
        lambda it: {"smtp_url": f"smtps://127.0.0.1:{it.relay.port}"},
        "speaks no TLS",
        "smtp+starttls://",
    ),
    Case(
        "relay-sign-in",
        lambda it: {"smtp_url": f"smtp://u:p@127.0.0.1:{it.relay.port}"},
        "offers no sign-in",
        "USER:PASSWORD",
    ),
    Case(
        "relay-plain-password", given(smtp_url="smtp://u:p@relay.example"), "read by everybody", "starttls", EVERYBODY
    ),
    Case(
        "relay-ca",
        given(smtp_url="smtps://h", smtp_ca_file="/none.pem"),
        "/none.pem",
        "VARSEL_SMTP_CA_FILE: ",
        ("worker",),
        doctor_adds="Correct it",
    ),
    # Files and settings
    Case("unknown-setting", given(databse_url="x"), "unknown setting VARSEL_DATABSE_URL", "varsel config", EVERYBODY),
    Case("roles", given(oidc_roles="a=adminb=viewer"), "'a=adminb=viewer' is no VALUE=ROLE", "commas", EVERYBODY),
    Case("quotes", given(from_address='"a@example.no"'), "VARSEL_FROM_ADDRESS: stands in quotes", "leave", EVERYBODY),
    Case("joined", given(issuers="https://a.nohttps://b.no"), "two addresses", "comma", EVERYBODY),
    Case("jwks", given(jwks="/none.json"), "/none.json", "VARSEL_JWKS: ", ("web",), doctor_adds="`web` does not start"),
    Case(
        "access",
        lambda it: {"access_file": it.file("a.toml", "x=")},
        "a.toml",
        "VARSEL_ACCESS_FILE: ",
        RUNNING,
        doctor_adds="`web` and `worker`",
    ),
    Case(
        "operators",
        lambda it: {"operators_file": it.file("o.toml", "x=")},
        "o.toml",
        "VARSEL_OPERATORS_FILE: ",
        ("web",),
        doctor_adds="`web` does not",
    ),
    Case(
        "metrics-folder",
        lambda it: {"metrics_dir": it.file("metrics", "")},
        "VARSEL_METRICS_DIR: ",
        "is no folder",
        (*RUNNING, "scheduler"),
        doctor_adds="`scheduler` do not start without it",
    ),
    Case(
        "metrics-host",
        given(metrics_host="999.1.1.1", metrics_port="9464"),
        "VARSEL_METRICS_PORT 9464 on 999.1.1.1 cannot be used",
        "needs its own",
        ("worker", "scheduler"),
        doctor_adds="do not start without it",
    ),
    Case(
        "metrics-port",
        lambda it: {"metrics_port": str(it.relay.port)},
        "cannot be used ([Errno 98]",
        "needs its own",
        ("worker", "scheduler"),
    ),
    Case("platform-keys", given(platform_keys="/none"), "/none", "VARSEL_PLATFORM_KEYS: ", ("web",)),
    Case("issuer-ca", given(issuer_ca_file="/none.pem"), "/none.pem", "VARSEL_ISSUER_CA_FILE: ", ("web",)),
    Case("no-key-set", given(jwks=""), "no bearer token verifies", "your issuer's key set", ("web",)),
    Case(
        "key-set-certificate",
        lambda it: {"jwks": f"https://localhost:{it.cache.tls_port}/jwks"},
        "CERTIFICATE_VERIFY_FAILED",
        "VARSEL_ISSUER_CA_FILE",
        ("web",),
    ),
    Case(
        "templates",
        given(email_templates="/none"),
        "/none",
        "VARSEL_EMAIL_TEMPLATES: ",
        RUNNING,
        doctor_adds="`web` and `worker`",
    ),
    Case(
        "provider-away",
        given(oidc_issuer=f"http://{NOWHERE}", **OIDC),
        "does not answer as an OpenID provider",
        "VARSEL_OIDC_ISSUER",
    ),
]


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StrictPostgres, StrictRedis, ScriptedSMTP]]:
    with (
        StrictPostgres() as postgres,
        ScriptedSMTP() as relay,
        ScriptedSMTP(tls="starttls", cert_name="other.example") as certified,
        StrictRedis(tmp_path_factory.mktemp("redis"), certified.ca_file, certified.ca_file.parent / "key.pem") as cache,
    ):
        yield postgres, cache, relay


@pytest.fixture
def parts(servers: tuple[StrictPostgres, StrictRedis, ScriptedSMTP], tmp_path: Path) -> Iterator[Parts]:
    with ExitStack() as stack:
        yield Parts(tmp_path, stack, *servers)


@pytest.mark.parametrize(
    ("case", "command"),
    [(case, command) for case in CASES for command in (*("doctor",) * case.by_doctor, *case.who)],
    ids=str,
)
def test_what_is_set_wrongly_is_said_with_what_to_do(case: Case, command: str, parts: Parts) -> None:
    if case.migrated:
        parts.migrate()
    settings = parts.good | case.settings(parts)
    with case.while_it_is(parts):
        line = asked(case.told, settings) if command == "doctor" else said(command, case.told, settings, parts.folder)
    assert case.told in line
    assert case.hint in line
    assert command != "doctor" or case.doctor_adds in line
    assert PASSWORD not in line


def test_there_are_forty() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 40


def test_what_is_set_rightly_is_said_to_be_well(parts: Parts) -> None:
    parts.migrate()
    url = parts.cache.user("app", *["~varsel:*", "~dramatiq*", "+@read", "+@write", "+@scripting", "+@transaction"])
    parts.cache.run("ACL", "SETUSER", "app", *["+@connection", "+info", "+time", "+config|get"])
    own = parts.as_app(USAGE, ALL, SEQUENCES, "GRANT SELECT ON alembic_version TO app") | {"redis_url": url}
    with Provider() as provider:
        found = findings(parts.good | own | {"oidc_issuer": provider.url} | OIDC)
    problems = [each for each in found if each["level"] == "problem" and each["name"] != "processes"]
    assert problems == []
    with Alone(parts.folder, "worker", **parts.good | own) as worker:
        wait_for(lambda: any("1 worker run" in each["text"] for each in findings(parts.good | own)))
        worker.terminate()
        wait_for(lambda: worker.ended is not None)
        assert [line for line in worker.output.splitlines() if " INFO " not in line] == []
    assert worker.ended == 0


def test_text_is_utf_8_whatever_encoding_the_address_or_the_user_has(parts: Parts) -> None:
    parts.migrate()
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
    apart = "CREATE SCHEMA apart AUTHORIZATION varsel"
    parts.postgres.run(parts.database, apart, f'ALTER DATABASE "{parts.database}" SET search_path = apart')
    url = parts.as_app("GRANT USAGE ON SCHEMA apart TO app")
    assert "GRANT INSERT ON ALL TABLES IN SCHEMA apart TO" in asked("needed: INSERT", parts.good | url)


@pytest.mark.parametrize("command", ["worker", "scheduler"])
def test_nothing_is_said_to_listen_at_a_port_that_cannot_be_had(command: str, parts: Parts) -> None:
    parts.migrate()
    port = str(parts.relay.port)
    ended = process(command, **parts.good | {"metrics_port": port})
    assert ended.returncode == 1
    assert "starts" not in ended.stderr


def test_web_can_be_asked_once_it_says_that_it_starts(parts: Parts) -> None:
    parts.migrate()
    with Alone(parts.folder, "web", "--port", free_port(), **parts.good) as web:
        told: list[str] = []
        while not told:
            told = re.findall(r"starts: web, at http://127\.0\.0\.1:(\d+)", web.output)
            assert web.ended is None
        socket.create_connection(("127.0.0.1", int(told[0]))).close()


def test_a_key_set_that_was_never_had_is_not_said_to_stay(parts: Parts) -> None:
    parts.migrate()
    with Alone(parts.folder, "web", "--port", free_port(), **parts.good | {"jwks": f"https://{NOWHERE}/x"}) as web:
        wait_for(lambda: "there is no key of bearer tokens from it" in web.output)
        assert "stay as they were" not in web.output


def test_tracing_without_its_extra_is_told(parts: Parts) -> None:
    hidden = parts.folder / "opentelemetry"
    hidden.mkdir()
    (hidden / "__init__.py").write_text("raise ImportError")
    own = {f"VARSEL_{name.upper()}": value for name, value in parts.good.items()} | {"VARSEL_TRACING": "true"}
    parts.migrate()
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
    parts.migrate()
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


def findings(settings: dict[str, str]) -> list[dict[str, Any]]:
    """What `varsel doctor` finds."""
    done = varsel("doctor", "--json", **settings)
    assert done.exit_code in (0, 4), done.output
    found: list[dict[str, Any]] = json.loads(done.stdout)["items"]
    return found


def asked(told: str, settings: dict[str, str]) -> str:
    """The finding of the doctor's that says this."""
    found = findings(settings)
    finding = next((each for each in found if told in each["text"] and each["level"] != "ok"), None)
    assert finding, "\n".join(map(str, found))
    return f"{finding['text']}. {finding['advice']}"


def said(command: str, told: str, settings: dict[str, str], folder: Path) -> str:
    """The line of a process that says this; where the process ends, it is its last, and there is no trace."""
    arguments = (command, "--port", free_port()) if command == "web" else (command,)
    with ExitStack() as stack:
        running = stack.enter_context(Alone(folder, *arguments, **settings))
        wait_for(lambda: told in running.output or running.ended is not None)
        output = running.output
        if running.ended is not None:
            assert running.ended == 1
            assert output.splitlines()[-1].startswith("Error: ")
    assert "Traceback" not in output
    [line] = {line.partition(": ")[2] for line in output.splitlines() if told in line} or [output]
    return line
