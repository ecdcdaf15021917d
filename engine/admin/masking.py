"""What viewers do not see: personal data and secrets are masked in every row, and cannot be asked for."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

MASKED = "•••"
# What of a row is personal data or a secret, or may hold some: a viewer neither sees it nor can narrow a list by it.
PERSONAL = frozenset(
    {"recipients", "organization_number", "national_identity_number", "subject", "body", "text"}
    | {"alternative_subject", "subject_filter", "alternative_subject_filter", "recipient"}
    | {"filename", "guests"}
    | {"idempotency", "queue"}  # what senders call their requests; of what relays write
    | {"reference", "from"}  # what senders call their orders; where somebody signed in
)
REPLIES = frozenset({"reply", "last_reply", "answer"})
ADDRESSES = frozenset({"address"})
URLS = frozenset({"endpoint", "condition_endpoint", "source", "source_filter", "source_prefix", "source_start"})
# What a reply begins with: its code, and its enhanced status code (RFC 3463). They say nothing of a person.
_CODES = re.compile(r"([2-5]\d\d(?: |$))?([245]\.[0-7]\.\d{1,3}(?: |$))?", re.ASCII)


def is_masked(name: str) -> bool:
    """Whether a viewer does not see a field of this name as it is."""
    return name in PERSONAL | REPLIES | ADDRESSES | URLS


def masked(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row without personal data and secrets: an address keeps its first letter and its domain, a URL its host.

    A reply keeps its codes.
    """
    return {name: _masked(name, value) for name, value in row.items()}


def _masked(name: str, value: Any) -> Any:
    if value in (None, "", [], {}):
        return value
    if name in PERSONAL:
        return MASKED
    if name in REPLIES:
        return _reply(str(value))
    if isinstance(value, dict):
        return masked(value)
    if isinstance(value, list):
        return [masked(each) if isinstance(each, dict) else each for each in value]
    if name in ADDRESSES:
        return _address(value)
    return _url(value) if name in URLS else value


def _address(text: str) -> str:
    local, at, domain = text.rpartition("@")
    return f"{local[:1]}{MASKED}@{domain}" if at else MASKED


def _reply(text: str) -> str:
    found = _CODES.match(text)
    codes = found[0] if found else ""
    return codes if codes == text else f"{codes}{MASKED}"


def _url(text: str) -> str:
    """Scheme, host and port. User, path and query may hold tokens (as of webhooks) and identifiers (as of events)."""
    try:
        parts = urlsplit(text)
        host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return MASKED
    if not parts.scheme:
        return MASKED
    return f"{parts.scheme}://{host}{port}/{MASKED}" if host else f"{parts.scheme}:{MASKED}"
