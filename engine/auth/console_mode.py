"""Whom the console lets in; only the settings decide."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engine.text.urls import LOOPBACK

if TYPE_CHECKING:
    from engine.settings import Settings


class Mode(Enum):
    """Whom the console lets in."""

    SIGN_IN = "sign-in"  # operators that sign in
    OPEN = "open"  # with VARSEL_CONSOLE_OPEN and nobody set up: a browser on this machine
    CLOSED = "closed"  # nobody, until operators are set up


def mode(config: Settings) -> Mode:
    """Whom the console lets in with these settings."""
    if config.operators_file or config.oidc_issuer:
        return Mode.SIGN_IN
    own = urlsplit(config.base_url).hostname in LOOPBACK  # else others use it, too
    return Mode.OPEN if config.console_open and own else Mode.CLOSED
