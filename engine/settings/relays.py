"""The relays of VARSEL_SMTP_URL: addresses, separated by commas or spaces, each perhaps with its weight before it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from engine.settings.values import LEAST, MOST
from engine.text import urls

SETTING = "VARSEL_SMTP_URL"
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}
MOST_RELAYS = 50  # more are a mistake: each has its own connections

_WEIGHTED = re.compile(r"(?:(?P<weight>[0-9]+(?:\.[0-9]+)?)\*)?(?P<url>[^*0-9].*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class RelayAddress:
    """A relay as operators name it, and where they wrote its address.

    `url` may hold a password; `weight`: its part of the mail, beside other relays.
    """

    name: str
    url: str = field(repr=False)
    weight: float = 1.0
    written: str = SETTING


def read_relays(text: str) -> tuple[RelayAddress, ...]:
    """The relays of a setting; ValueError, which shows no password, when one cannot work."""
    words = _words(text)
    if len(words) > MOST_RELAYS:
        msg = f"names {len(words)} relays; at most {MOST_RELAYS} can be used"
        raise ValueError(msg)
    found: dict[str, RelayAddress] = {}
    for number, word in enumerate(words, 1):
        place = f"relay {number}: " if words[1:] else ""
        try:
            relay = _read(word)
        except ValueError as error:
            msg = f"{place}{error}"
            raise ValueError(msg) from None
        if relay.name in found:
            msg = f"{place}{relay.name} is named twice; write its weight before it, as in 2*smtp://HOST:PORT"
            raise ValueError(msg)
        found[relay.name] = relay
    return tuple(found.values())


def check_smtp_url(url: str) -> None:
    """Refuse (ValueError) a relay address that cannot work, or that would show a password to the network."""
    urls.check_server(url, tuple(PORTS))
    parts = urlsplit(url)
    if not parts.hostname:
        msg = "must be smtp://HOST:PORT, smtp+starttls://HOST:PORT or smtps://HOST:PORT"
        raise ValueError(msg)
    if parts.scheme == "smtp" and parts.username and parts.hostname not in urls.LOOPBACK:
        msg = "a password over plain smtp:// can be read on the way; use smtp+starttls://"
        raise ValueError(msg)


def place_of(url: str) -> str:
    """HOST:PORT of a relay's address."""
    parts = urlsplit(url)
    return f"{parts.hostname}:{parts.port or PORTS[parts.scheme]}"


def shown(text: str) -> str:
    """The setting without passwords."""
    return ",".join(
        f"{relay.weight:g}*{urls.shown(relay.url)}" if relay.weight != 1 else urls.shown(relay.url)
        for relay in read_relays(text)
    )


def check_weight(weight: float) -> None:
    """Refuse (ValueError) a weight that would mean "never" or "alone"."""
    if not LEAST <= weight <= MOST:
        msg = f"a relay's weight is a number from {LEAST} to {MOST:.0f}"
        raise ValueError(msg)


def _words(text: str) -> list[str]:
    """The text, parted at spaces, and at commas that an address follows: others belong to passwords."""
    parts: list[str] = []
    for part in text.split(","):
        if parts and "://" not in part:
            parts[-1] += f",{part}"
        else:
            parts.append(part)
    return [word for part in parts for word in part.split() or [part]]


def _read(word: str) -> RelayAddress:
    weighted = _WEIGHTED.fullmatch(word)
    url = weighted["url"] if weighted else word
    check_smtp_url(url)
    weight = float(weighted["weight"] or 1) if weighted else 1.0
    check_weight(weight)
    return RelayAddress(place_of(url), url, weight)
