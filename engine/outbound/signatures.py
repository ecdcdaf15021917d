"""Signatures of what is sent, after Standard Webhooks 1.0 (https://www.standardwebhooks.com)."""

from __future__ import annotations

import hmac
from base64 import b64encode
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def signature_headers(keys: Iterable[bytes], message_id: str, at: int, body: bytes) -> list[tuple[str, str]]:
    """The headers of one attempt, made `at` seconds after 1970; with a signature by each key."""
    signed = f"{message_id}.{at}.".encode() + body
    signatures = [b64encode(hmac.digest(key, signed, "sha256")).decode() for key in keys]
    return [
        ("webhook-id", message_id),
        ("webhook-timestamp", str(at)),
        ("webhook-signature", " ".join("v1," + signature for signature in signatures)),
    ]
