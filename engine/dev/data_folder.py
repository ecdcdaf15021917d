"""The data folder: the database, keys and mails of an installation that is given no others."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import typer

from engine.auth.tokens import DevelopmentKey
from engine.errors import Misconfigured
from engine.runtime.private_files import tighten
from engine.text.urls import of_file

if TYPE_CHECKING:
    from pathlib import Path

    from engine.settings import Settings

WEBHOOK_KEY = "keys/webhook.key"  # in the data folder


def data_folder(config: Settings, data: Path | None) -> Path:
    """The folder of the embedded parts."""
    return (data or config.data).resolve()


def private_folder(config: Settings, data: Path | None) -> Path:
    """The same; it is created if it is missing, and closed to others, with a message, if it was open.

    Misconfigured when it cannot be created, or written to.
    """
    folder = data_folder(config, data)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder}: {error.strerror}"
        raise Misconfigured(msg) from None
    if not os.access(folder, os.W_OK | os.X_OK):
        raise Misconfigured(f"{folder}: user {os.geteuid()} may not write there; change its owner, or name another")
    if count := tighten(folder):
        were = "1 file or folder was" if count == 1 else f"{count} files or folders were"
        typer.echo(f"{folder}: {were} open to others; now only the owner has access", err=True)
    return folder


def database_url(config: Settings, data: Path | None) -> str:
    """The database that is set, or the embedded one."""
    if config.database_url:
        return config.database_url.get_secret_value()
    folder = private_folder(config, data)
    return of_file(folder / "varsel.db")


def development_key(config: Settings, data: Path | None) -> DevelopmentKey:
    """The key of the data folder; Misconfigured where other keys are set, since its tokens would not be accepted."""
    if config.jwks:
        raise Misconfigured(
            "VARSEL_JWKS is set: tokens come from the issuer of those keys (Maskinporten, or your own), not from"
            " `varsel token`; without VARSEL_JWKS, `varsel up` takes those of `varsel token`"
        )
    return DevelopmentKey(private_folder(config, data), config.issuers, config.audiences)


def webhook_key(folder: Path) -> str:
    """The key of the data folder that signs what is pushed, made at first use."""
    path = folder / WEBHOOK_KEY
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(secrets.token_urlsafe(32))
    return path.read_text()
