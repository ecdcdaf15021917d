"""Alternative subjects: the three spellings of an organisation are one."""

from __future__ import annotations

import re

_ORGANISATION = re.compile("/(?:org|organization)/")


def normal(subject: str) -> str:
    """`/org/N` and `/organization/N` as `/organisation/N`; everything else as it is."""
    return _ORGANISATION.sub("/organisation/", subject, count=1) if _ORGANISATION.match(subject) else subject
