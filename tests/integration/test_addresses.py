"""Addresses in the settings that cannot work: every command says so in a line without secrets."""

from __future__ import annotations

import pytest

from engine.errors import Misconfigured
from engine.queue.redis_client import connect
from tests.helpers.command import varsel

DATABASES = [
    "postgresql://me:secret@h:port/x",
    "postgresql://me:secret@h:99999/x",
    "postgresql://me:secret@[::1/x",
    "postgresql://me:secret@h x/x",
    "postgresql://me:a@secret@h/x",
    "postgresql+psycopg2://me:secret@h/x",
    "postgresql+nothing://me:secret@h/x",
]
UNKNOWN_OPTION = "postgresql://me:secret@127.0.0.1:1/x?secret=secret"
COMMANDS = [
    "config",
    "token --org ttd",
    "migrate",
    "orders list",
    "lanes",
    "contacts import -",
    "web --port 0",
    "worker",
    "scheduler",
    "up --port 0",
]


@pytest.mark.parametrize("url", DATABASES)
def test_every_command_refuses_an_address_of_a_database_that_cannot_work(url: str) -> None:
    others = {"redis_url": "unix:///none", "smtp_url": "smtp://h", "webhook_key": "k" * 32}
    for command in COMMANDS:
        result = varsel(*command.split(), database_url=url, **others)
        assert isinstance(result.exception, SystemExit), (command, result.exception)
        assert result.exit_code == 1, command
        assert "VARSEL_DATABASE_URL: must " in result.stderr
        assert "secret" not in result.output
    result = varsel("doctor", database_url=url)
    assert result.exit_code == 4
    assert "VARSEL_DATABASE_URL: must " in result.stdout
    assert "secret" not in result.output


def test_an_option_that_there_is_not_is_said_in_a_line() -> None:
    for command in (["migrate"], ["orders", "list"], ["contacts", "import", "-"]):
        result = varsel(*command, database_url=UNKNOWN_OPTION)
        assert isinstance(result.exception, SystemExit), (command, result.exception)
        assert "the database's address postgresql://127.0.0.1:1/x cannot be used" in result.stderr
        assert "secret" not in result.output
    result = varsel("doctor", database_url=UNKNOWN_OPTION, redis_url="unix:///none")
    assert result.exit_code == 4
    assert "secret" not in result.output


@pytest.mark.parametrize(
    "url", ["redis://:secret@h:port/0", "redis://:pa/secret@h/0", "redis://[::1/0", "http://secret"]
)
def test_an_address_of_redis_that_cannot_work_is_refused(url: str) -> None:
    result = varsel("config", redis_url=url)
    assert result.exit_code == 1
    assert "VARSEL_REDIS_URL: must be redis://" in result.stderr
    assert "secret" not in result.output


@pytest.mark.parametrize("url", ["https://[secret", "https://h:secret/jwks", "http://me:secret@h/jwks?token=secret"])
def test_an_address_of_a_key_set_that_cannot_work_is_refused(url: str) -> None:
    result = varsel("config", jwks=url)
    assert isinstance(result.exception, SystemExit)
    assert result.exit_code == 1
    assert "secret" not in result.output


def test_an_option_of_redis_that_there_is_not_is_said_in_a_line() -> None:
    with pytest.raises(Misconfigured, match=r"Redis, redis://127\.0\.0\.1:1/0, cannot be used") as refused:
        connect("redis://:secret@127.0.0.1:1/0?secret=secret")
    assert "secret" not in str(refused.value)


def test_what_is_shown_of_the_settings_has_no_password() -> None:
    result = varsel(
        "config",
        database_url="postgresql://me:pa/secret#secret@h:5432/name?password=secret",
        redis_url="redis://:secret@h:6379/0?password=secret",
        smtp_url="smtps://me:secret@relay.example:465",
        jwks="https://me:secret@issuer.example/jwks?token=secret",
        webhook_key="secret" * 8,
    )
    assert result.exit_code == 0, result.output
    assert "secret" not in result.output.replace("oidc_client_secret".upper(), "")
    assert "VARSEL_DATABASE_URL=postgresql://h:5432/name" in result.stdout
    assert "VARSEL_REDIS_URL=redis://h:6379/0" in result.stdout
    assert "VARSEL_SMTP_URL=smtps://relay.example:465" in result.stdout
    assert "VARSEL_JWKS=https://issuer.example/jwks" in result.stdout
