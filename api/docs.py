"""The API explained: `/openapi.json` for programs, `/docs` for people; nothing is loaded from elsewhere."""

from __future__ import annotations

import json
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from api import orders
from api.openapi import document
from api.pages import HEADERS, render

if TYPE_CHECKING:
    from starlette.requests import Request

EXAMPLE = {"subject": "Hei", "body": "Hei, Kari!", "recipients": [{"emailAddress": "kari@example.no"}]}


async def openapi(request: Request) -> Response:
    """The document for programs."""
    return JSONResponse(_document(request))


async def page(request: Request) -> Response:
    """The document for people."""
    described = _document(request)
    operations = [
        {"method": method.upper(), "path": path, **operation, "members": _members(described, operation)}
        for path, methods in described["paths"].items()
        for method, operation in methods.items()
    ]
    html = render("docs.html", document=described, operations=operations, example=json.dumps(EXAMPLE))
    return HTMLResponse(html, headers=HEADERS)


def _document(request: Request) -> dict[str, Any]:
    state = request.app.state
    return document(state.operations, prefix=orders.PREFIX, server=state.settings.base_url, version=version("varsel"))


def _members(described: dict[str, Any], operation: dict[str, Any]) -> list[dict[str, str]]:
    """The request body's members as a flat table: name, type, meaning."""
    content = operation.get("requestBody", {}).get("content", {})
    rows: list[dict[str, str]] = []

    def walk(schema: dict[str, Any], before: str) -> None:
        for name, member in _resolved(described, schema).get("properties", {}).items():
            rows.append(
                {"name": before + name, "type": _type(described, member), "text": member.get("description", "")}
            )
            for choice in (member, *member.get("anyOf", ())):
                if "items" in choice:
                    walk(choice["items"], f"{before}{name}[].")

    for body in content.values():
        walk(body["schema"], "")
    return rows


def _resolved(described: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").rpartition("/")[2]
    resolved: dict[str, Any] = described["components"]["schemas"][name] if name else schema
    return resolved


def _type(described: dict[str, Any], member: dict[str, Any]) -> str:
    choices = [_resolved(described, choice) for choice in member.get("anyOf", (member,))]
    words = []
    for choice in choices:
        if "enum" in choice:
            words.append(" | ".join(map(str, choice["enum"])))
        elif choice.get("type") != "null":
            words.append(choice.get("format") or choice.get("type", "any"))
    return " | ".join(words)


ROUTES = [Route("/openapi.json", openapi), Route("/docs", page)]
