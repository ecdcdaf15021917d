"""The types of settings, beside numbers and paths: how each is read, and what is refused."""

from __future__ import annotations

import re
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from pydantic_settings import NoDecode

from engine.text import urls
from engine.text.addresses import bare, wire_address

SHORTEST_KEY = 32  # characters
# It begins what stands in headers and pages. urlsplit would read an address without the line ends in it.
_BASE = re.compile(r"https?://(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::[0-9]{1,5})?((?:/[^\s?#]*)?)", re.ASCII)
_ROOT_PATH = re.compile(r"(?:/(?!\.{1,2}(?:/|\Z))[A-Za-z0-9._~-]+)*")  # no .. or //; unreserved (RFC 3986, 2.3)


def _words(value: object) -> object:
    return tuple(value.replace(",", " ").split()) if isinstance(value, str) else value


Words = Annotated[tuple[str, ...], NoDecode, BeforeValidator(_words)]  # separated by spaces or commas


def _matching(pattern: re.Pattern[str], otherwise: str) -> AfterValidator:
    """Refuses (ValueError) what does not match the pattern, with the value and what is wrong with it."""

    def check(value: str) -> str:
        if not pattern.fullmatch(value):
            msg = f"{value!r} {otherwise}"
            raise ValueError(msg)
        return value

    return AfterValidator(check)


_Role = Annotated[
    str,
    _matching(
        re.compile(r"[^=]+=(?:viewer|operator|admin)"),
        "is not VALUE=ROLE with the role viewer, operator or admin; separate several by commas",
    ),
]
Roles = Annotated[tuple[_Role, ...], NoDecode, BeforeValidator(_words)]  # likewise
_Host = Annotated[
    str,
    _matching(
        re.compile(r"(?:\*\.)?[A-Za-z0-9][A-Za-z0-9.-]*"),
        "is not a name such as files.example.no, or *. and the end of names; without scheme and port",
    ),
]
Hosts = Annotated[tuple[_Host, ...], NoDecode, BeforeValidator(_words)]  # likewise

_WEIGHT = re.compile(r"[^=]+=[0-9]+(?:\.[0-9]+)?")
LEAST, MOST = 0.01, 100.0  # weights beyond would mean "never" and "alone"


def _weights(value: object) -> object:
    if not isinstance(value, str):
        return value
    words = value.replace(",", " ").split()
    for word in words:
        if not _WEIGHT.fullmatch(word) or not LEAST <= float(word.partition("=")[2]) <= MOST:
            msg = f"{word!r} is not CREATOR=WEIGHT with a weight from {LEAST} to {MOST:.0f}; separate several by commas"
            raise ValueError(msg)
    return {creator: float(weight) for creator, _, weight in (word.partition("=") for word in words)}


Weights = Annotated[dict[str, float], NoDecode, BeforeValidator(_weights)]  # separated likewise

Network = IPv4Network | IPv6Network


_MAPPED = 96  # bits before an IPv4 address that is written as an IPv6 address (RFC 4291, 2.5.5.2), as clients are read


def _network(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        network = ip_network(value, strict=False)
    except ValueError:
        network = None
    if isinstance(network, IPv6Network) and network.network_address.ipv4_mapped and network.prefixlen >= _MAPPED:
        network = ip_network((network.network_address.ipv4_mapped, network.prefixlen - _MAPPED))
    if network is None or not network.prefixlen:
        msg = "must be addresses and networks such as 10.0.0.7 or 10.1.0.0/16, and not all addresses"
        raise ValueError(msg)
    return network


_Network = Annotated[Network, BeforeValidator(_network)]
Networks = Annotated[tuple[_Network, ...], NoDecode, BeforeValidator(_words)]  # separated likewise


def _base_url(value: str) -> str:
    fits = _BASE.fullmatch(value.rstrip("/"))
    if not fits or not urls.is_site(value, ("http", "https")):
        msg = "must be an address such as https://notify.example.org, without ? or #, spaces or a user"
        raise ValueError(msg)
    value, path = fits[0], fits[1]
    if not _ROOT_PATH.fullmatch(path):
        msg = "may have a path such as /varsel, of letters, digits and any of - . _ ~"
        raise ValueError(msg)
    return value


def _issuer(value: str) -> str:
    local = urls.is_site(value, ("http",)) and urlsplit(value).hostname in urls.LOOPBACK
    if not local and not urls.is_site(value, ("https",)):
        msg = "must be an https address such as https://login.example.org: altered answers could sign anybody in"
        raise ValueError(msg)
    return value


def _sender(value: str) -> str:
    address = bare(value)
    try:
        wire_address(address)
    except ValueError as error:
        msg = f"must be an address such as noreply@example.no: {error}"
        raise ValueError(msg) from None
    return address


def _long(value: SecretStr) -> SecretStr:
    if len(value.get_secret_value()) < SHORTEST_KEY:
        msg = f"must have {SHORTEST_KEY} characters or more, as from `openssl rand -base64 32`"
        raise ValueError(msg)
    return value


BaseUrl = Annotated[str, AfterValidator(_base_url)]
Issuer = Annotated[str, AfterValidator(_issuer)]
Sender = Annotated[str, AfterValidator(_sender)]
Key = Annotated[SecretStr, AfterValidator(_long)]
