"""Jinja for templates that strangers write: what they reach, how often their loops run, how long a text becomes.

It bounds neither CPU time nor memory: only a process of its own can (engine/templating/child.py).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jinja2 import DictLoader, StrictUndefined, nodes
from jinja2.sandbox import ImmutableSandboxedEnvironment

from engine.models import LONGEST_SUBJECT
from engine.text.controls import BODY_CONTROLS, LINE_CONTROLS, SURROGATES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from jinja2.runtime import Context

    from engine.templating.content import Content

LONGEST_TEXT = 1_000_000  # characters
LOOPS = 10_000  # times that the loops of a text run, together
_ARITHMETIC = ("*", "**", "%")  # of texts and lists, these take any memory
_LARGEST = 10**15  # above this, whole numbers take their time

_NOT_IN_LINE = re.compile(f"[{LINE_CONTROLS}{SURROGATES}]+")
_NOT_IN_BODY = re.compile(f"[{BODY_CONTROLS}{SURROGATES}]")


class TooMuch(Exception):
    """A text needs more than it may."""


class Sandbox(ImmutableSandboxedEnvironment):
    """The templates of a version in one locale, which see the values that they are given and nothing else.

    A template is called `html:name`. What it names is of its own kind: `{% extends "base" %}` in HTML is `html:base`.
    JSON objects have only their members: `order.items` is a member, or missing.
    """

    intercepted_binops = frozenset(_ARITHMETIC)

    def __init__(self, sources: Mapping[str, str]) -> None:
        super().__init__(
            loader=DictLoader(dict(sources)),
            autoescape=lambda name: name is not None and name.startswith("html:"),
            undefined=StrictUndefined,
            auto_reload=False,
            finalize=lambda value: "" if value is None else value,
        )
        self.sources = sources
        self.filters["counted"] = self._counted
        self._left = 0

    def rendered(self, name: str, values: Mapping[str, Any]) -> str:
        """A text; TooMuch, or whatever an expression of the template raises."""
        self._left = LOOPS
        pieces, length = [], 0
        for piece in self.get_template(name).generate(values):
            pieces.append(piece)
            length += len(piece)
            if length > LONGEST_TEXT:
                raise TooMuch(f"it becomes longer than {LONGEST_TEXT:,} characters")
        return "".join(pieces)

    def parsed(self, name: str) -> nodes.Template:
        """A template's tree."""
        return self._parse(self.sources[name], name, None)

    def join_path(self, template: str, parent: str) -> str:
        """What a template calls another by."""
        return f"{parent.partition(':')[0]}:{template}"

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self._member(obj, attribute) if isinstance(obj, dict) else super().getattr(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        return self._member(obj, argument) if isinstance(obj, dict) else super().getitem(obj, argument)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """Arithmetic of numbers alone, as far as it takes no time."""
        if operator == "**" or not all(isinstance(each, int | float) for each in (left, right)):
            raise TooMuch(f"{operator} is for numbers alone" if operator != "**" else "there is no **")
        if max(abs(left), abs(right)) > _LARGEST:
            raise TooMuch(f"{operator} is for numbers up to {_LARGEST:.0e}")
        return super().call_binop(context, operator, left, right)

    def _parse(self, source: str, name: str | None, filename: str | None) -> nodes.Template:
        """A template, each of whose loops counts how often it runs."""
        tree = super()._parse(source, name, filename)
        for loop in list(tree.find_all(nodes.For)):
            loop.iter = nodes.Filter(loop.iter, "counted", [], [], None, None, lineno=loop.lineno, environment=self)
        return tree

    def _counted(self, values: Iterable[Any]) -> Iterator[Any]:
        for value in values:
            self._left -= 1
            if self._left < 0:
                raise TooMuch(f"its loops run more than {LOOPS:,} times")
            yield value

    def _member(self, obj: dict[str, Any], name: Any) -> Any:
        return obj[name] if name in obj else self.undefined(obj=obj, name=name)


def sources(content: Content, locale: str | None) -> tuple[str, dict[str, str]]:
    """The locale that is chosen, and the version's sources in it, by their names in the sandbox: its own is `html:`.

    A part is in that locale, too, as far as it has it.
    """
    chosen, own = content.chosen(locale)
    named = {"": own} | {name: part.chosen(locale or chosen)[1] for name, part in content.parts.items()}
    found = {
        f"{kind}:{name}": text
        for name, texts in named.items()
        for kind, text in (("subject", texts.subject), ("html", texts.html), ("text", texts.text))
        if text is not None
    }
    return chosen, found


def as_subject(text: str) -> str:
    """A rendered text as a line."""
    return _NOT_IN_LINE.sub(" ", text).strip()[:LONGEST_SUBJECT]


def as_body(text: str) -> str:
    """A rendered text without what no message may have."""
    return _NOT_IN_BODY.sub(" ", text)
