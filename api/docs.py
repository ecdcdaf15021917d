"""The API explained: `/openapi.json` for programs, `/docs` for people; nothing is loaded from elsewhere."""

from __future__ import annotations

import json
import shlex
from importlib.metadata import version
from itertools import groupby, islice
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from api import root_path
from api.hosts import own_host
from api.openapi import document
from api.pages import HEADERS, render

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from starlette.requests import Request

_BOUNDS = {  # of JSON Schema, as people say them
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} entries",
    "maxItems": "at most {} entries",
    "minimum": "at least {}",
    "maximum": "at most {}",
    "exclusiveMinimum": "more than {}",
    "exclusiveMaximum": "less than {}",
    "pattern": "matches {}",
}


@own_host
async def openapi(request: Request) -> Response:
    """The document for programs."""
    return JSONResponse(_document(request))


@own_host
async def page(request: Request) -> Response:
    """The document for people."""
    described = _document(request)
    operations = [
        _operation(described, method, path, operation)
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    order = [tag["name"] for tag in described["tags"]]
    operations.sort(key=lambda operation: order.index(operation["tag"]))
    groups = [(tag, list(members)) for tag, members in groupby(operations, key=lambda operation: operation["tag"])]
    root = root_path.of(request.app.state.settings)
    return HTMLResponse(render("docs.html", root_path=root, document=described, groups=groups), headers=HEADERS)


def _document(request: Request) -> dict[str, Any]:
    state = request.app.state
    return document(state.operations, server=state.settings.base_url, version=version("varsel"))


def _operation(described: Mapping[str, Any], method: str, path: str, operation: Mapping[str, Any]) -> dict[str, Any]:
    """What the page shows of an operation."""
    parameters = operation.get("parameters", ())
    return {
        "id": operation["operationId"],
        "tag": operation["tags"][0],
        "method": method.upper(),
        "path": path,
        "summary": operation["summary"],
        "description": operation["description"],
        "parameters": [
            {**parameter, "type": _type(described, parameter["schema"]), "bounds": _bounds(parameter["schema"])}
            for parameter in parameters
        ],
        "members": _body(described, operation.get("requestBody", {})),
        "responses": [
            {
                "status": status,
                "description": response["description"],
                "headers": response.get("headers", {}),
                "members": _body(described, response),
            }
            for status, response in operation["responses"].items()
        ],
        "curl": _curl(described["servers"][0]["url"], method, path, operation),
    }


def _curl(server: str, method: str, path: str, operation: Mapping[str, Any]) -> str:
    """A command to paste; what stands in braces and $TOKEN are for the reader to fill in."""
    given: dict[str, dict[str, str]] = {"path": {}, "query": {}, "header": {}}
    for entry in operation.get("parameters", ()):
        if entry["required"] or "example" in entry:
            given[entry["in"]][entry["name"]] = str(entry.get("example", f"{{{entry['name']}}}"))
    query = "?" + urlencode(given["query"], safe="{}:") if given["query"] else ""
    url = server + path.format_map(given["path"]) + query
    lines = [f"curl -X {method.upper()} {shlex.quote(url)}", '-H "Authorization: Bearer $TOKEN"']
    if "platform" in operation.get("security", [{}])[0]:
        lines.append('-H "PlatformAccessToken: $PLATFORM_TOKEN"')
    lines += [f"-H {shlex.quote(f'{name}: {value}')}" for name, value in given["header"].items()]
    for media, content in islice(operation.get("requestBody", {}).get("content", {}).items(), 1):
        example = content.get("example")
        body = "@body.json" if example is None else json.dumps(example, indent=2, ensure_ascii=False)
        lines += [f"-H {shlex.quote(f'Content-Type: {media}')}", f"-d {shlex.quote(body)}"]
    return " \\\n  ".join(lines)


def _body(described: Mapping[str, Any], holder: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The members of a request's or response's body."""
    return [
        row
        for content in holder.get("content", {}).values()
        for row in _members(described, content["schema"], "", frozenset())
    ]


def _members(
    described: Mapping[str, Any], schema: Mapping[str, Any], before: str, above: frozenset[str]
) -> Iterator[dict[str, Any]]:
    """An object's members as a flat table, nested ones by their path; `above` are the models that lead here."""
    if (model := schema.get("$ref", "")) in above:
        return
    above |= {model} - {""}
    found = _resolved(described, schema)
    for name, member in found.get("properties", {}).items():
        yield {
            "name": before + name,
            "type": _type(described, member),
            "required": name in found.get("required", ()),
            "bounds": _bounds(member),
            "text": member.get("description", ""),
        }
        for choice in _choices(member):
            inner, step = (choice["items"], "[].") if "items" in choice else (choice, ".")
            for each in _choices(inner):
                yield from _members(described, each, before + name + step, above)


def _resolved(described: Mapping[str, Any], schema: Mapping[str, Any]) -> Mapping[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    resolved: Mapping[str, Any] = described["components"]["schemas"][name] if name else schema
    return resolved


def _choices(schema: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The alternatives of a schema, without null."""
    return [choice for choice in schema.get("anyOf", (schema,)) if choice.get("type") != "null"]


def _type(described: Mapping[str, Any], schema: Mapping[str, Any]) -> str:
    words = []
    for choice in _choices(schema):
        found = _resolved(described, choice)
        if "enum" in found:
            words.append(" | ".join(map(str, found["enum"])))
        elif found.get("type") == "array":
            words.append(f"list of {_type(described, found.get('items', {}))}s")
        else:
            words.append(found.get("format") or found.get("type", "anything"))
    return " or ".join(words)


def _bounds(schema: Mapping[str, Any]) -> list[str]:
    found = [text.format(choice[key]) for choice in _choices(schema) for key, text in _BOUNDS.items() if key in choice]
    if schema.get("default") not in (None, [], {}):
        found.append(f"default {schema['default']}")
    return found


ROUTES = [Route("/openapi.json", openapi), Route("/docs", page)]
