"""Values that fit a schema, to begin a preview with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

_OF_KIND = {"integer": 1, "number": 1, "boolean": True, "null": None}


def example(schema: Mapping[str, Any], name: str = "text") -> Any:
    """The example that a schema gives, or something of its type; a text is called by its name."""
    if schema.get("examples"):
        return schema["examples"][0]
    if "enum" in schema:
        return schema["enum"][0]
    kinds = schema.get("type", "object" if "properties" in schema else "string")
    kind = kinds[0] if isinstance(kinds, list) else kinds
    if kind == "object":
        return {inner: example(each, inner) for inner, each in schema.get("properties", {}).items()}
    if kind == "array":
        return [example(schema.get("items", {}), name)]
    return _OF_KIND.get(kind, name)
