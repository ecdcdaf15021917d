"""The source of an app's event: a URL whose path begins with the organisation and its app (events contract 3.1)."""

from __future__ import annotations

import re
from urllib.parse import unquote

from engine.resources import app_resource
from engine.text.urn import is_urn

_SOURCE = re.compile(  # only characters of RFC 3986, 2 and 3, and no user before the host
    r"https?://[A-Za-z0-9\[][A-Za-z0-9.:\[\]_-]*(/[A-Za-z0-9._~:/\[\]@!$&'()*+,;=%-]*)?(?:[?#][A-Za-z0-9._~:/?#\[\]@!$&'()*+,;=%-]*)?",
    re.IGNORECASE,
)
_DOT_SEGMENT = re.compile(r"[/\\]\.\.?(?:[/\\]|\Z)")
_ORG_NAME = re.compile(r"[A-Za-z0-9.-]+")  # no underscore: in app_{org}_{app} the organisation ends at the first
_APP_NAME = re.compile(r"[A-Za-z0-9._-]+")


def publishes_for(publisher: str, source: str) -> bool:
    """Whether a source is the publisher's own; a publisher is `issuer/app`, in any case (events contract 3.1)."""
    own = "/".join(segments(source)[:2])
    return bool(own) and publisher.isascii() and publisher.lower() == own.lower()


def resource_of(source: str) -> str | None:
    """The resource of the app that a source names; None: it names no app."""
    names = segments(source)[:2]
    resource = app_resource(*names) if names else ""
    return resource if is_urn(resource) else None


def segments(source: str) -> list[str]:
    """The path's segments of an absolute http or https URL: org, app, …; empty if the path is ambiguous."""
    found = _SOURCE.fullmatch(source)
    if not found:
        return []
    path = (found[1] or "").removesuffix("/")
    names = path.split("/")[1:]
    if len(names) < 2 or not all(names) or _DOT_SEGMENT.search(unquote(path)):  # noqa: PLR2004 org and app
        return []
    return names if _ORG_NAME.fullmatch(names[0]) and _APP_NAME.fullmatch(names[1]) else []
