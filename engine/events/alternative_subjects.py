"""Alternative subjects: an organisation has three spellings, which mean the same."""

from __future__ import annotations

import re

_ORGANISATION = re.compile("/(?:org|organization)/")
_SPELLINGS = ("/organisation/", "/org/", "/organization/")  # the first is the normal one


def normal(subject: str) -> str:
    """`/org/N` and `/organization/N` as `/organisation/N`; everything else as it is."""
    return _ORGANISATION.sub("/organisation/", subject, count=1) if _ORGANISATION.match(subject) else subject


def spellings(subject: str) -> tuple[str, ...]:
    """The spellings in which an alternative subject may have been published."""
    first = normal(subject)
    number = first.removeprefix(_SPELLINGS[0])
    return (subject,) if number == first else tuple(prefix + number for prefix in _SPELLINGS)
