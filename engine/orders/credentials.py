"""Credentials with which condition endpoints are asked, by creator, from a TOML file of the operator's."""

from __future__ import annotations

import re
from base64 import b64decode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from engine.errors import Misconfigured
from engine.outbound.signatures import signature_headers
from engine.runtime.config_files import Contents, read_toml

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from uuid import UUID

SECRET = "whsec_"  # noqa: S105  # what the base64 of a key begins with (Standard Webhooks)
LEAST_KEY, MOST_KEY = 24, 64  # bytes (same)
WRITE = 'write [creators.NAME], and below it bearer = "TOKEN" with hosts = ["example.no"], or secret = "whsec_…"'

_HOST = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?")  # as it stands in a URL; others as their A-labels
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{8,4000}")  # RFC 6750, 2.1


@dataclass(frozen=True, slots=True)
class Credential:
    """What one creator's endpoints get: a bearer token, if they are on these hosts; or a signature by this key."""

    bearer: str = field(default="", repr=False)
    hosts: frozenset[str] = frozenset()
    key: bytes = field(default=b"", repr=False)

    def is_kept_from(self, url: str) -> bool:
        """Whether an endpoint does not get it: an order names any host, the token is for those the operator knows."""
        return not self.key and urlsplit(url).hostname not in self.hosts


class Credentials:
    """The credentials of the file, which is followed while it changes; without a file there are none.

    Misconfigured when the file cannot be used at the start.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = Contents(file, _read, "credentials of conditions") if file else None

    def headers(self, creator: str, url: str, order_id: UUID, at: int) -> Sequence[tuple[str, str]]:
        """The header fields for a call at `at`, in seconds since 1970, about an order of this creator's."""
        its = self._of(creator)
        if its is None or its.is_kept_from(url):
            return ()
        if its.key:
            return signature_headers([its.key], str(order_id), at, b"")
        return (("Authorization", f"Bearer {its.bearer}"),)

    def keep_from(self, creator: str, url: str) -> bool:
        """Whether this creator has a credential, and an endpoint does not get it."""
        its = self._of(creator)
        return its is not None and its.is_kept_from(url)

    def _of(self, creator: str) -> Credential | None:
        return self._file.now.get(creator) if self._file else None


def _read(file: Path) -> dict[str, Credential]:
    document = read_toml(file)
    named = document.pop("creators", {})
    if document or not isinstance(named, dict):
        raise Misconfigured(f"{file}: knows [creators.NAME] alone; {WRITE}")
    return {name: _credential(given, f"{file}: creators.{name!r}") for name, given in named.items()}


def _credential(given: object, place: str) -> Credential:
    if not isinstance(given, dict) or set(given) not in ({"bearer", "hosts"}, {"secret"}):
        raise Misconfigured(f"{place}: {WRITE}")
    if "secret" in given:
        return Credential(key=_key(given["secret"], place))
    bearer, hosts = given["bearer"], given["hosts"]
    if not isinstance(bearer, str) or not _TOKEN.fullmatch(bearer):
        raise Misconfigured(f"{place}: bearer must be a token of 8 characters or more, letters, digits and ._~+/=-")
    if not isinstance(hosts, list) or not hosts or not all(isinstance(h, str) and _HOST.fullmatch(h) for h in hosts):
        raise Misconfigured(f'{place}: hosts must be a list of names alone, without scheme or port: ["example.no"]')
    return Credential(bearer=bearer, hosts=frozenset(host.lower() for host in hosts))


def _key(secret: object, place: str) -> bytes:
    try:
        key = b64decode(str(secret).removeprefix(SECRET), validate=True)
    except ValueError:
        key = b""
    if not isinstance(secret, str) or not secret.startswith(SECRET) or not LEAST_KEY <= len(key) <= MOST_KEY:
        raise Misconfigured(f"{place}: secret must be {SECRET} and the base64 of {LEAST_KEY} to {MOST_KEY} bytes")
    return key
