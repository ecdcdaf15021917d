"""What a version of a template says: its texts in each locale, the parts that it uses, the schema of its values."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
LOCALE = re.compile(r"[A-Za-z]{2,8}(?:-[A-Za-z0-9]{1,8}){0,4}")  # RFC 5646, 2.1: the language and its subtags
LONGEST = 200_000  # characters of a version with its parts
KINDS = ("subject", "html", "text")


@dataclass(frozen=True, slots=True)
class Texts:
    """Sources of a subject, an HTML and a plain text; None: there is none of its own."""

    subject: str | None = None
    html: str | None = None
    text: str | None = None

    def over(self, other: Texts) -> Texts:
        """These, and the other's where there is none."""
        return Texts(*(mine if mine is not None else its for mine, its in zip(self.all, other.all, strict=True)))

    @property
    def all(self) -> tuple[str | None, str | None, str | None]:
        """In the order of KINDS."""
        return self.subject, self.html, self.text


@dataclass(frozen=True, slots=True)
class Translated:
    """Texts, and those of other locales; what one of these lacks is as in `usual`, whose locale is `locale`."""

    usual: Texts
    locale: str = "en"
    locales: Mapping[str, Texts] = field(default_factory=dict)

    def chosen(self, locale: str | None) -> tuple[str, Texts]:
        """The texts for a locale, or for the nearest one that it is a part of (RFC 4647, 3.4), and their locale."""
        names = {name.lower(): name for name in self.locales}
        wanted = (locale or "").lower()
        while wanted and wanted not in names and wanted != self.locale.lower():
            wanted = wanted.rpartition("-")[0]
        if wanted in names:
            return names[wanted], self.locales[names[wanted]].over(self.usual)
        return self.locale, self.usual


@dataclass(frozen=True, slots=True)
class Content(Translated):
    """A version: its texts, the templates that these name (`parts`, by name), and the schema of its values."""

    parts: Mapping[str, Translated] = field(default_factory=dict)
    schema: Mapping[str, Any] = field(default_factory=dict)

    def json_text(self) -> str:
        """As it is stored; the same content has the same text."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    @classmethod
    def of(cls, stored: str) -> Content:
        """From what was stored."""
        value = json.loads(stored)
        parts = {name: Translated(*_translated(part)) for name, part in value["parts"].items()}
        return cls(*_translated(value), parts, value["schema"])

    def as_part(self) -> Translated:
        """Its texts, for another version that names it; the parts that it names are that version's, too."""
        return Translated(self.usual, self.locale, self.locales)

    @property
    def size(self) -> int:
        """Characters of all its texts."""
        return sum(len(text) for each in (self, *self.parts.values()) for text in _sources(each))


def _translated(value: Mapping[str, Any]) -> tuple[Texts, str, Mapping[str, Texts]]:
    locales = {name: Texts(**texts) for name, texts in value["locales"].items()}
    return Texts(**value["usual"]), value["locale"], locales


def _sources(translated: Translated) -> Sequence[str]:
    return [text for texts in (translated.usual, *translated.locales.values()) for text in texts.all if text]
