"""Files of keys, and tokens made by hand."""

from __future__ import annotations

import base64
import hmac
import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from engine.errors import Unauthenticated
from tests.helpers.tokens import (
    ED25519,
    HOUR,
    P256,
    P384,
    P521,
    RSA,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from engine.models import Caller

KINDS = [
    (RSA, "RS256"),
    (RSA, "RS384"),
    (RSA, "RS512"),
    (RSA, "PS256"),
    (RSA, "PS384"),
    (RSA, "PS512"),
    (P256, "ES256"),
    (P384, "ES384"),
    (P521, "ES512"),
    (ED25519, "EdDSA"),
]


def pem(key: Any) -> bytes:
    return bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def certificate(key: Any, until: datetime) -> bytes:
    """A self-signed X.509 certificate."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ttd")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(datetime.now(UTC) - 2 * HOUR).not_valid_after(until)
    hash_of = None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256()
    return builder.sign(key, hash_of).public_bytes(Encoding.PEM)


def put(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".draft")
    draft.write_bytes(content)
    draft.replace(path)


def forged(header: dict[str, Any], content: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A token made by an attacker: any header, any signature."""

    def segment(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    signed = segment(json.dumps(header).encode()) + b"." + segment(json.dumps(content).encode())
    return (signed + b"." + segment(sign(signed))).decode()


def hmac_of(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.digest(secret, signed, "sha256")


def named(value: object) -> str:
    """A test's name without its keys, which differ in each process."""
    return value if isinstance(value, str) else "content"


def is_refused(verify: Callable[[str], Caller], token: str) -> bool:
    try:
        verify(token)
    except Unauthenticated:
        return True
    return False
