"""What is wrong with a template before it is rendered, which others it names, and what values it needs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jinja2 import TemplateError, TemplateSyntaxError, nodes
from jinja2.meta import find_referenced_templates

from engine.templating import inference
from engine.templating.sandbox import Sandbox, sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.templating.content import Content

BY_TEXT = "a template names another by a text, not by a value"


@dataclass(frozen=True, slots=True)
class Needs:
    """The templates that a version names and does not have as parts; and the schema of its values, if it has all."""

    missing: tuple[str, ...]
    schema: Mapping[str, Any]


def checked(content: Content) -> Needs:
    """Compile a version's texts in each locale; TemplateError, RecursionError or what constants may raise."""
    trees: dict[tuple[str, str], nodes.Template] = {}  # by name and source: locales have most of them in common
    missing: set[str] = set()
    for locale in (content.locale, *content.locales):
        missing |= _reach(Sandbox(sources(content, locale)[1]), trees)
    lacking = missing & set(content.parts)
    if lacking:
        raise TemplateError(f"the template {min(lacking)} has no text of the kind in which it is named")
    sandbox = Sandbox({})
    schema = inference.schema(trees.values(), {*inference.GIVEN, *sandbox.globals})
    for (name, _), tree in trees.items():
        sandbox.compile(tree, name)
    return Needs(tuple(sorted(missing)), schema)


def _reach(sandbox: Sandbox, trees: dict[tuple[str, str], nodes.Template]) -> set[str]:
    """Parse the version's own texts in a locale, and those that these name; returns the names that are not there."""
    waiting, seen = [name for name in sandbox.sources if name.endswith(":")], set[str]()
    missing = set()
    while waiting:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        source = sandbox.sources.get(name)
        if source is None:
            missing.add(name.partition(":")[2])
            continue
        if (name, source) not in trees:
            trees[name, source] = sandbox.parsed(name)
        for other in find_referenced_templates(trees[name, source]):
            if other is None:
                raise TemplateSyntaxError(BY_TEXT, 1, name)
            waiting.append(sandbox.join_path(other, name))
    return missing
