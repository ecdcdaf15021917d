"""The text of an API key: `varsel_live_`, 43 characters of chance, 6 of a checksum.

The chance is 256 bits: nobody finds a key from its SHA-256, so no slow hash is needed, which would cost each request
what it costs an attacker. The checksum lets scanners of published code tell a key from a text that looks like one, and
lets Varsel refuse what was typed wrong without a look at the keys.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import zlib
from enum import StrEnum
from string import ascii_letters, digits

ALPHABET = digits + ascii_letters  # base62: a double click selects the whole key
CHANCE, CHECK = 43, 6  # characters: 62**43 is above 2**256, and 62**6 above 2**32
PREFIX = "varsel_"


class KeyKind(StrEnum):
    """What the orders of a key come to."""

    LIVE = "live"  # they are sent
    TEAM = "team"  # they are sent, to its guests alone
    TEST = "test"  # they take their whole way, and a simulator answers in place of a relay


_KEY = re.compile(rf"({PREFIX}(?:{'|'.join(KeyKind)})_[0-9A-Za-z]{{{CHANCE}}})([0-9A-Za-z]{{{CHECK}}})")


def new_key(kind: KeyKind) -> str:
    """A fresh key."""
    text = f"{PREFIX}{kind}_" + "".join(secrets.choice(ALPHABET) for _ in range(CHANCE))
    return text + checksum(text)


def is_key(text: str) -> bool:
    """Whether a text has the form of a key, checksum included."""
    found = _KEY.fullmatch(text)
    return found is not None and checksum(found[1]) == found[2]


def hashed(key: str) -> str:
    """What is stored of a key."""
    return hashlib.sha256(key.encode()).hexdigest()


def checksum(text: str) -> str:
    """CRC-32 of a key's other characters, in base62."""
    rest, found = zlib.crc32(text.encode()), ""
    for _ in range(CHECK):
        rest, digit = divmod(rest, len(ALPHABET))
        found = ALPHABET[digit] + found
    return found
