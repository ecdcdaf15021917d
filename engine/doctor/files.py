"""Files that Varsel reads, and free space on disks."""

from __future__ import annotations

import asyncio
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from engine.auth.access import Rules
from engine.auth.operators import roles
from engine.auth.tokens.issuers import PlatformKeys
from engine.auth.tokens.key_sets import NO_SET, KeyAddress, authorities
from engine.auth.tokens.keys import KeyFile, read_jwks
from engine.doctor.findings import WEB, Finding, ok, problem, unset, usable, warning, wrong
from engine.email.limits import Limits
from engine.observability import tracing
from engine.orders.credentials import Credentials
from engine.orders.quotas import Quotas
from engine.queue.calendars import Calendars
from engine.runtime.authorities import with_file
from engine.settings import PREFIX, Settings
from engine.settings.told import ADDRESSES
from engine.templating.own import Own
from engine.text.urls import file_of, shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from engine.doctor.findings import Place

LITTLE, TOO_LITTLE = 1_000_000_000, 100_000_000  # free bytes of a disk
BOTH = "`web` and `worker` do not start without it"
ALL = "`web`, `worker` and `scheduler` do not start without it"
FETCHED = "until it can be fetched, tokens of its issuer are refused (503)"
# How the processes read the file or folder that a setting names.
FILES: Sequence[tuple[str, str, Callable[[Path], object], str]] = (
    ("keys", "platform_keys", PlatformKeys, WEB),
    ("access", "access_file", Rules, BOTH),
    ("limits", "limits_file", Limits, "`worker` does not start without it"),
    ("quotas", "quotas_file", Quotas, "`web` and `scheduler` do not start without it"),
    ("calendars", "calendars_file", Calendars, ALL),
    ("credentials", "credentials_file", Credentials, "`worker` does not start without it"),
    ("operators", "operators_file", roles, WEB),
    ("templates", "email_templates", Own, ALL),
)
OF_ONE = {"metrics_port", "metrics_host"}  # settings that each process has for itself
TENTH = 0.1  # of a disk: below this there is a warning, too


def settings(place: Place) -> Iterator[Finding]:
    """The settings, which could be loaded; and those whose default is only for development."""
    name, config = "settings", place.config
    if place.asked:
        whose = ", ".join(map(str, place.asked))
        yield ok(name, f"{len(config.model_fields_set)} are set, as the processes of this machine tell: {whose}")
        yield from _told(place)
    else:
        whose = "those of this command, since no process of this machine tells its own"
        yield ok(name, f"{len(config.model_fields_set)} of {len(Settings.model_fields)} are set ({whose})")
    if not (place.own or config).database_url:
        return
    for each, what in (("base_url", "links in answers lead to"), ("from_address", "the sender of all messages is")):
        if each not in config.model_fields_set:
            variable = f"{PREFIX}{each.upper()}"
            yield warning(name, f"{variable} is not set: {what} {getattr(config, each)}", f"Set {variable}.")


def _told(place: Place) -> Iterator[Finding]:
    """Settings in which processes differ, and addresses of which they tell no password."""
    for name in sorted({name for each in place.asked for name in each.settings} - OF_ONE):
        values = {str(each): each.settings[name] for each in place.asked if name in each.settings}
        if len(set(values.values())) > 1:
            which = "; ".join(f"{value} for {who}" for who, value in values.items())
            text = f"processes differ in {PREFIX}{name.upper()}: {which}"
            yield warning("settings", text, "Start them again with the same settings, unless that is intended.")
    for name in ADDRESSES if not place.embedded else ():
        here, there = (getattr(each, name) if each else None for each in (place.own, place.config))
        if there is not None and there != here:
            variable = f"{PREFIX}{name.upper()}"
            text = f"{variable} is checked as {there.get_secret_value()}: no process tells its user and password"
            yield ok("settings", f"{text}; set {variable} for this command, too, if it has any")


def keys(place: Place) -> Iterator[Finding]:
    """Whether the files of keys and rights can be read."""
    config, own = place.config, place.folder / "keys"
    has_own = place.embedded and own.is_dir()
    for source in config.jwks or ((str(own / "jwks.json"),) if has_own else ()):
        yield usable(
            "keys",
            shown(source) if "://" in source else source,
            partial(_key_set, source, config.issuer_ca_file),
            FETCHED if source.startswith("https://") else WEB,
            "jwks" if source in config.jwks else "",
        )
    if config.issuer_ca_file:
        yield usable("keys", str(config.issuer_ca_file), partial(authorities, config.issuer_ca_file))
    if not config.jwks and not has_own:
        yield wrong("keys", NO_SET)
    if config.jwks and not config.audiences:
        yield ok("keys", "tokens for any audience are accepted; VARSEL_AUDIENCES would narrow that")
    if config.webhook_key:
        yield ok("keys", "what is pushed can be signed")
    elif has_own and (own / "webhook.key").is_file():
        yield ok("keys", f"what `varsel up` pushes can be signed, by the key in {own}")
    else:
        yield unset(place, "webhook_key", "`web` and `worker` do")
    if file := config.attachment_ca_file:
        load_it = partial(with_file, httpx.create_ssl_context(trust_env=False), file, "attachment_ca_file")
        yield usable("attachments", str(file), load_it, "`worker` does not start without it")
    for name, setting, load, without in FILES:
        if path := getattr(config, setting):
            yield usable(name, str(path), partial(load, path), without, setting)


def traces(place: Place) -> Iterator[Finding]:
    """Whether traces can be made, if they are on."""
    if place.config.tracing:
        yield usable("tracing", "OpenTelemetry", partial(tracing.check, place.config), BOTH)


def disk(place: Place) -> Iterator[Finding]:
    """The free space on the disks of the embedded parts, an SQLite file and the development inbox."""
    folders = {place.folder, place.config.inbox or place.folder}
    if file := file_of(place.database_url):
        folders.add(file.resolve().parent)
    for folder in sorted(folders):
        if folder.is_dir():
            usage = shutil.disk_usage(folder)
            yield room(folder, usage.free, usage.total)


def room(folder: Path, free: int, total: int) -> Finding:
    """Whether so many free bytes are enough on the disk of a folder."""
    text = f"{free / 1e9:,.1f} of {total / 1e9:,.1f} GB are free at {folder}"
    if free < TOO_LITTLE:
        return problem("disk", text, "Make room at once: what cannot be written is refused.")
    if free < LITTLE or free < TENTH * total:
        return warning("disk", text, "Make room, or lower VARSEL_RETENTION_DAYS.")
    return ok("disk", text)


def _key_set(source: str, ca_file: Path | None) -> None:
    if source.startswith("https://"):
        asyncio.run(KeyAddress(source, authorities(ca_file)).fetch())
    else:
        KeyFile(Path(source), read_jwks).changed()
