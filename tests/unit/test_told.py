"""What processes tell of their settings: everything but secrets, and enough to check them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from engine.errors import Misconfigured
from engine.settings import Settings, load
from engine.settings.told import following, told

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cret-and-never-told"
GIVEN = {
    "VARSEL_DATABASE_URL": f"postgresql://varsel:{SECRET}@db/varsel",
    "VARSEL_REDIS_URL": f"redis://:{SECRET}@redis:6379/0",
    "VARSEL_SMTP_URL": f"smtp+starttls://varsel:{SECRET}@relay:587",
    "VARSEL_WEBHOOK_KEY": SECRET * 2,
    "VARSEL_OIDC_ISSUER": "https://login.example.no",
    "VARSEL_OIDC_CLIENT_ID": "varsel",
    "VARSEL_OIDC_CLIENT_SECRET": SECRET,
    "VARSEL_OIDC_ROLES": "admins=admin,support=viewer",
    "VARSEL_JWKS": f"/keys.json,https://varsel:{SECRET}@keys.example.no/jwks",
    "VARSEL_TRUSTED_PROXIES": "10.0.0.0/8,192.0.2.1",
    "VARSEL_CREATOR_WEIGHTS": "ttd=2,skd=0.5",
    "VARSEL_LEASE": "45",
    "VARSEL_SENDERS_REQUIRED": "true",
}


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings of a process with these variables."""
    for name, value in GIVEN.items():
        monkeypatch.setenv(name, value)
    return load()


def shell(monkeypatch: pytest.MonkeyPatch, *same: str, **others: str) -> Settings:
    """The settings of a shell that has the same value of some variables, and others of its own."""
    for name in GIVEN:
        if name not in same:
            monkeypatch.delenv(name)
    for name, value in others.items():
        monkeypatch.setenv(name, value)
    return load()


def test_no_secret_is_told(running: Settings) -> None:
    found = told(running)
    assert SECRET not in json.dumps(found)
    assert found["smtp_url"] == "smtp+starttls://relay:587"
    assert found["jwks"] == "/keys.json,https://keys.example.no/jwks"
    assert {f"VARSEL_{name.upper()}" for name in found} == set(GIVEN)


def test_the_settings_are_what_was_told(running: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    known = told(running)
    found = following(shell(monkeypatch, "VARSEL_DATABASE_URL", VARSEL_BULK_ABOVE="7"), [known])
    secrets = {"database_url", "redis_url", "smtp_url", "webhook_key", "oidc_client_secret", "jwks"}
    for name in running.model_fields_set - secrets:
        assert getattr(found, name) == getattr(running, name), name
    assert found.need("database_url") == GIVEN["VARSEL_DATABASE_URL"]
    assert found.need("smtp_url") == "smtp+starttls://relay:587"
    assert found.webhook_key is not None
    assert found.bulk_above == running.bulk_above, "of the shell, which no process has"


def test_own_secrets_count_where_they_are_of_the_same_server(
    running: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    known = [told(running), {"lease": "45", "of_a_newer_version": "1"}]
    own = shell(monkeypatch, "VARSEL_SMTP_URL", VARSEL_REDIS_URL="redis://:mine@elsewhere:6379/0", VARSEL_LEASE="10")
    found = following(own, known)
    assert found.need("smtp_url") == GIVEN["VARSEL_SMTP_URL"]
    assert found.need("redis_url") == "redis://redis:6379/0"
    assert found.lease == 45


def test_what_this_version_cannot_read_is_named() -> None:
    with pytest.raises(Misconfigured, match="VARSEL_LEASE"):
        following(Settings(), [{"lease": "as long as it takes"}])


def test_what_was_read_from_files_is_told_as_if_it_was_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "database"
    file.write_text(f"postgresql://varsel:{SECRET}@db/varsel")
    monkeypatch.setenv("VARSEL_DATABASE_URL_FILE", str(file))
    assert told(load()) == {"database_url": "postgresql://db/varsel"}
