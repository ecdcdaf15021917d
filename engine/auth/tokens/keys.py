"""Public keys as operators write them down: key sets (RFC 7517), PEM blocks and X.509 certificates.

A key's type alone fixes the algorithms that it verifies, never a token (RFC 8725, 3.1).
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from jwt import PyJWTError
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from engine.errors import Misconfigured
from engine.runtime.config_files import Followed, read_bounded

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

RSA_MIN_BITS = 2048  # NIST SP 800-131A: shorter ones can be broken
RSA_ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512")
EC_ALGORITHMS = {"secp256r1": ("ES256",), "secp384r1": ("ES384",), "secp521r1": ("ES512",)}  # RFC 7518, 3.4
ED25519_ALGORITHMS = ("EdDSA",)  # RFC 8037, 3.1
ALGORITHMS = frozenset({*RSA_ALGORITHMS, *ED25519_ALGORITHMS, "ES256", "ES384", "ES512"})

MAX_FILE = 256 * 1024  # bytes of a key file or key set; real ones have a few thousand
MAX_KEYS = 100  # of one file or key set
MOST_TOLD = 5  # of a set's keys that cannot be used
MOST_KID = 50  # characters of a kid that are shown

CURVES: dict[str, tuple[str | None, ...]] = {
    "RSA": (None,),
    "EC": ("P-256", "P-384", "P-521"),
    "OKP": ("Ed25519",),
}
JWK_READERS = {"RSA": RSAAlgorithm.from_jwk, "EC": ECAlgorithm.from_jwk, "OKP": OKPAlgorithm.from_jwk}
PEM_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----(?:[^-]++|-[^-]++)++-----END ([A-Z0-9 ]+)-----")

log = logging.getLogger(__name__)

ALWAYS = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))


@dataclass(frozen=True, slots=True)
class Key:
    """A public key, what it may verify and, if it came in a certificate, from when until when."""

    public: RSAPublicKey | EllipticCurvePublicKey | Ed25519PublicKey
    algorithms: tuple[str, ...]
    kid: str | None = None
    valid: tuple[datetime, datetime] = ALWAYS


class KeyFile:
    """The keys of one file, which is read again when it has changed."""

    def __init__(self, path: Path, read: Callable[[bytes, str], tuple[Key, ...]]) -> None:
        self.keys: tuple[Key, ...] = ()
        self._file = Followed(path)
        self._read = read

    def changed(self) -> bool:
        """Read the file if it changed; Misconfigured, once per change, when it cannot be used: the keys then stay."""
        if not self._file.changed():
            return False
        self.keys = self._read(read_bounded(self._file.path, MAX_FILE), str(self._file.path))
        return True


def read_jwks(content: bytes, place: str) -> tuple[Key, ...]:
    """The keys of a key set that verify tokens here (RFC 7517, 5); an unusable one does not spoil the others.

    Keys that should not be there (secret, private, weak or malformed ones) are logged; keys for other purposes are
    not. Misconfigured, with the same words, when it is no key set or has no usable key.
    """
    try:
        document = json.loads(content)
    except (ValueError, RecursionError):
        document = None
    items = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(items, list):
        msg = f'{place}: is not a JSON Web Key set, {{"keys": [...]}}'
        raise Misconfigured(msg)
    keys, faults = [], []
    for item in items:
        try:
            key = _jwk(item)
        except Misconfigured as error:
            faults.append(str(error))
        else:
            keys += [key] if key else []
    told = "; ".join(faults[:MOST_TOLD]) + ("; …" if len(faults) > MOST_TOLD else "")
    usable = _some(keys, f"{place}: {told}" if told else place)
    if told:
        log.warning("%s: keys are passed over: %s", place, told)
    return usable


def read_pem(content: bytes, place: str) -> tuple[Key, ...]:
    """Keys of a PEM file: each block is a key in its own right, so that two can overlap; Misconfigured as above.

    A certificate is a wrapping for its key: no chain is followed, so a file must not hold its signer's as well.
    """
    blocks = PEM_BLOCK.finditer(content)
    return _some([_pem(block[1].decode(), block[0], place) for block in blocks if block[1] == block[2]], place)


def _some(keys: list[Key], place: str) -> tuple[Key, ...]:
    if not 0 < len(keys) <= MAX_KEYS:
        msg = f"{place}: has {len(keys)} usable keys; one to {MAX_KEYS} are needed"
        raise Misconfigured(msg)
    return tuple(keys)


def _jwk(item: object) -> Key | None:
    """A key of a set; None: it is for another purpose. Misconfigured when it should not be there."""
    given = {name: value for name, value in item.items() if value is not None} if isinstance(item, dict) else {}
    kind, kid, alg, uses = str(given.get("kty")), given.get("kid"), given.get("alg"), given.get("key_ops")
    name = f"key {str(kid)[:MOST_KID]!r}"
    if kind == "oct" or "d" in given:
        msg = f"{name} is a secret or private key; a key set is public, remove it and make a new key"
        raise Misconfigured(msg)
    if given.get("use", "sig") != "sig" or (isinstance(uses, list) and uses and "verify" not in uses):
        return None
    if kind not in JWK_READERS or given.get("crv") not in CURVES[kind]:
        return None
    if not isinstance(kid, str | None):
        msg = f"{name}: its kid is not a string"
        raise Misconfigured(msg)
    try:
        public = JWK_READERS[kind](given)
    except (PyJWTError, ValueError, TypeError, KeyError, AttributeError):
        msg = f"{name} is malformed"
        raise Misconfigured(msg) from None
    key = _key(public, name, kid=kid)
    if alg is None:
        return key
    return Key(key.public, (alg,), kid) if alg in key.algorithms else None


def _pem(label: str, block: bytes, place: str) -> Key:
    if "PRIVATE" in label:
        msg = f"{place}: has a private key; only its public half belongs here"
        raise Misconfigured(msg)
    try:
        if label != "CERTIFICATE":
            return _key(load_pem_public_key(block), place)
        certificate = x509.load_pem_x509_certificate(block)
        valid = (certificate.not_valid_before_utc, certificate.not_valid_after_utc)
        return _key(certificate.public_key(), place, valid=valid)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        msg = f"{place}: its {label} is malformed"
        raise Misconfigured(msg) from None


def _key(public: object, place: str, kid: str | None = None, valid: tuple[datetime, datetime] = ALWAYS) -> Key:
    match public:
        case RSAPublicKey() if public.key_size >= RSA_MIN_BITS:
            return Key(public, RSA_ALGORITHMS, kid, valid)
        case EllipticCurvePublicKey() if public.curve.name in EC_ALGORITHMS:
            return Key(public, EC_ALGORITHMS[public.curve.name], kid, valid)
        case Ed25519PublicKey():
            return Key(public, ED25519_ALGORITHMS, kid, valid)
    msg = f"{place}: a key must be RSA of {RSA_MIN_BITS} bits or more, EC on P-256, P-384 or P-521, or Ed25519"
    raise Misconfigured(msg)
