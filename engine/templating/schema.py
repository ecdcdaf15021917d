"""Schemas of values: the part of JSON Schema (2020-12) that is checked in linear time, and `untrusted`.

There are no patterns, references or alternatives: each value is looked at once.
"""

from __future__ import annotations

import json
from itertools import islice
from typing import TYPE_CHECKING, Any

from engine.errors import Invalid
from engine.templating.untrusted import MARK

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    Problems = Iterator[tuple[str, str]]

DEEPEST = 10  # schemas inside of each other
MOST = 500  # schemas in a schema, values in an enumeration, and names that are required
LONGEST = 50_000  # characters of a schema
MOST_TOLD = 100  # values that do not fit
_MOST_NAMED = 10  # values of an enumeration that a message names
_LONGEST_NAMED = 64  # characters of each, and of a value's name

_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "array": (list,),
    "null": (type(None),),
}


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _are_names(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= MOST and all(isinstance(each, str) for each in value)


def _are_choices(value: Any) -> bool:
    return isinstance(value, list) and 0 < len(value) <= MOST and not any(isinstance(x, list | dict) for x in value)


def _are_types(value: Any) -> bool:
    kinds = value if isinstance(value, list) else [value]
    return bool(kinds) and all(isinstance(kind, str) and kind in _TYPES for kind in kinds)


KEYWORDS: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "$schema": (lambda value: isinstance(value, str), "a string"),
    "title": (lambda value: isinstance(value, str), "a string"),
    "description": (lambda value: isinstance(value, str), "a string"),
    "examples": (lambda value: isinstance(value, list), "an array"),
    "type": (_are_types, f"one or more of {', '.join(_TYPES)}"),
    "enum": (_are_choices, f"an array of 1 to {MOST} texts, numbers, true, false and null"),
    "properties": (lambda value: isinstance(value, dict), "an object"),
    "required": (_are_names, f"an array of names, {MOST} at most"),
    "additionalProperties": (lambda value: isinstance(value, bool), "true or false"),
    "items": (lambda value: isinstance(value, dict), "a schema"),
    "minLength": (_is_count, "a whole number"),
    "maxLength": (_is_count, "a whole number"),
    "minItems": (_is_count, "a whole number"),
    "maxItems": (_is_count, "a whole number"),
    "minimum": (_is_number, "a number"),
    "maximum": (_is_number, "a number"),
    MARK: (lambda value: isinstance(value, bool), "true or false"),
}


def faults(schema: Any) -> Problems:
    """What is wrong with a schema: where, as a path such as `properties.name`, and a message."""
    if not isinstance(schema, dict):
        yield "", "A schema is an object."
        return
    waiting = [("", schema, 1)]
    for seen, (place, each, depth) in enumerate(waiting, start=1):
        if seen > MOST or depth > DEEPEST:
            yield place, f"A schema has at most {MOST} schemas, {DEEPEST} inside of each other."
            return
        wrong = list(_wrong(each))
        yield from ((f"{place}{_shortened(name)}", message) for name, message in wrong)
        if wrong:
            continue
        inside = [(f"{place}properties.{_shortened(name)}", its) for name, its in each.get("properties", {}).items()]
        if "items" in each:
            inside.append((f"{place}items", each["items"]))
        for inner, its in inside:
            if isinstance(its, dict):
                waiting.append((f"{inner}.", its, depth + 1))
            else:
                yield inner, "A schema is an object."
    if len(json.dumps(schema, ensure_ascii=False)) > LONGEST:  # it is not too deep for that
        yield "", f"A schema has at most {LONGEST:,} characters."


def _wrong(schema: Mapping[str, Any]) -> Problems:
    for name, value in schema.items():
        if name not in KEYWORDS:
            yield name, f"This keyword is not known here; {', '.join(KEYWORDS)} are."
        elif not KEYWORDS[name][0](value):
            yield name, f"This must be {KEYWORDS[name][1]}."


def check(schema: Mapping[str, Any], values: Mapping[str, Any], within: str = "") -> None:
    """Invalid names the first values that do not fit, each behind `within`."""
    errors: dict[str, list[str]] = {}
    for place, message in islice(misfits(prepared(schema), values), MOST_TOLD):
        errors.setdefault(f"{within}{place}".rstrip(".") or "values", []).append(message)
    if errors:
        raise Invalid(errors)


class Choices:
    """The values of an enumeration: each is found at once, however many there are."""

    def __init__(self, values: Sequence[Any]) -> None:
        named = [_shortened(str(value)) for value in values[:_MOST_NAMED]]
        self.words = ", ".join([*named, "others"] if len(values) > _MOST_NAMED else named)
        self._known = {(isinstance(value, bool), value) for value in values}  # 1 is not true here

    def has(self, value: Any) -> bool:
        """Whether a value is one of them."""
        return not isinstance(value, list | dict) and (isinstance(value, bool), value) in self._known


def prepared(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """A schema for `misfits`; make it once for all values."""
    ready = dict(schema)
    if "enum" in schema:
        ready["enum"] = Choices(schema["enum"])
    if "properties" in schema:
        ready["properties"] = {name: prepared(its) for name, its in schema["properties"].items()}
    if "items" in schema:
        ready["items"] = prepared(schema["items"])
    return ready


def misfits(schema: Mapping[str, Any], value: Any, place: str = "") -> Problems:
    """Where a value does not fit a `prepared` schema, as a path such as `items[0].name`, and why."""
    kinds = schema.get("type")
    if kinds is not None and not any(_is(kind, value) for kind in (kinds if isinstance(kinds, list) else [kinds])):
        yield place, f"The value must be of the type {' or '.join(kinds) if isinstance(kinds, list) else kinds}."
        return
    if "enum" in schema and not schema["enum"].has(value):
        yield place, f"The value must be one of {schema['enum'].words}."
    if isinstance(value, str):
        yield from _bounded(schema, "Length", len(value), place, "characters")
    elif isinstance(value, list):
        yield from _bounded(schema, "Items", len(value), place, "values")
        for at, each in enumerate(value if "items" in schema else ()):
            yield from misfits(schema["items"], each, f"{place}[{at}]")
    elif isinstance(value, dict):
        yield from _members(schema, value, place)
    elif _is_number(value):
        if value < schema.get("minimum", value):
            yield place, f"The value must be {schema['minimum']} or more."
        if value > schema.get("maximum", value):
            yield place, f"The value must be {schema['maximum']} or less."


def _members(schema: Mapping[str, Any], value: Mapping[str, Any], place: str) -> Problems:
    known, begins = schema.get("properties", {}), f"{place}." if place else ""
    for name in schema.get("required", ()):
        if name not in value:
            yield f"{begins}{_shortened(name)}", "The template needs this value."
    for name, each in value.items():
        if name in known:
            yield from misfits(known[name], each, f"{begins}{_shortened(name)}")
        elif schema.get("additionalProperties") is False:
            yield f"{begins}{_shortened(name)}", "The template knows no such value."


def _bounded(schema: Mapping[str, Any], of: str, size: int, place: str, unit: str) -> Problems:
    if size < schema.get(f"min{of}", 0):
        yield place, f"The value must have at least {schema[f'min{of}']} {unit}."
    if size > schema.get(f"max{of}", size):
        yield place, f"The value must have at most {schema[f'max{of}']} {unit}."


def _is(kind: str, value: Any) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return isinstance(value, _TYPES[kind])


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_NAMED else f"{text[:_LONGEST_NAMED]}…"
