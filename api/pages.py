"""Pages for people: rendered here, escaped, loading nothing from elsewhere and running no script."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from api.root_path import Links

_TEMPLATES = Path(__file__).parent.parent / "templates" / "pages"
_ENVIRONMENT = Environment(
    loader=FileSystemLoader(_TEMPLATES), autoescape=True, undefined=StrictUndefined, extensions=[Links]
)
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-src 'self'; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


def render(name: str, **values: Any) -> str:
    """A page of templates/pages with its values filled in."""
    return _ENVIRONMENT.get_template(name).render(**values)
