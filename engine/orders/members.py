"""What the posted members of orders have in common: their types, and how their names and values are matched."""

from __future__ import annotations

import re
from codecs import BOM_UTF8
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel
from pydantic_core import PydanticCustomError

from engine.errors import Invalid
from engine.text import json_types
from engine.text.json_numbers import read_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from enum import StrEnum

MOST_VALUES = 1_000_000  # in a body, by its commas: they take a hundred times their length in memory
_LINE_END = re.compile("\r\n|\r|\n")
_TIME = re.compile(r"(\d{4}-\d\d-\d\d)(?:[Tt](\d\d:\d\d)(:\d\d(?:\.\d+)?)?(?P<zone>[Zz]|[+-]\d\d:\d\d)?)?")


class Members(BaseModel):
    """Posted members by their JSON names. Unknown ones are ignored."""

    model_config = ConfigDict(
        strict=True, extra="ignore", frozen=True, alias_generator=to_camel, populate_by_name=True, use_enum_values=False
    )


def enum(kind: type[StrEnum], *, null: bool = False, first: int = 0) -> BeforeValidator:
    """A name in any case, or its number (contract 1); null means the first, unless it may be `null`."""
    members = list(kind)
    by_name = {member.lower(): member for member in members}

    def read(value: Any) -> Any:
        if value is None:
            return None if null else members[0]
        if isinstance(value, str) and value.lower() in by_name:
            return by_name[value.lower()]
        if isinstance(value, int) and not isinstance(value, bool) and first <= value < first + len(members):
            return members[value - first]
        raise PydanticCustomError("enum", "must be one of " + ", ".join(members))

    return BeforeValidator(read)


def _instant(value: Any) -> Any:
    if isinstance(value, str) and (match := _TIME.fullmatch(value.strip())):
        try:
            moment = datetime.fromisoformat(value.strip().upper())
            return moment.astimezone(UTC) if match["zone"] else moment
        except (ValueError, OverflowError):
            pass
    raise PydanticCustomError("time", "must be a time such as 2026-12-24T08:00:00Z or 2026-12-24T09:00:00+01:00")


def _one_line(value: Any) -> Any:
    return _LINE_END.sub(" ", value) if isinstance(value, str) else value


Subject = Annotated[str, BeforeValidator(_one_line)]  # contract 5.1
SendTime = Annotated[datetime | None, BeforeValidator(_instant)]
Time = Annotated[datetime, BeforeValidator(_instant)]
NullableTime = Annotated[datetime | None, BeforeValidator(lambda value: None if value is None else _instant(value))]


def parse_json(body: bytes, parameter: str) -> dict[str, Any]:
    """Read a JSON object; Invalid in the contract's shape when it is not one. `parameter`: see `validated`."""
    if body.count(b",") > MOST_VALUES:
        raise malformed(parameter, ("$", f"The body has more than {MOST_VALUES:,} values."))
    try:
        value = read_json(body.removeprefix(BOM_UTF8))
    except ValueError as error:
        raise malformed(parameter, ("$", f"The body is not valid JSON: {error}.")) from None
    if not isinstance(value, dict):
        raise malformed(parameter, ("$", "The body must be a JSON object."))
    return value


Model = TypeVar("Model", bound=Members)


def validated(model: type[Model], value: Mapping[str, Any], parameter: str, most: int) -> Model:
    """What was posted; Invalid when a member is missing or has a wrong type. Of arrays, one beyond `most` is kept.

    Names count in any case. `parameter`: the body's name in the contract's operation, the second key beside a JSON
    path (contract 4.1).
    """
    try:
        return model.model_validate(_matched(value, model, most))
    except ValidationError as error:
        raise malformed(parameter, *json_types.problems(error)) from None


def _matched(value: Mapping[str, Any], model: type[BaseModel], most: int) -> dict[str, Any]:
    """Members by the model's own names; unknown members are dropped, and of duplicates the last counts."""
    names = _names(model)
    known = [(its, member) for key, member in value.items() if (its := names.get(key) or names.get(key.lower()))]
    return {name: member if inner is None else _inside(member, inner, most) for (name, inner), member in known}


def _inside(value: Any, model: type[BaseModel], most: int) -> Any:
    if isinstance(value, dict):
        return _matched(value, model, most)
    if isinstance(value, list):
        return tuple(_matched(each, model, most) if isinstance(each, dict) else each for each in value[: most + 1])
    return value


@cache
def _names(model: type[BaseModel]) -> Mapping[str, tuple[str, type[BaseModel] | None]]:
    """By a member's name, as it is and in lower case: that name, and the model of what is inside."""
    names = {field.alias or name: next(_models(field.annotation), None) for name, field in model.model_fields.items()}
    found = {name.lower(): (name, inner) for name, inner in names.items()}
    return found | {name: (name, inner) for name, inner in names.items()}


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for part in get_args(annotation):
        yield from _models(part)


def malformed(parameter: str, *problems: tuple[str, str]) -> Invalid:
    """The refusal of values of a wrong type, each by its JSON path and a message; `parameter`: see `validated`."""
    errors: dict[str, list[str]] = {}
    for path, message in problems:
        errors.setdefault(path, []).append(message)
    return Invalid(errors | {parameter: [f"The {parameter} field is required."]})
