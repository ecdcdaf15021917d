"""Keys, key sets and tokens for tests, and their verifiers."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from engine.auth.tokens import Verifier
from engine.errors import Unauthenticated
from engine.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.models import Caller

RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
WEAK_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 -- to be refused
P256, OTHER_P256 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
P384, P521 = ec.generate_private_key(ec.SECP384R1()), ec.generate_private_key(ec.SECP521R1())
ED25519 = ed25519.Ed25519PrivateKey.generate()
HOUR = timedelta(hours=1)


def jwk(key: Any, **members: Any) -> dict[str, Any]:
    """The public JWK of a private key."""
    match key:
        case rsa.RSAPrivateKey():
            public = RSAAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case ec.EllipticCurvePrivateKey():
            public = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
        case _:
            public = OKPAlgorithm.to_jwk(key.public_key(), as_dict=True)
    return public | members


def key_set(path: Path, *keys: object) -> Path:
    """A key set's file, put in place at once."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps({"keys": keys}))
    return draft.replace(path)


def claims(**more: Any) -> dict[str, Any]:
    return {"iss": "https://issuer.example/", "exp": datetime.now(UTC) + HOUR, "urn:altinn:org": "ttd", **more}


def knowing(tmp_path: Path, *keys: object, **settings: Any) -> Verifier:
    """A verifier with these keys of bearer tokens."""
    return Verifier(Settings(jwks=(str(key_set(tmp_path / "jwks.json", *keys)),), **settings))


def at_once(verifier: Verifier) -> Callable[[str], Caller]:
    """Verifies bearer tokens without waiting for keys."""

    def verify(token: str) -> Caller:
        try:
            verifier.bearer(token).send(None)
        except StopIteration as done:
            caller: Caller = done.value
            return caller
        raise AssertionError("it waits for a key set")

    return verify


def bearer(tmp_path: Path, *keys: object, **settings: Any) -> Callable[[str], Caller]:
    """A verifier of bearer tokens with these keys."""
    return at_once(knowing(tmp_path, *keys, **settings))


def refused(verify: Callable[[str], Caller], token: str, reason: str) -> None:
    with pytest.raises(Unauthenticated, match=reason) as caught:
        verify(token)
    assert not token or token not in str(caught.value)
