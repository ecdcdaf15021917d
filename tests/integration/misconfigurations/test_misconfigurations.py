"""Each misconfiguration, and what each process says about it: the same words and advice, in one line."""

from __future__ import annotations

import pytest

from tests.helpers.misconfigurations import (
    ALL,
    NOWHERE,
    OIDC,
    SEQUENCES,
    USAGE,
    Case,
    Parts,
    altered,
    asked,
    become,
    database,
    given,
    option,
    pooled,
    said,
    user,
)
from tests.servers.postgres import name_of
from tests.servers.strict import EVERYTHING, PASSWORD

pytestmark = pytest.mark.slow

RUNNING = ("web", "worker")
EVERYBODY = ("migrate", "web", "worker")
NO_HOST = "no-such-host.invalid"
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
        lambda it: {"database_url": it.postgres.url(name_of(it.postgres.database()))},
        "permission denied for schema public",
        "as the owner of the tables",
        ("migrate",),
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
        "has broken off the connection",
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
        "relay-plain-password", given(smtp_url="smtp://u:p@relay.example"), "be read on the way", "starttls", EVERYBODY
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
    Case("roles", given(oidc_roles="a=adminb=viewer"), "'a=adminb=viewer' is not VALUE=ROLE", "commas", EVERYBODY),
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
        "limits",
        lambda it: {"limits_file": it.file("l.toml", "[domain.'example.no']\nrate = 0")},
        "rate must be a number",
        "VARSEL_LIMITS_FILE: ",
        ("worker",),
        doctor_adds="`worker` does not",
    ),
    Case(
        "quotas",
        lambda it: {"quotas_file": it.file("q.toml", "[default]\nper_day = -1\n")},
        "per_day must be a number of recipients from 1",
        "VARSEL_QUOTAS_FILE: ",
        ("web", "scheduler"),
        doctor_adds="`web` and `scheduler`",
    ),
    Case(
        "credentials",
        lambda it: {"credentials_file": it.file("c.toml", "[creators.ttd]\nsecret = 'whsec_AAAA'\n")},
        "secret must be whsec_",
        "VARSEL_CREDENTIALS_FILE: ",
        ("worker",),
        doctor_adds="`worker` does not",
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
        "is not a folder",
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
    Case(
        "attachment-ca", given(attachment_ca_file="/none.pem"), "/none.pem", "VARSEL_ATTACHMENT_CA_FILE: ", ("worker",)
    ),
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
        (*RUNNING, "scheduler"),
        doctor_adds="`web`, `worker` and `scheduler`",
    ),
    Case(
        "provider-away",
        given(oidc_issuer=f"http://{NOWHERE}", **OIDC),
        "does not answer as an OpenID provider",
        "VARSEL_OIDC_ISSUER",
    ),
]


@pytest.mark.parametrize(
    ("case", "command"),
    [(case, command) for case in CASES for command in (*("doctor",) * case.by_doctor, *case.who)],
    ids=str,
)
def test_what_is_set_wrongly_is_said_with_what_to_do(case: Case, command: str, parts: Parts) -> None:
    settings = parts.good | case.settings(parts)
    with case.while_it_is(parts):
        line = asked(case.told, settings) if command == "doctor" else said(command, case.told, settings, parts.folder)
    assert case.told in line
    assert case.hint in line
    assert command != "doctor" or case.doctor_adds in line
    assert PASSWORD not in line


def test_there_are_forty() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 40
