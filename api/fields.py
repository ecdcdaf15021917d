"""Header fields by name, as they stand in the scope: Starlette's own look-up decodes each name on its way."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.requests import Request


def field(request: Request, name: bytes) -> str | None:
    """The value of a field, whose name is in small letters; None: it is absent. Of several, the first."""
    for key, value in request.scope["headers"]:
        if key == name:
            text: str = value.decode("latin-1")
            return text
    return None
