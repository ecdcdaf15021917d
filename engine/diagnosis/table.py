"""A diagnosis, and the tables of faults in which it is found."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from engine.text.language import N_

if TYPE_CHECKING:
    from collections.abc import Sequence

WRITTEN = "in a user or password, write @ as %40, : as %3A, / as %2F, ? as %3F and # as %23"
USER_LACKS = "does not let its user do what is needed"
_ERRNO = re.compile(r"\[Errno -?\d{1,6}\] ?")  # says nothing to people
RIGHTS = "docs/operating.md, Rights, has the statements"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong, and a sentence that says what to do."""

    text: str
    advice: str

    def __str__(self) -> str:
        """Both, in one line."""
        return f"{self.text}. {self.advice}"


class Fault(NamedTuple):
    """Of the faults of a part, the first counts whose pattern is in its words."""

    pattern: re.Pattern[str]
    text: str
    advice: str


def signs(pattern: str) -> re.Pattern[str]:
    """What a fault is known by, in whichever case."""
    return re.compile(pattern, re.IGNORECASE)


def find(faults: Sequence[Fault], part: str, words: str, otherwise: str, said: str = "") -> Diagnosis:
    """What is wrong with a part that says these words, of which `said` is shown (else their first line).

    `otherwise`: the advice where the words are not known. That the part is silent is then not said: it may have spoken.
    """
    said = _ERRNO.sub("", (said or words).strip().partition("\n")[0].rstrip(". "))
    unknown = (N_("cannot be used"), otherwise)
    found, advice = next(((text, hint) for pattern, text, hint in faults if pattern.search(words)), unknown)
    return Diagnosis(f"{part} {found}" + (f" ({said})" if said else ""), advice)
