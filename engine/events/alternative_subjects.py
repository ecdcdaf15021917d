"""Alternative subjects: the three spellings of an organisation are one."""

from __future__ import annotations

import re

_ORGANISATION = re.compile("/(?:org|organization)/")
_SPELLINGS = ("/organisation/", "/org/", "/organization/")  # first: normal


def normal(subject: str) -> str:
    """`/org/N` and `/organization/N` as `/organisation/N`; everything else as it is."""
    return _ORGANISATION.sub("/organisation/", subject, count=1) if _ORGANISATION.match(subject) else subject


def spellings(subject: str) -> tuple[str, ...]:
    """An alternative subject as it may have been published."""
    first = normal(subject)
    number = first.removeprefix(_SPELLINGS[0])
    return (subject,) if number == first else tuple(prefix + number for prefix in _SPELLINGS)
