"""By which names this installation may be asked where no credential is: a name that another's DNS makes ours is none.

A page whose name was made to resolve to this machine (DNS rebinding) asks by that name. Addresses, and names without a
dot, are in nobody's hands; all others must be known.
"""

from __future__ import annotations

import ipaddress
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from engine.settings import Settings

FOREIGN = "This is no name of the installation. Ask by that of VARSEL_BASE_URL, or put this one into VARSEL_HOSTS."


def is_own(host: str, settings: Settings) -> bool:
    """Whether a Host header, with or without port, names this installation."""
    name = (host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]).lower()
    return _is_nobodys(name) or name in (
        urlsplit(settings.base_url).hostname,
        *(each.lower() for each in settings.hosts),
    )


def _is_nobodys(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return "." not in name
    return True
