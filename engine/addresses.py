"""E-mail addresses: the contract's grammar (4.6)."""

from __future__ import annotations

import re

_ATOM = r"[A-Za-z0-9æøåÆØÅ!#$%&;'*+\-=?^_{|}~`]+"
_LABEL = r"[A-Za-z0-9æøåÆØÅ](?:[A-Za-z0-9æøåÆØÅ\-]{0,61}[A-Za-z0-9æøåÆØÅ])?"
_ADDRESS = re.compile(
    rf"(?:{_ATOM}(?:\.{_ATOM})*)@(?:(?:{_LABEL}\.){{1,9}}[A-Za-z]{{2,14}}|(?:[0-9]{{1,3}}\.){{3}}[0-9]{{1,3}})"
)
_LONGEST = 254  # octets: RFC 5321 4.5.3.1.3 less the angle brackets; also bounds the work of the match


def is_address(text: str) -> bool:
    """Whether the whole text, once it is trimmed, is one address that the contract accepts.

    The contract's odd entity-quoted local part is left out: no mail system could deliver to it.
    """
    bare = trimmed(text)
    return len(bare.encode("utf-8", "replace")) <= _LONGEST and _ADDRESS.fullmatch(bare) is not None


def trimmed(text: str) -> str:
    """An address without what stands around it where it was copied: spaces, tabs, line ends."""
    return text.strip(" \t\r\n")
