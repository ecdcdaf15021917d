"""Reads the OpenAPI document: models, operations and their types."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from clients.generate.names import NAMES, method_name, model_name, part_name
from clients.generate.types import (
    Api,
    Basic,
    Body,
    Either,
    ListOf,
    MapOf,
    Member,
    Model,
    Named,
    OneOf,
    Operation,
    Paging,
    Parameter,
    Type,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

    Json: TypeAlias = Mapping[str, Any]

NAME = "idempotencyId"
NUMBER, SEEN, LINK = "sequenceNumber", "seq", "next"
SUCCESS = range(200, 300)
BASIC = {"string": Basic.STRING, "integer": Basic.INTEGER, "number": Basic.NUMBER, "boolean": Basic.BOOLEAN}


class Document:
    """A document of JSON, and which models requests and answers consist of."""

    def __init__(self, document: Json) -> None:
        self._document = document
        self._schemas: Json = document["components"]["schemas"]
        described = [(path, verb, each) for path, verbs in document["paths"].items() for verb, each in verbs.items()]
        self._described = [entry for entry in described if self._is_served(entry[2])]
        bodies = [content["schema"] for *_, each in self._described for content in _contents(each.get("requestBody"))]
        self._taken = self._reached(bodies)
        self._given = self._reached([schema for *_, each in self._described for schema in self._answers(each)])

    def api(self) -> Api:
        """What the document says; ValueError when two operations would have one name."""
        operations = tuple(self._operation(*entry) for entry in self._described)
        names = Counter((operation.part, operation.name) for operation in operations)
        names.update((operation.part, operation.iterator) for operation in operations if operation.paging)
        if twice := [f"{part}.{name}" for (part, name), times in names.items() if times > 1]:
            raise ValueError(f"{', '.join(twice)}: two operations have this name; give one another in names.py")
        known = [name for name in self._schemas if name in self._taken | self._given]
        return Api(self._document["info"]["version"], tuple(map(self._model, known)), operations)

    def _is_served(self, operation: Json) -> bool:
        """Whether it ever succeeds: SMS are refused always."""
        return any(int(status) in SUCCESS for status in operation["responses"])

    def _answers(self, operation: Json) -> Iterator[Json]:
        for status, response in operation["responses"].items():
            if int(status) in SUCCESS:
                yield from (content["schema"] for content in _contents(response))

    def _reached(self, schemas: list[Json]) -> set[str]:
        """The models that these schemas consist of."""
        found: set[str] = set()
        waiting = list(schemas)
        while waiting:
            schema = waiting.pop()
            for value in schema.values():
                waiting += [each for each in (value if isinstance(value, list) else [value]) if isinstance(each, dict)]
            if (name := _name(schema)) and name not in found:
                found.add(name)
                waiting.append(self._schemas[name])
        return found

    def _model(self, name: str) -> Model:
        schema, taken = self._schemas[name], name in self._taken
        text = schema.get("description", "")
        if "properties" not in schema:
            return Model(model_name(name), text, taken, alias=_type(schema))
        members = tuple(_member(its, each, schema, taken=taken) for its, each in schema["properties"].items())
        is_open = schema.get("additionalProperties") is True
        return Model(model_name(name), text, taken, members, is_open)

    def _operation(self, path: str, verb: str, operation: Json) -> Operation:
        part = part_name(operation["tags"][0])
        paging = self._paging(operation)
        readable = "get" in self._document["paths"][path]
        name = NAMES.get(operation["operationId"]) or method_name(
            verb.upper(), path, part, paged=paging is not None, readable=readable
        )
        return Operation(
            id=operation["operationId"],
            part=part,
            name=name,
            verb=verb.upper(),
            path=path,
            summary=operation["summary"],
            text=operation["description"],
            parameters=tuple(map(_parameter, operation.get("parameters", ()))),
            body=self._body(operation.get("requestBody")),
            answer=next((_type(schema) for schema in self._answers(operation)), None),
            paging=paging,
        )

    def _body(self, request: Json | None) -> Body | None:
        if request is None:
            return None
        content: Json = request["content"]
        if not all(media == "application/json" or media.endswith("+json") for media in content):
            return Body(tuple(content), None, is_named=False)
        schemas = [each["schema"] for each in content.values()]
        is_named = any(NAME in self._resolved(schema).get("properties", {}) for schema in schemas)
        return Body(tuple(content), _either([_type(schema) for schema in schemas]), is_named)

    def _paging(self, operation: Json) -> Paging | None:
        """How the answer leads to the next page, if it does."""
        parameters = {parameter["name"] for parameter in operation.get("parameters", ())}
        linked = any(LINK in response.get("headers", {}) for response in operation["responses"].values())
        for schema in self._answers(operation):
            member, entry = self._list(schema)
            if entry is None:
                continue
            numbered = SEEN in parameters and NUMBER in self._resolved(entry).get("properties", {})
            if linked or numbered:
                return Paging(_type(entry), member, is_numbered=numbered)
        return None

    def _list(self, schema: Json) -> tuple[str | None, Json | None]:
        """The entries of a list: where they are, and what each is."""
        found = self._resolved(schema)
        if "items" in found:
            return None, found["items"]
        lists = [(name, each["items"]) for name, each in found.get("properties", {}).items() if "items" in each]
        return lists[0] if lists else (None, None)

    def _resolved(self, schema: Json) -> Json:
        found: Json = self._schemas[name] if (name := _name(schema)) else schema
        return found


def _name(schema: Json) -> str:
    """The model that a schema refers to."""
    reference = schema.get("$ref")
    return reference.rpartition("/")[2] if isinstance(reference, str) else ""


def _contents(holder: Json | None) -> list[Json]:
    return list((holder or {}).get("content", {}).values())


def _parameter(given: Json) -> Parameter:
    required = given.get("required", False)
    return Parameter(given["name"], given["in"], _type(given["schema"]), required, given.get("description", ""))


def _member(name: str, schema: Json, model: Json, *, taken: bool) -> Member:
    """In requests, null is like nothing. Answers leave out what is null, and have what has another default."""
    required = name in model.get("required", ())
    found = _type(schema)
    if taken:
        required = required and name != NAME  # the clients make one
    else:
        required = required or schema.get("default") is not None
        found = _without_null(found)
    return Member(name, found, required, schema.get("description", ""))


def _type(schema: Json) -> Type:
    if name := _name(schema):
        return Named(model_name(name))
    if "const" in schema:
        return OneOf((schema["const"],))
    if "enum" in schema:
        return OneOf(tuple(schema["enum"]))
    if choices := schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf"):
        return _either([_type(choice) for choice in choices])
    kind = schema.get("type")
    if isinstance(kind, list):
        return _either([_type({**schema, "type": each}) for each in kind])
    if kind == "array":
        return ListOf(_type(schema.get("items", {})))
    if kind == "object":
        inner = schema.get("additionalProperties")
        return MapOf(_type(inner if isinstance(inner, dict) else {}))
    if kind == "null":
        return Basic.NULL
    if schema.get("format") == "date-time":
        return Basic.TIME
    return BASIC.get(str(kind), Basic.ANYTHING)


def _either(types: list[Type]) -> Type:
    flat = [each for found in types for each in (found.choices if isinstance(found, Either) else (found,))]
    distinct = tuple(dict.fromkeys(flat))
    return distinct[0] if len(distinct) == 1 else Either(distinct)


def _without_null(found: Type) -> Type:
    return _either([each for each in found.choices if each is not Basic.NULL]) if isinstance(found, Either) else found
