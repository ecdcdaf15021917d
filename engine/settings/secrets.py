"""Secrets that are read from files: VARSEL_WEBHOOK_KEY from the file that VARSEL_WEBHOOK_KEY_FILE names.

So Docker, Kubernetes and systemd hand secrets over. Then none is in the environment, which `docker inspect` and /proc
show.
"""

from __future__ import annotations

import os
from pathlib import Path

from engine.errors import Misconfigured
from engine.runtime.config_files import read_bounded

# The settings that are secrets. None of these names with _FILE is a setting's own.
SECRETS = ("database_url", "redis_url", "smtp_url", "webhook_key", "oidc_client_secret")
FILES = {f"VARSEL_{name.upper()}_FILE": name for name in SECRETS}
LARGEST = 64 * 1024  # bytes of a secret: many relays, each with its password


def of_files() -> dict[str, str]:
    """By setting, what its file says, without spaces and line ends around it.

    Misconfigured when a file cannot be read or says nothing, or when the setting itself is set, too.
    """
    return {name: _read(variable) for variable, name in FILES.items() if os.environ.get(variable)}


def _read(variable: str) -> str:
    own, file = variable.removesuffix("_FILE"), os.environ[variable]
    if os.environ.get(own):
        raise Misconfigured(f"{variable}: {own} is set, too; remove one of them")
    try:
        text = read_bounded(Path(file), LARGEST).decode().strip()
    except Misconfigured as error:
        raise Misconfigured(f"{variable}: {error}") from None
    except UnicodeDecodeError:
        raise Misconfigured(f"{variable}: {file} is not text") from None
    if not text:
        raise Misconfigured(f"{variable}: {file} is empty")
    return text
