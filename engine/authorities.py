"""Whose certificates are believed beside the well-known ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import Misconfigured

if TYPE_CHECKING:
    import ssl
    from pathlib import Path


def with_file(context: ssl.SSLContext, ca_file: Path | None, setting: str) -> ssl.SSLContext:
    """The context, which now believes this file's certificates, too; Misconfigured, by the setting, when it cannot."""
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:  # ssl.SSLError is one
            msg = f"{setting}: {ca_file} is no file of certificates in PEM form: {error}"
            raise Misconfigured(msg) from None
    return context
