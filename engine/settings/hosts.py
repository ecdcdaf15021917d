"""The host names under which this installation answers without a credential.

An attacker's page can make its own name resolve to this machine (DNS rebinding), and then asks by that name. Nobody can
do so with addresses or names without a dot; all other names must be known.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from engine.settings import Settings

_HOST = re.compile(r"(\[(?P<address>[0-9a-f:.]{2,45})\]|(?P<name>[a-z0-9._-]{0,255}))(:[0-9]{0,5})?")  # RFC 9110, 7.2
FOREIGN = "This host name is unknown here. Use the one of VARSEL_BASE_URL, or add this one to VARSEL_HOSTS."


def is_own(host: str, settings: Settings) -> bool:
    """Whether a Host header, with or without port, names this installation."""
    parts = _HOST.fullmatch(host.lower())
    if not parts:
        return False
    name = parts["address"] or parts["name"]
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
