"""Settings: every one documented, every mistake told."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine import settings
from engine.errors import Misconfigured
from engine.settings import Settings, shown

EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"VARSEL_{name.upper()}", raising=False)
    return monkeypatch


def test_the_example_names_every_setting() -> None:
    named = set(re.findall(r"^#? ?VARSEL_(\w+)=", EXAMPLE.read_text(), re.MULTILINE))
    assert named == {name.upper() for name in Settings.model_fields}


def test_the_senders_address_is_kept_without_what_pasting_left_around_it(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VARSEL_FROM_ADDRESS", "\u00a0noreply@blåbær.no\u200b")
    assert settings.load().from_address == "noreply@blåbær.no"


def test_an_unknown_setting_is_refused_by_name(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VARSEL_DATABSE_URL", "x")
    with pytest.raises(Misconfigured, match="VARSEL_DATABSE_URL"):
        settings.load()


@pytest.mark.parametrize(
    ("name", "value", "reason"),
    [
        ("LEASE", "0", "greater than or equal to 1"),
        ("LEASE", "soon", "valid number"),
        ("SMTP_URL", "http://relay", "must be smtp://"),
        ("SMTP_URL", "smtp://user:secret@relay.example", "read by everybody"),
        ("DATABASE_URL", "mysql://x", "sqlite:/// or postgresql://"),
        ("JWKS", "http://issuer.example/jwks", "https URL"),
        ("BASE_URL", "notify.example", "must be an address"),
        ("LOG_LEVEL", "LOUD", "pattern"),
        ("FROM_ADDRESS", "noreply", "must be an address such as noreply@example.no"),
        ("FROM_ADDRESS", "Varsel <noreply@example.no>", "must be an address such as"),
        ("FROM_ADDRESS", "noreply@æø--x.no", "must be an address such as"),
        ("OIDC_ISSUER", "http://login.example", "must be an https address"),
        ("OIDC_ISSUER", "https://login.example", "oidc_client_id, oidc_roles: must be set, too"),
        ("OIDC_CLIENT_ID", "varsel", "oidc_issuer, oidc_roles: must be set, too"),
        ("TRUSTED_PROXIES", "proxy.internal", "must be addresses and networks such as 10.0.0.7"),
        ("TRUSTED_PROXIES", "10.0.0.7 *", "must be addresses and networks such as 10.0.0.7"),
        ("TRUSTED_PROXIES", "0.0.0.0/0", "not all there are"),
        ("TRUSTED_PROXIES", "10.0.0.7, ::/0", "not all there are"),
        ("TOKEN_LEEWAY", "301", "less than or equal to 300"),
        ("OIDC_ROLES", "varsel-admins=root", "OIDC_ROLES: 'varsel-admins=root' is no VALUE=ROLE"),
        ("OIDC_ROLES", "varsel-admins=adminsupport=viewer", "is no VALUE=ROLE"),
        ("OIDC_ROLES", "varsel-admins = admin", "is no VALUE=ROLE"),
        ("ISSUERS", "https://a.examplehttps://b.example", "two addresses"),
        ("APPS_DOMAIN", "'apps.example'", "stands in quotes"),
        ("REDIS_URL", "redis://cache.example/main", "number of a database"),
    ],
)
def test_a_value_that_cannot_work_is_refused_with_the_reason(
    environment: pytest.MonkeyPatch, name: str, value: str, reason: str
) -> None:
    environment.setenv(f"VARSEL_{name}", value)
    with pytest.raises(Misconfigured, match=re.escape(reason)) as refused:
        settings.load()
    assert "secret" not in str(refused.value)


def test_lists_are_separated_by_spaces_or_commas(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VARSEL_JWKS", "/a.json, /b.json https://issuer.example/jwks")
    assert settings.load().jwks == ("/a.json", "/b.json", "https://issuer.example/jwks")


def test_proxies_are_addresses_or_networks(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VARSEL_TRUSTED_PROXIES", "10.0.0.7, 10.1.2.3/16 fd00::/8")
    assert shown(settings.load(), "trusted_proxies") == "10.0.0.7/32 10.1.0.0/16 fd00::/8"


@pytest.mark.parametrize("secret", ["hemmelig", "hem:melig", "hem/melig@x"])
def test_secrets_that_are_no_address_are_masked_as_a_whole(environment: pytest.MonkeyPatch, secret: str) -> None:
    environment.setenv("VARSEL_OIDC_CLIENT_SECRET", secret)
    assert shown(settings.load(), "oidc_client_secret") == "***"


def test_passwords_are_masked_where_settings_are_shown(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VARSEL_DATABASE_URL", "postgresql://varsel:hemmelig@db.example:5432/varsel")
    effective = settings.load()
    assert shown(effective, "database_url") == "postgresql://db.example:5432/varsel"
    assert "hemmelig" not in repr(effective)


def test_a_missing_address_says_what_to_set(environment: pytest.MonkeyPatch) -> None:
    del environment
    with pytest.raises(Misconfigured, match=r"VARSEL_REDIS_URL is not set.*varsel up"):
        settings.load().need("redis_url")
