"""The development key: signs the tokens of an installation that runs on embedded defaults, and only there."""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import uuid4

import jwt
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm

from engine.auth.tokens.issuers import ISSUER
from engine.auth.tokens.verifier import APP_CLAIM, ORG_CLAIM
from engine.errors import Invalid, Misconfigured

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path

ISSUED_BY = "varsel-development"
KID = "development"
ALGORITHM = "ES256"


class DevelopmentKey:
    """A P-256 key pair in DATA/keys, made at first use: development.pem, jwks.json and platform/ISSUER.pem.

    Its bearer tokens name the first of the `issuers` that the installation accepts, and all its `audiences`.
    Misconfigured when the folder cannot be written or the key cannot be read.
    """

    def __init__(self, data: Path, issuers: Sequence[str] = (), audiences: Sequence[str] = ()) -> None:
        self._issuer = next(iter(issuers), ISSUED_BY)
        self._audiences = list(audiences)
        folder = data / "keys"
        self.jwks = folder / "jwks.json"
        self.platform = folder / "platform"
        path = folder / "development.pem"
        try:
            for each in (folder, self.platform):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)
                each.chmod(0o700)
            if not path.exists():
                _create(path)
            self._key = _read(path)
            jwk = ECAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
            _write(self.jwks, json.dumps({"keys": [jwk | {"kid": KID, "use": "sig", "alg": ALGORITHM}]}).encode())
        except OSError as error:
            msg = f"{folder}: {error.strerror}"
            raise Misconfigured(msg) from None

    def bearer(self, org: str, scopes: str, lifetime: timedelta) -> str:
        """A bearer token of organisation `org` with scopes separated by spaces."""
        claims = {"iss": self._issuer, "sub": org, ORG_CLAIM: org, "scope": scopes}
        return self._sign(claims | ({"aud": self._audiences} if self._audiences else {}), lifetime)

    def platform_token(self, issuer: str, app: str, lifetime: timedelta) -> str:
        """A PlatformAccessToken of `issuer`, whose key file is written; Invalid when it cannot be a file's name."""
        if not ISSUER.fullmatch(issuer):
            raise Invalid({"issuer": ["must be letters, digits, _ . -, at most 64, and not begin with a dot"]})
        public = self._key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        try:
            _write(self.platform / f"{issuer}.pem", public)
        except OSError as error:
            msg = f"{self.platform}: {error.strerror}"
            raise Misconfigured(msg) from None
        return self._sign({"iss": issuer, APP_CLAIM: app}, lifetime)

    def _sign(self, claims: dict[str, object], lifetime: timedelta) -> str:
        now = datetime.now(UTC)
        times = {"iat": now, "exp": now + lifetime, "jti": uuid4().hex}
        return jwt.encode(claims | times, self._key, algorithm=ALGORITHM, headers={"kid": KID})


def _read(path: Path) -> ec.EllipticCurvePrivateKey:
    """Parse the key; done once, since parsing takes longer than signing."""
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError):
        key = None
    if isinstance(key, ec.EllipticCurvePrivateKey) and isinstance(key.curve, ec.SECP256R1):
        return key
    msg = f"{path}: is not a P-256 key; remove it, and a new one is made"
    raise Misconfigured(msg)


def _create(path: Path) -> None:
    """Make a key, whole or not at all; of several processes that try at once, the first one's stays."""
    key = ec.generate_private_key(ec.SECP256R1())
    draft = path.with_name(f".{uuid4().hex}")
    _write(draft, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _write(path: Path, content: bytes) -> None:
    """Put a file in place at once, readable by its owner only; a file with the same content is left alone."""
    with suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    draft = path.with_name(f".{uuid4().hex}")
    draft.touch(mode=0o600, exist_ok=False)
    draft.write_bytes(content)
    draft.replace(path)
