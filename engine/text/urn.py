"""URNs, as far as the contract knows them."""

from __future__ import annotations

import re

# Every group ends at a colon, which it cannot hold: nothing is tried twice.
_URN = re.compile(r"urn:[a-z0-9-]{1,30}(?::[a-z0-9()+,.;$_!/-]{1,100}){1,10}")


def is_urn(text: str) -> bool:
    """Whether it is a URN of the contract's narrow kind (events contract 5.5); capital letters are not allowed."""
    return _URN.fullmatch(text) is not None
