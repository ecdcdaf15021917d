"""Texts that callers return without reading them: they are encrypted, and only this installation can make them."""

from __future__ import annotations

import hmac
from base64 import urlsafe_b64encode
from hashlib import sha256

from cryptography.fernet import Fernet, InvalidToken

PURPOSE = b"varsel seal 1"  # no secret of a subscription is derived from this


class Seal:
    """Seals texts under a key that follows from the installation's."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(urlsafe_b64encode(hmac.digest(key, PURPOSE, sha256)))

    def close(self, text: str) -> str:
        """A text, sealed: letters, digits, `-`, `_` and `=`; it differs each time."""
        return self._fernet.encrypt(text.encode()).decode()

    def open(self, sealed: str) -> str | None:
        """The text that was sealed; None: this installation did not seal it."""
        try:
            return self._fernet.decrypt(sealed).decode()
        except (InvalidToken, ValueError):
            return None
