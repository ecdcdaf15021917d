"""Signatures of webhooks, after Standard Webhooks 1.0 (https://www.standardwebhooks.com).

A subscriber's secret is derived from the installation's key and the subscription's salt: none is stored, and a new
salt makes a new secret.
"""

from __future__ import annotations

import hmac
from base64 import b64encode
from hashlib import sha256
from secrets import token_hex
from typing import TYPE_CHECKING

from engine.outbound.signatures import signature_headers

if TYPE_CHECKING:
    from collections.abc import Sequence

_PURPOSE = b"varsel webhook secret\0"  # so that the same key can serve other purposes, too


def new_salt() -> str:
    """A fresh salt for a subscription: 32 hexadecimal digits."""
    return token_hex(16)


def message_id(source: str, id: str) -> str:  # noqa: A002 the attribute's name
    """The webhook-id of an event: the same at every attempt and replay, so that receivers can recognise a repeat.

    `source` and `id` identify a CloudEvent; neither contains a NUL.
    """
    return "evt_" + sha256(f"{source}\0{id}".encode()).hexdigest()[:32]


class Signer:
    """Signs what is pushed, with the installation's `key`."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def secret(self, salt: str) -> str:
        """The secret that a subscriber verifies with: whsec_ and the base64 of its 32 bytes."""
        return "whsec_" + b64encode(self._derive(salt)).decode()

    def headers(self, salts: Sequence[str], message_id: str, at: int, body: bytes) -> list[tuple[str, str]]:
        """The headers of one attempt, made `at` seconds after 1970; with a signature for each salt.

        Two salts overlap while a secret is replaced: receivers accept the signature that their secret verifies.
        """
        return signature_headers(map(self._derive, salts), message_id, at, body)

    def _derive(self, salt: str) -> bytes:
        return hmac.digest(self._key, _PURPOSE + salt.encode(), "sha256")
