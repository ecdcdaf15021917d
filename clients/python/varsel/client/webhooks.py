"""Verifies what Varsel pushes (Standard Webhooks 1.0, https://www.standardwebhooks.com)."""

from __future__ import annotations

import hmac
import json
import time
from base64 import b64decode, b64encode
from datetime import timedelta
from typing import TYPE_CHECKING, cast

from varsel.client.errors import InvalidSignature

if TYPE_CHECKING:
    from collections.abc import Mapping

    from varsel.client.generated import models

PREFIX = "whsec_"
TOLERANCE = timedelta(minutes=5)


class Webhook:
    """A verifier with the secrets of a subscription: one, or two while one takes the other's place.

    `tolerance` is how much the sender's clock and yours may differ; what is older was replayed by somebody.
    ValueError when a secret is not of the form whsec_BASE64.
    """

    def __init__(self, *secrets: str, tolerance: timedelta = TOLERANCE) -> None:
        if not secrets:
            raise ValueError("a verifier needs a secret")
        self._keys = [_key(secret) for secret in secrets]
        self._tolerance = tolerance.total_seconds()

    def verify(self, body: bytes, headers: Mapping[str, str]) -> models.Event:
        """The event that was pushed; `body` is what arrived, byte by byte. InvalidSignature if it is not to be trusted.

        Deliveries may come twice: `webhook-id` is the same then.
        """
        given = {name.lower(): value for name, value in headers.items()}
        message_id, at, signatures = (_header(given, name) for name in ("id", "timestamp", "signature"))
        if not (at.isascii() and at.isdigit()) or abs(time.time() - int(at[:20])) > self._tolerance:
            raise InvalidSignature("webhook-timestamp is too far from now")
        signed = b"%s.%s.%s" % (_octets(message_id), at.encode(), body)
        found = [_octets(text) for text in signatures.split(" ")]
        expected = [b"v1," + b64encode(hmac.digest(key, signed, "sha256")) for key in self._keys]
        matches = [
            hmac.compare_digest(one, other) for one in expected for other in found
        ]  # all, whatever the first says
        if not any(matches):
            raise InvalidSignature("no signature matches")
        return cast("models.Event", json.loads(body))


def _key(secret: str) -> bytes:
    try:
        key = b64decode(secret.removeprefix(PREFIX), validate=True)
    except ValueError:
        key = b""
    if not key:
        raise ValueError("a secret is whsec_ and base64")
    return key


def _octets(text: str) -> bytes:
    """A header's octets, also of those that are no UTF-8, for which some servers give lone surrogates."""
    return text.encode("utf-8", "surrogatepass")


def _header(headers: Mapping[str, str], name: str) -> str:
    if not (found := headers.get(f"webhook-{name}")):
        raise InvalidSignature(f"webhook-{name} is missing")
    return found
