"""The language of sentences for people: the reader's own in the console, English in the command line and the API.

A text stands in English where it is used, and is looked up by it; see docs/decisions/0101. Names in it are written
%(name)s, and a per cent sign %%.
"""

from __future__ import annotations

import re
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from functools import cache
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
        if found := re.fullmatch(_pattern(template), text, re.DOTALL):
            values = {name: told[name](value) if name in told else value for name, value in found.groupdict().items()}
            return gettext(template, **values)
    return translated(text)


@cache
def _pattern(template: str) -> str:
    """What texts of a template look like."""
    parts = _VALUE.split(template)
    return "".join(f"(?P<{part}>.+?)" if place % 2 else re.escape(part) for place, part in enumerate(parts))


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
