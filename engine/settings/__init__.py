"""The installation's settings: read once from VARSEL_* variables, checked as a whole, then passed around."""

from __future__ import annotations

import os
import re
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from engine.errors import Misconfigured
from engine.settings import relays, secrets
from engine.settings.relays import read_relays
from engine.settings.values import BaseUrl, Hosts, Issuer, Key, Networks, Roles, Sender, Weights, Words  # noqa: TC001 pydantic reads them
from engine.text import urls

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

PREFIX = "VARSEL_"
HOUR, YEAR = 3_600, 31_536_000  # largest values of settings, in seconds
MOST = 1_000_000  # largest value of a setting that is a count


def variable(name: str) -> str:
    """The environment variable of a setting."""
    return f"{PREFIX}{name.upper()}"


_QUOTED = re.compile(r"\"[^\"]*\"|'[^']*'")


@contextmanager
def naming(name: str) -> Iterator[None]:
    """Wrap the reading of a file that a setting names, so that Misconfigured names the setting."""
    try:
        yield
    except Misconfigured as error:
        raise Misconfigured(f"{variable(name)}: {error}") from None


class Settings(BaseSettings):
    """One attribute per variable; `.env.example` shows them all. Times are in seconds, sizes in bytes."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="forbid", frozen=True, env_ignore_empty=True)

    # Where things are
    data: Path = Field(Path(".varsel"), description="folder of the embedded parts")
    database_url: SecretStr | None = Field(
        None, description="sqlite:///FILE or postgresql://USER:PASSWORD@HOST/NAME; with a standby, HOST:PORT,HOST:PORT"
    )
    redis_url: SecretStr | None = Field(
        None, description="redis://HOST:PORT/0, rediss://, unix:///SOCKET or redis+sentinel://HOST:PORT,…/MASTER/0"
    )
    smtp_url: SecretStr | None = Field(
        None,
        description="smtp://, smtp+starttls:// or smtps://, with USER:PASSWORD@ where the relay wants them; several are"
        " separated by commas, with weights where they are unequal, as in: 3*smtp://a:25,smtp://b:25",
    )
    routes_file: Path | None = Field(None, description="TOML: which creators and domains have relays of their own")
    smtp_ca_file: Path | None = Field(
        None, description="authorities that may sign the relay's certificate, beside the system's own"
    )
    base_url: BaseUrl = Field("http://127.0.0.1:5090", description="the address that clients use; it may have a path")
    hosts: Words = Field(
        (),
        description="host names with a dot, beside BASE_URL's, that pages without sign-in answer to; commas between",
    )
    trusted_proxies: Networks = Field(
        (), description="addresses or networks of proxies whose X-Forwarded-For says where a request comes from"
    )
    inbox: Path | None = Field(None, description="folder of the development inbox; set by `varsel up`")
    metrics_dir: Path | None = Field(None, description="folder where the processes of one machine share their metrics")
    metrics_port: int | None = Field(
        None, ge=1, le=65535, description="port where a worker or scheduler shows its metrics; not with METRICS_DIR"
    )
    metrics_host: str = Field("127.0.0.1", description="address on which METRICS_PORT listens")

    # Who may call
    jwks: Words = Field((), description="files or https URLs of key sets, separated by commas")
    issuers: Words = Field((), description="issuers of bearer tokens, separated by commas; empty: any")
    audiences: Words = Field(
        (), description="audiences, of which a bearer token must name one, separated by commas; empty: none is needed"
    )
    token_leeway: float = Field(5, ge=0, le=300, description="how far the issuers' clocks and this one may be apart")
    max_token_lifetime: float = Field(172_800, ge=60, le=YEAR, description="longest life of a token that is accepted")
    issuer_ca_file: Path | None = Field(
        None, description="authorities that may sign the certificates of JWKS and OIDC_ISSUER, beside the system's own"
    )
    platform_keys: Path | None = Field(None, description="folder with one ISSUER.pem per platform issuer")

    # Events
    apps_domain: str = Field("apps.altinn.no", description="a source on this domain is an app's")
    access_file: Path | None = Field(None, description="TOML: who may publish, read and subscribe on which resource")
    webhook_key: Key | None = Field(
        None, description="key that signs what is pushed: 32 characters or more, as from `openssl rand -base64 32`"
    )
    email_templates: Path | None = Field(None, description="folder of e-mail templates, beside the built-in ones")

    # Who may use the console
    console_open: bool = Field(
        default=False, description="let browsers on this machine in while nobody is set up; set by `varsel up`"
    )
    operators_file: Path | None = Field(
        None, description="TOML: operators with role and password; `varsel operator add NAME` writes it"
    )
    oidc_issuer: Issuer | None = Field(
        None, description="OpenID Connect: the issuer whose users may sign in, as its discovery document names it"
    )
    oidc_client_id: str | None = Field(None, min_length=1, description="this installation's client id at OIDC_ISSUER")
    oidc_client_secret: SecretStr | None = Field(None, description="its secret; none: a public client, with PKCE alone")
    oidc_role_claim: str = Field("roles", description="claim of the ID token that names roles: a text or a list")
    oidc_roles: Roles = Field(
        (), description="which value of the claim gives which role, as in: varsel-admins=admin,support=viewer"
    )

    # What is let in and out
    allow_private_endpoints: bool = Field(
        default=False, description="allow plain http and loopback for condition and webhook addresses"
    )
    from_address: Sender = Field("noreply@varsel.example", description="the sender of every order's messages")
    senders_required: bool = Field(
        default=False, description="refuse orders of creators without a sender identity (`varsel senders`)"
    )
    max_connections: int = Field(800, ge=10, le=MOST, description="clients' connections to one `web` process")
    max_body_bytes: int = Field(8_000_000, ge=1_000, le=1_000_000_000, description="largest request body")
    max_attachment_bytes: int = Field(
        10_485_760, ge=0, le=100_000_000, description="largest attachments of one e-mail, all together"
    )
    attachment_hosts: Hosts = Field(
        ("*.blob.core.windows.net",), description="where attachments may be fetched: names, or *. and the end of names"
    )
    attachment_ca_file: Path | None = Field(
        None, description="authorities that may sign the certificates of these hosts, beside the system's own"
    )
    max_subscriptions: int = Field(500, ge=1, le=MOST, description="most subscriptions of one consumer")
    max_recipients: int = Field(10_000, ge=1, le=MOST, description="most recipients of one order")
    max_streamed_recipients: int = Field(
        2 * MOST, ge=1, le=10 * MOST, description="likewise, if they follow the order: lines of its uploads"
    )

    idempotency_strict: bool = Field(
        default=False,
        description="refuse a known idempotencyId with another body (422), instead of the first answer",
    )
    delivery_reports: bool = Field(
        default=False,
        description="whether reports tell what was delivered: without, answers of the second generation call "
        "Email_Delivered what the relay has taken over",
    )
    credentials_file: Path | None = Field(
        None, description="TOML: by creator, the bearer token or the secret with which condition endpoints are asked"
    )
    quotas_file: Path | None = Field(None, description="TOML: recipients a creator may order in a minute, in a day")
    calendars_file: Path | None = Field(None, description="TOML: holidays and quiet hours, for orders' sending windows")

    # How work is done
    lease: float = Field(30, ge=1, le=HOUR, description="how long a claim lasts, which bounds recovery after a crash")
    smtp_connections: int = Field(12, ge=1, le=500, description="connections to the relay, per worker process")
    smtp_instant_connections: int = Field(
        2, ge=1, le=100, description="further connections to the relay, per worker process, for instant orders alone"
    )
    bulk_above: int = Field(
        1_000, ge=1, le=MOST, description="an order with more recipients is bulk, unless it says its priority"
    )
    bulk_share: float = Field(
        0.1, ge=0.01, le=0.99, description="the part of what is sent that is bulk's while normal orders wait, too"
    )
    creator_weights: Weights = Field(
        {}, description="creators that get more or less than an equal share, as in: ttd=2,skd=0.5"
    )
    limits_file: Path | None = Field(
        None, description="TOML: how many e-mails a second go to a relay or to a recipients' domain"
    )
    smtp_connect_timeout: float = Field(
        20, gt=0, le=HOUR, description="for the connection, its greeting and each command"
    )
    smtp_data_timeout: float = Field(
        600, gt=0, le=HOUR, description="for the reply to the final dot (RFC 5321, 4.5.3.2.6)"
    )
    smtp_pipelining: bool = Field(
        default=True, description="say MAIL, RCPT and DATA at once where the relay offers that (RFC 2920)"
    )
    worker_processes: int = Field(2, ge=1, le=64, description="worker processes of `varsel up`")
    retention_days: int = Field(
        90, ge=1, le=36_500, description="finished orders and events are removed after so many days"
    )
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = Field("INFO", description="lowest level that is logged")
    log_format: Literal["text", "json", "journal"] = Field(
        "text", description="text; json: one object per line; or journal: text with priorities, for systemd"
    )
    tracing: bool = Field(
        default=False, description="send traces by OTLP, as the OTEL_* variables say; needs the extra `tracing`"
    )

    @model_validator(mode="after")
    def _agree(self) -> Settings:
        given = [(name, check, getattr(self, name)) for name, check in _ADDRESSES.items()]
        given += [("jwks", _check_key_set, SecretStr(each)) for each in self.jwks if each.startswith("https://")]
        for name, check, address in given:
            try:
                if address:
                    check(address.get_secret_value())
            except ValueError as error:
                msg = f"{variable(name)}: {error}"
                raise ValueError(msg) from None
        if self.metrics_port is not None and self.metrics_dir is not None:
            names = f"{variable('metrics_port')}: not together with {variable('metrics_dir')}"
            msg = f"{names}, with which `web` shows the metrics of all processes of the machine"
            raise ValueError(msg)
        oidc = {name: getattr(self, name) for name in ("oidc_issuer", "oidc_client_id", "oidc_roles")}
        if any(oidc.values()) and not all(oidc.values()):
            missing = ", ".join(variable(name) for name, value in oidc.items() if not value)
            msg = f"{missing}: must be set, too, since OpenID Connect needs {', '.join(map(variable, oidc))}"
            raise ValueError(msg)
        for name in ("jwks", "issuers"):
            if any(each.count("://") > 1 for each in getattr(self, name)):
                msg = f"{variable(name)}: two addresses are in one word; separate them by a comma"
                raise ValueError(msg)
        for source in self.jwks:
            if "://" in source and not source.startswith("https://"):
                where = f"{variable('jwks')}: {urls.shown(source)}"
                msg = f"{where} must be a file or an https URL: anybody who can alter it on the way could sign tokens"
                raise ValueError(msg)
        return self

    @property
    def lease_time(self) -> timedelta:
        """How long a claim lasts."""
        return timedelta(seconds=self.lease)

    @property
    def max_order_bytes(self) -> int:
        """Largest body of an order: attachments in base64 come beside what other requests may have."""
        return self.max_body_bytes + -(-self.max_attachment_bytes // 3) * 4

    def need(self, name: str) -> str:
        """The value of a setting that a process needs; Misconfigured when it is not set."""
        value = getattr(self, name)
        if value is None:
            msg = (
                f"{variable(name)} is not set ({type(self).model_fields[name].description}); `varsel up` brings its own"
            )
            raise Misconfigured(msg)
        return str(value.get_secret_value() if isinstance(value, SecretStr) else value)


def _check_key_set(url: str) -> None:
    urls.check_server(url, ("https",))
    if not urls.is_site(url, ("https",)):
        msg = "must name a host, as in https://login.example.org/jwks"
        raise ValueError(msg)


_ADDRESSES: dict[str, Callable[[str], object]] = {
    "database_url": urls.check_database,
    "redis_url": urls.check_redis,
    "smtp_url": read_relays,
}


def load() -> Settings:
    """Read environment and secrets; Misconfigured names each variable that is unknown, malformed or contradicts one."""
    known = {variable(name) for name in Settings.model_fields} | secrets.FILES.keys()
    unknown = sorted(name for name in os.environ if name.startswith(PREFIX) and name not in known)
    if unknown:
        msg = f"unknown setting {', '.join(unknown)}; `varsel config` lists the known ones"
        raise Misconfigured(msg)
    quoted = sorted(name for name in known if _QUOTED.fullmatch(os.environ.get(name, "")))
    if quoted:
        msg = f"{', '.join(quoted)}: stands in quotes, which `docker run --env-file` does not remove; leave them out"
        raise Misconfigured(msg)
    try:
        return Settings(**secrets.of_files())  # type: ignore[arg-type]  # pydantic checks them
    except ValidationError as error:
        lines = [
            (f"{variable(str(item['loc'][0]))}: " if item["loc"] else "") + item["msg"].removeprefix("Value error, ")
            for item in error.errors(include_input=False, include_url=False)
        ]
        raise Misconfigured("; ".join(lines)) from None


def shown(config: Settings, name: str) -> str:
    """A setting as `varsel config` prints it: addresses as urls.shown leaves them, lists separated by spaces."""
    value = getattr(config, name)
    if isinstance(value, SecretStr):
        if name == "smtp_url":
            return relays.shown(value.get_secret_value())
        return urls.shown(value.get_secret_value()) if name in _ADDRESSES else urls.HIDDEN
    if isinstance(value, tuple):
        return " ".join(_public(str(each)) for each in value)
    return "" if value is None else str(value).lower() if isinstance(value, bool) else _public(str(value))


def _public(text: str) -> str:
    return urls.shown(text) if "://" in text else text
