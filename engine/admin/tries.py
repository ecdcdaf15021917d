"""Where nothing is found: what comes nearest to what was typed, each with the list or the search that tries it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.admin import lookups
from engine.text.language import _, number

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

FIND = "find"  # in place of a list: the search itself, for what stands in `q`
_HEX = re.compile(r"[0-9a-f-]+", re.IGNORECASE)
_NUMBER = re.compile(r"[\d\s]+")


@dataclass(frozen=True, slots=True)
class Try:
    """Something to try: a sentence, and the list that does it, with its conditions; None: it says how to type."""

    text: str
    resource: str | None = None
    given: Mapping[str, str] | None = None


def tries(text: str, *, sees_personal_data: bool) -> list[Try]:
    """What comes nearest to a text that names nothing."""
    found = [*_identifiers(text)]
    if sees_personal_data:
        found += [*_numbers(text), *_recipients(text), *_references(text)]
    return found


def _identifiers(text: str) -> Iterator[Try]:
    digits = text.replace("-", "")
    if not _HEX.fullmatch(text) or not any(map(str.isdigit, text)):
        return
    if len(digits) < lookups.SHORTEST_END:
        yield Try(
            _(
                "Of an identifier, type its first letters, at least %(first)s, or its last ones, at least %(last)s.",
                first=lookups.FEWEST,
                last=lookups.SHORTEST_END,
            )
        )
    else:
        yield Try(
            _(
                "By its last letters, an identifier is looked for among the newest %(count)s orders and as many"
                " e-mails. By its first letters, it is found among all.",
                count=number(lookups.NEWEST_ENDS),
            )
        )


def _numbers(text: str) -> Iterator[Try]:
    if _NUMBER.fullmatch(text) and len(digits := "".join(text.split())) != len(text):
        yield Try(_("Numbers stand without spaces: %(digits)s.", digits=digits), FIND, {"q": digits})


def _recipients(text: str) -> Iterator[Try]:
    name, at, domain = text.removesuffix(lookups.BEGINS).rpartition("@")
    if at and "." in domain:
        if name:
            yield Try(_("The whole domain: @%(domain)s.", domain=domain), FIND, {"q": f"@{domain}"})
        yield Try(
            _("The list of e-mails looks further for @%(domain)s, page by page.", domain=domain),
            "emails",
            {"recipient": f"@{domain}"},
        )
    elif " " not in text and not text.startswith("/"):
        yield Try(
            _(
                "Of an address, type the beginning (kari for kari.nordmann@example.no) or the whole domain"
                " (@example.no): the middle is not found."
            )
        )
        if "." in text:
            yield Try(
                _("The list of e-mails looks further for @%(domain)s, page by page.", domain=text),
                "emails",
                {"recipient": f"@{text}"},
            )
        yield Try(
            _("The list of orders looks for %(text)s anywhere in their recipients, page by page.", text=text),
            "orders",
            {"recipient": text},
        )


def _references(text: str) -> Iterator[Try]:
    words = re.split(r"[\s/_.:-]+", text)
    if len(words) > 1 and len(words[0]) > 1 and "@" not in text:
        beginning = _("Of a reference, the beginning is enough, in the case that it has: %(word)s.", word=words[0])
        yield Try(beginning, FIND, {"q": words[0]})
