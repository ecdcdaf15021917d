"""The language of sentences for people: the reader's own in the console, English in the command line and the API.

A text stands in English where it is used, and is looked up by it; see docs/decisions/0101. Names in it are written
%(name)s, and a per cent sign %%.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from gettext import NullTranslations
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@dataclass(frozen=True, slots=True)
class Language:
    """A language: its code (BCP 47), its texts, and how it writes numbers."""

    code: str
    texts: NullTranslations = field(default_factory=NullTranslations)
    thousands: str = ","
    point: str = "."


ENGLISH = Language("en")
_VALUE = re.compile(r"%\((\w+)\)s")
_reader: ContextVar[Language] = ContextVar("the reader's language", default=ENGLISH)


def current() -> Language:
    """The language of whoever reads what is made here."""
    return _reader.get()


@contextmanager
def spoken(language: Language) -> Iterator[None]:
    """Speak it in the block, and in the threads and tasks that begin there."""
    token = _reader.set(language)
    try:
        yield
    finally:
        _reader.reset(token)


def gettext(message: str, **values: object) -> str:
    """A text in the reader's language, with these values."""
    return _reader.get().texts.gettext(message) % values


def ngettext(one: str, many: str, amount: int, **values: object) -> str:
    """The text for this number of things; %(num)s is the number, unless that is among the values."""
    return _reader.get().texts.ngettext(one, many, amount) % ({"num": number(amount)} | values)


def translated(text: str) -> str:
    """A text that was marked with N_, in the reader's language; any other stays as it is."""
    return _reader.get().texts.gettext(text) if text else text  # what catalogues have for "" is about themselves


def retold(text: str, *templates: str, **told: Callable[[str], str]) -> str:
    """A text that was stored in English, made of one of the `templates` with some values, in the reader's language.

    `told`: how a value is said. What is made of none of them is a text that was marked with N_, or stays as it is.
    """
    for template in templates:
        found = _values(template, text)
        if found is not None:
            return gettext(template, **{name: told[name](value) if name in told else value for name, value in found})
    return translated(text)


def _values(template: str, text: str) -> list[tuple[str, str]] | None:
    """The values with which the template makes the text, each as short as may be; None: there are none such."""
    first, *rest = _VALUE.split(template)
    names, literals, place = rest[::2], rest[1::2], len(first)
    found: list[tuple[str, str]] = []
    for name, literal in zip(names, literals, strict=True):
        end = text.find(literal, place + 1) if len(found) + 1 < len(names) else len(text) - len(literal)
        found.append((name, text[place:end]))
        place = end + len(literal)
    made = template % dict(found) if all(value for _, value in found) else None
    return found if made == text else None


def N_(message: str) -> str:  # noqa: N802 as gettext calls it
    """Mark a text that is translated where it is used."""
    return message


def N2_(one: str, many: str) -> tuple[str, str]:  # noqa: N802 likewise
    """Mark the texts for one and for many things."""
    return one, many


def number(value: int) -> str:
    """A number with its thousands apart."""
    return f"{value:,}".replace(",", _reader.get().thousands)


def decimal(value: float, digits: int = 1) -> str:
    """A number with so many digits behind the point."""
    language = _reader.get()
    whole, _, fraction = f"{value:,.{digits}f}".partition(".")
    return whole.replace(",", language.thousands) + (language.point + fraction if fraction else "")


_ = gettext
