"""Settings: each is documented, and each mistake is reported."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import honcho.environ  # type: ignore[import-untyped]
import pytest

from engine import settings
from engine.errors import Misconfigured
from engine.settings import Settings, shown
from engine.settings.secrets import FILES, SECRETS

if TYPE_CHECKING:
    from collections.abc import Callable

EXAMPLE = Path(__file__).parents[2] / ".env.example"


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"VARSEL_{name.upper()}", raising=False)
    for name in FILES:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


def test_the_example_names_every_setting() -> None:
    named = set(re.findall(r"^#? ?VARSEL_(\w+)=", EXAMPLE.read_text(), re.MULTILINE))
    assert named == {name.upper() for name in Settings.model_fields}


def test_the_senders_address_is_kept_without_what_pasting_left_around_it(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VARSEL_FROM_ADDRESS", "\u00a0noreply@blåbær.no\u200b")
    assert settings.load().from_address == "noreply@blåbær.no"


# Values of those whose default is none; what .env.example says in words of each.
FILLED = {
    "DATABASE_URL": "postgresql://varsel:p%40ss%23@db.example:5432/varsel?sslmode=verify-full",
    "REDIS_URL": "rediss://:p%40ss@cache.example:6379/0",
    "SMTP_URL": "3*smtp+starttls://varsel:p%40ss@relay.example:587,smtps://other.example",
    "ROUTES_FILE": "/etc/varsel/routes.toml",
    "SMTP_CA_FILE": "/etc/varsel/relay.pem",
    "ATTACHMENT_CA_FILE": "/etc/varsel/files.pem",
    "HOSTS": "notify.example,notify.internal.example",
    "INBOX": "/var/lib/varsel/inbox",
    "METRICS_PORT": "9191",
    "JWKS": "/etc/varsel/jwks.json,https://issuer.example/jwks?v=2",
    "ISSUERS": "https://issuer.example,https://other.example/a",
    "AUDIENCES": "varsel,https://notify.example",
    "ISSUER_CA_FILE": "/etc/varsel/issuers.pem",
    "TRUSTED_PROXIES": "10.0.0.7,10.1.0.0/16,fd00::/8",
    "PLATFORM_KEYS": "/etc/varsel/platform",
    "ACCESS_FILE": "/etc/varsel/access.toml",
    "LIMITS_FILE": "/etc/varsel/limits.toml",
    "CREDENTIALS_FILE": "/etc/varsel/credentials.toml",
    "QUOTAS_FILE": "/etc/varsel/quotas.toml",
    "CALENDARS_FILE": "/etc/varsel/calendars.toml",
    "WEBHOOK_KEY": "Zm9vYmFy+/Zm9vYmFyZm9vYmFyZm9vYmFyZm9vYmE=",
    "EMAIL_TEMPLATES": "/etc/varsel/templates",
    "OPERATORS_FILE": "/etc/varsel/operators.toml",
    "OIDC_ISSUER": "https://login.example/realms/varsel",
    "OIDC_CLIENT_ID": "varsel",
    "OIDC_CLIENT_SECRET": "Zm9vYmFy+/Zm9vYmFyZm9vYmE=",
    "METRICS_DIR": "",
}


def by_honcho(file: Path) -> dict[str, str]:
    return dict(honcho.environ.parse(file.read_text()))


def by_a_shell(file: Path) -> dict[str, str]:
    done = subprocess.run(
        ["sh", "-c", 'set -a; . "$1"; env -0', "sh", file], env={}, check=True, capture_output=True, text=True
    )
    return dict(line.split("=", 1) for line in done.stdout.split("\0") if line.startswith("VARSEL_"))


def by_docker(file: Path) -> dict[str, str]:
    """Read as `docker run --env-file` does: a line is a name, = and the value, up to its end and unchanged."""
    lines = (line.strip() for line in file.read_text().splitlines())
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.mark.parametrize("reader", [by_honcho, by_a_shell, by_docker])
def test_the_example_is_read_the_same_by_all_who_read_such_files(
    reader: Callable[[Path], dict[str, str]], environment: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    text = re.sub(r"^# (?=VARSEL_\w+=)", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    shown_as = dict(re.findall(r"^VARSEL_(\w+)=(.*)", text, re.MULTILINE))
    _, roles, weights = re.findall(r"as in: (\S+)$", text, re.MULTILINE)
    examples = {"OIDC_ROLES": roles, "CREATOR_WEIGHTS": weights}
    meant = shown_as | FILLED | examples
    assert {name for name, value in shown_as.items() if not value} == FILLED.keys() | examples.keys()
    file = tmp_path / ".env"
    file.write_text(re.sub(r"(?m)^(VARSEL_(\w+)=).*", lambda found: found[1] + meant[found[2]], text))
    read = {name.removeprefix("VARSEL_"): value for name, value in reader(file).items() if value}
    assert read == {name: value for name, value in meant.items() if value}
    for name, value in reader(file).items():
        environment.setenv(name, value)
    config = settings.load()
    assert config.oidc_roles == ("varsel-admins=admin", "support=viewer")
    assert config.creator_weights == {"ttd": 2.0, "skd": 0.5}
    assert config.metrics_dir is None


@pytest.mark.parametrize("hosts", ["https://files.example.no", "files.*.no", "*", "files.example.no:8443"])
def test_hosts_of_attachments_are_names(environment: pytest.MonkeyPatch, hosts: str) -> None:
    environment.setenv("VARSEL_ATTACHMENT_HOSTS", f"*.blob.core.windows.net,{hosts}")
    with pytest.raises(Misconfigured, match=r"VARSEL_ATTACHMENT_HOSTS: .* is not a name"):
        settings.load()


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
        ("SMTP_URL", "smtp://user:secret@relay.example", "can be read on the way"),
        ("DATABASE_URL", "mysql://x", "sqlite:/// or postgresql://"),
        ("JWKS", "http://issuer.example/jwks", "https URL"),
        ("BASE_URL", "notify.example", "must be an address"),
        ("BASE_URL", "https://notify.example:99999", "must be an address"),
        ("BASE_URL", "https://notify.example?a=1", "without ? or #"),
        ("BASE_URL", "https://[::1", "must be an address"),
        ("BASE_URL", "https://notify.example//evil.example", "may have a path such as /varsel"),
        ("BASE_URL", "https://notify.example/a/../b", "may have a path such as /varsel"),
        ("BASE_URL", "https://notify.example/a;b", "may have a path such as /varsel"),
        ("BASE_URL", "https://notify.example/%2F", "may have a path such as /varsel"),
        ("BASE_URL", "https://notify.example/var\nsel", "must be an address"),
        ("BASE_URL", "https://notify.example/varsel\n", "must be an address"),
        ("BASE_URL", " https://notify.example", "must be an address"),
        ("BASE_URL", "https://notify\\evil.example", "must be an address"),
        ("BASE_URL", "https://me:secret@notify.example", "must be an address"),
        ("BASE_URL", "HTTPS://notify.example", "must be an address"),
        ("OIDC_ISSUER", "https://login.example:99999", "must be an https address"),
        ("JWKS", "https:///jwks", "must name a host"),
        ("LOG_LEVEL", "LOUD", "LOG_LEVEL: Input should be 'DEBUG', 'INFO', 'WARNING' or 'ERROR'"),
        ("LOG_FORMAT", "xml", "LOG_FORMAT: Input should be 'text', 'json' or 'journal'"),
        ("WEBHOOK_KEY", "short", "WEBHOOK_KEY: must have 32 characters or more"),
        ("FROM_ADDRESS", "noreply", "must be an address such as noreply@example.no"),
        ("FROM_ADDRESS", "Varsel <noreply@example.no>", "must be an address such as"),
        ("FROM_ADDRESS", "noreply@æø--x.no", "must be an address such as"),
        ("OIDC_ISSUER", "http://login.example", "must be an https address"),
        ("OIDC_ISSUER", "https://login.example", "VARSEL_OIDC_CLIENT_ID, VARSEL_OIDC_ROLES: must be set, too"),
        ("OIDC_CLIENT_ID", "varsel", "VARSEL_OIDC_ISSUER, VARSEL_OIDC_ROLES: must be set, too"),
        ("TRUSTED_PROXIES", "proxy.internal", "must be addresses and networks such as 10.0.0.7"),
        ("TRUSTED_PROXIES", "10.0.0.7 *", "must be addresses and networks such as 10.0.0.7"),
        ("TRUSTED_PROXIES", "0.0.0.0/0", "not all addresses"),
        ("TRUSTED_PROXIES", "10.0.0.7, ::/0", "not all addresses"),
        ("TRUSTED_PROXIES", "::ffff:0:0/96", "not all addresses"),
        ("TOKEN_LEEWAY", "301", "less than or equal to 300"),
        ("CREATOR_WEIGHTS", "ttd", "CREATOR_WEIGHTS: 'ttd' is not CREATOR=WEIGHT"),
        ("CREATOR_WEIGHTS", "ttd=0", "with a weight from 0.01 to 100"),
        ("CREATOR_WEIGHTS", "ttd=1,skd=nan", "'skd=nan' is not CREATOR=WEIGHT"),
        ("OIDC_ROLES", "varsel-admins=root", "OIDC_ROLES: 'varsel-admins=root' is not VALUE=ROLE"),
        ("OIDC_ROLES", "varsel-admins=adminsupport=viewer", "is not VALUE=ROLE"),
        ("OIDC_ROLES", "varsel-admins = admin", "is not VALUE=ROLE"),
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


NUMBERS = [name for name, field in Settings.model_fields.items() if {int, float} & {field.annotation}]


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", ["inf", "nan", "1e18", "100000000000"])
def test_a_number_has_a_bound_below_which_all_that_counts_with_it_works(
    environment: pytest.MonkeyPatch, name: str, value: str
) -> None:
    environment.setenv(f"VARSEL_{name.upper()}", value)
    with pytest.raises(Misconfigured, match=f"^VARSEL_{name.upper()}: "):
        settings.load()


def test_a_proxy_that_is_written_as_ipv6_is_known_as_it_comes(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VARSEL_TRUSTED_PROXIES", "::ffff:10.0.0.0/104,::ffff:192.0.2.7")
    assert [*map(str, settings.load().trusted_proxies)] == ["10.0.0.0/8", "192.0.2.7/32"]


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


# Secrets from files


def test_what_is_secret_can_be_read_from_a_file_and_no_name_means_two_things() -> None:
    secret = {name for name, field in Settings.model_fields.items() if "SecretStr" in str(field.annotation)}
    assert secret == set(SECRETS)
    assert {f"{name}_file" for name in SECRETS} & set(Settings.model_fields) == set()
    assert all(f"VARSEL_{name.upper()}_FILE" in EXAMPLE.read_text() for name in SECRETS)


def test_a_secret_is_what_its_file_says_without_the_line_end(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("k" * 32 + "\n")
    environment.setenv("VARSEL_WEBHOOK_KEY_FILE", str(file))
    environment.setenv("VARSEL_WEBHOOK_KEY", "")
    assert settings.load().need("webhook_key") == "k" * 32


def test_the_rules_of_a_secret_hold_in_its_file_too(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "relay"
    file.write_text("smtp://varsel:hemmelig@relay.example")
    environment.setenv("VARSEL_SMTP_URL_FILE", str(file))
    with pytest.raises(Misconfigured, match="VARSEL_SMTP_URL: a password over plain") as refused:
        settings.load()
    assert "hemmelig" not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (None, "No such file"),
        (b"", "is empty"),
        (b" \n", "is empty"),
        (b"\xff", "not text"),
        (b"a" * 70_000, "more than"),
    ],
)
def test_a_file_that_says_no_secret_is_named(
    environment: pytest.MonkeyPatch, tmp_path: Path, content: bytes | None, reason: str
) -> None:
    file = tmp_path / "url"
    if content is not None:
        file.write_bytes(content)
    environment.setenv("VARSEL_REDIS_URL_FILE", str(file))
    with pytest.raises(Misconfigured, match=f"VARSEL_REDIS_URL_FILE: {file}.*{reason}"):
        settings.load()


def test_a_secret_is_set_in_one_place(environment: pytest.MonkeyPatch, tmp_path: Path) -> None:
    environment.setenv("VARSEL_REDIS_URL", "redis://cache.example/0")
    environment.setenv("VARSEL_REDIS_URL_FILE", str(tmp_path / "url"))
    with pytest.raises(Misconfigured, match="VARSEL_REDIS_URL is set, too"):
        settings.load()


def test_only_secrets_are_read_from_files(environment: pytest.MonkeyPatch) -> None:
    environment.setenv("VARSEL_LEASE_FILE", "/run/lease")
    with pytest.raises(Misconfigured, match="unknown setting VARSEL_LEASE_FILE"):
        settings.load()
