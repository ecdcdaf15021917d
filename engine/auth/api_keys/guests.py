"""The guests of a team key: addresses, @domains, and numbers of persons or organisations.

A number is a guest of its own: the contact directory may have any address for it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.errors import Invalid
from engine.text.addresses import compared, compared_address, domain_of, read_address

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

MOST = 1_000
_NUMBER = re.compile("[0-9]{9}|[0-9]{11}")


def read_guests(texts: Iterable[str]) -> frozenset[str]:
    """The guests as they are stored and compared; Invalid."""
    found = frozenset(_guest(text.strip()) for text in texts if text.strip())
    if len(found) > MOST:
        raise Invalid({"guests": [f"A key has at most {MOST:,} guests; name their @domain."]})
    return found


def is_guest(recipient: str, guests: Collection[str]) -> bool:
    """Whether a recipient, by address or number, is one of the guests."""
    if "@" not in recipient:
        return recipient in guests
    return compared_address(recipient) in guests or f"@{domain_of(recipient)}" in guests


def _guest(text: str) -> str:
    if _NUMBER.fullmatch(text):
        return text
    if text.startswith("@") and read_address(f"a{text}"):
        return f"@{compared(text[1:])}"
    if address := read_address(text):
        return compared_address(address)
    msg = f"{text[:100]!r} is no address, @domain or number of 9 or 11 digits."
    raise Invalid({"guests": [msg]})
