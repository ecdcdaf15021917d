"""Authorities that are trusted beside the well-known ones."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.errors import Misconfigured

if TYPE_CHECKING:
    import ssl
    from pathlib import Path


def with_file(context: ssl.SSLContext, ca_file: Path | None, setting: str) -> ssl.SSLContext:
    """The context, which now trusts the file's certificates, too; Misconfigured, with the setting, when it cannot."""
    if ca_file:
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:  # ssl.SSLError is one
            msg = f"VARSEL_{setting.upper()}: {ca_file} is no file of certificates in PEM form: {error}"
            raise Misconfigured(msg) from None
    return context


def why(error: Exception) -> str:
    """Why an issuer cannot be asked; for a certificate of an unknown authority, with the setting that helps."""
    said = str(error) or type(error).__name__
    known = "CERTIFICATE_VERIFY_FAILED" not in said
    return said if known else f"{said}; VARSEL_ISSUER_CA_FILE names certificates of your own"
