"""Templates as they are posted and shown."""

from __future__ import annotations

from dataclasses import asdict
from itertools import islice
from typing import TYPE_CHECKING, Any, Self

from pydantic import Field

from api.answers import Answer, instant
from engine.errors import Invalid
from engine.orders.members import Members
from engine.templating import schema as schemas
from engine.templating.content import KINDS, LOCALE, LONGEST, Content, Texts

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.templating.registry import Entry, TemplateVersion
    from engine.templating.renderer import Rendered

PARAMETER = "template"  # the second key beside a JSON path (contract 4.1)
MOST_LOCALES = 50


class TemplateRequest(Members):
    """A version of a template: Jinja texts. Unknown members are ignored; names may be written in any case."""

    subject: str | None = Field(None, description="one line; without it, the template is a part of others")
    html: str | None = Field(None, description="HTML, in which values are escaped")
    text: str | None = Field(None, description="plain text; default: made of the HTML")
    locale: str = Field("en", description="the language of these texts, such as nb or en-GB")
    locales: dict[str, Any] | None = Field(
        None, description="subject, html and text in other languages, by locale; what one lacks is as above"
    )
    values_schema: dict[str, Any] | None = Field(
        None, alias="schema", description="a JSON schema of the values; default: inferred from the texts"
    )

    def content(self) -> Content:
        """What is stored; Invalid names each broken rule."""
        errors: dict[str, list[str]] = {}
        given = self.locales or {}
        locales = {name: _texts(name, texts, errors) for name, texts in islice(given.items(), MOST_LOCALES)}
        content = Content(Texts(self.subject, self.html, self.text), self.locale, locales, {}, self.values_schema or {})
        if self.html is None and self.text is None:
            errors["Html"] = ["A template has html, text or both."]
        if not LOCALE.fullmatch(self.locale):
            errors["Locale"] = ["A locale is a language with its subtags, such as nb or en-GB."]
        if len(given) > MOST_LOCALES:
            errors["Locales"] = [f"A template has at most {MOST_LOCALES} locales."]
        if content.size > LONGEST:
            errors["template"] = [f"A template has at most {LONGEST:,} characters."]
        for place, message in islice(schemas.faults(content.schema), schemas.MOST_TOLD):
            errors.setdefault(f"Schema.{place}".rstrip("."), []).append(message)
        if errors:
            raise Invalid(errors)
        return content


def _texts(locale: str, given: Any, errors: dict[str, list[str]]) -> Texts:
    texts = {kind: given[kind] for kind in KINDS if kind in given} if isinstance(given, dict) else {}
    if not LOCALE.fullmatch(locale):
        errors[f"Locales.{locale[:64]}"] = ["A locale is a language with its subtags, such as nb or en-GB."]
    elif not texts or not all(isinstance(text, str) for text in texts.values()):
        errors[f"Locales.{locale}"] = ["A locale is an object with a subject, html or text, which are strings."]
        return Texts()
    return Texts(**texts)


class PreviewRequest(Members):
    """What to render a template with."""

    values: dict[str, Any] | None = Field(None, description="as an order gives them for a recipient")
    locale: str | None = Field(
        None, description="such as nb-NO; what the template lacks falls back to nb, then to its own"
    )
    version: int | None = Field(None, description="default: the newest")


class Version(Answer):
    """A version of a template in a list."""

    version: int
    created: str

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """From what is stored."""
        return cls(version=entry.version, created=instant(entry.created))


class Named(Answer):
    """A template in a list; without a version, it is the installation's own."""

    name: str
    version: int | None = None
    created: str | None = None


class TemplateList(Answer):
    """The templates that can be named."""

    count: int
    templates: list[Named]

    @classmethod
    def of(cls, entries: Sequence[Entry], own: Sequence[str]) -> Self:
        """The creator's, and the installation's own."""
        mine = [Named(name=entry.name, version=entry.version, created=instant(entry.created)) for entry in entries]
        names = {entry.name for entry in entries}
        found = mine + [Named(name=name) for name in own if name not in names]
        return cls(count=len(found), templates=found)


class Template(Answer):
    """A version of a template. Without a version, it is the installation's own."""

    name: str
    version: int | None = None
    created: str | None = None
    subject: str | None = None
    html: str | None = None
    text: str | None = None
    locale: str
    locales: dict[str, dict[str, str]]
    values_schema: dict[str, Any] = Field(alias="schema")
    parts: list[str] = Field(description="the templates that it names, which it has as they were when it was stored")
    versions: list[Version] = Field([], description="the newest ones, the last one first")

    @classmethod
    def of(cls, version: TemplateVersion, versions: Sequence[Entry] = ()) -> Self:
        """From what is stored."""
        content = Content.of(version.content)
        return cls(
            name=version.name,
            version=version.version,
            created=instant(version.created) if version.version else None,
            **_given(content.usual),
            locale=content.locale,
            locales={name: _given(texts) for name, texts in content.locales.items()},
            schema=dict(content.schema),
            parts=sorted(content.parts),
            versions=[Version.of(entry) for entry in versions],
        )


def _given(texts: Texts) -> dict[str, str]:
    return {kind: text for kind, text in asdict(texts).items() if text is not None}


class Preview(Answer):
    """A rendered template."""

    name: str
    version: int | None = None
    locale: str = Field(description="of the texts that were chosen")
    subject: str | None = None
    html: str | None = None
    text: str | None = Field(None, description="as it is sent; made of the HTML if the template has none")

    @classmethod
    def of(cls, version: TemplateVersion, rendered: Rendered, text: str | None) -> Self:
        """From what was rendered."""
        shown: Mapping[str, Any] = {"subject": rendered.subject, "html": rendered.html, "text": text}
        return cls(name=version.name, version=version.version, locale=rendered.locale, **shown)
