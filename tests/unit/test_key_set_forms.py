"""Key sets as identity providers publish them: which keys are used, and which are skipped (RFC 7517, 5)."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from engine.auth.tokens import Verifier
from engine.errors import Misconfigured
from engine.settings import Settings
from tests.helpers.tokens import (
    ED25519,
    OTHER_P256,
    P256,
    RSA,
    WEAK_RSA,
    at_once,
    bearer,
    claims,
    jwk,
    key_set,
    refused,
)

if TYPE_CHECKING:
    from pathlib import Path


def signed(key: Any = P256, algorithm: str = "ES256", kid: str | None = "good") -> str:
    return jwt.encode(claims(), key, algorithm=algorithm, headers={"kid": kid} if kid is not None else None)


GOOD = jwk(P256, kid="good")

# By name: an entry that cannot be used, and whether the log tells of it.
USELESS: dict[str, tuple[Any, bool]] = {
    "RSA of 1024 bits": (jwk(WEAK_RSA, kid="weak"), True),
    "a modulus that is no base64url": (jwk(RSA, kid="bad") | {"n": "æøå"}, True),
    "a point that is not on the curve": (jwk(P256, kid="bad") | {"x": jwk(OTHER_P256)["x"]}, True),
    "x5c alone": ({"kty": "RSA", "kid": "bad", "use": "sig", "x5c": ["MIIC"]}, True),
    "a number as kid": (jwk(OTHER_P256, kid=7), True),
    "a secret": ({"kty": "oct", "k": "c2VjcmV0", "kid": "bad"}, True),
    "a private key": (ECAlgorithm.to_jwk(OTHER_P256, as_dict=True), True),
    "Keycloak's key for encryption": (jwk(RSA, kid="enc", use="enc", alg="RSA-OAEP"), False),
    "a key for encryption that says so by its algorithm alone": (jwk(RSA, kid="enc", alg="RSA-OAEP-256"), False),
    "a key to wrap others": (jwk(RSA, kid="enc", key_ops=["wrapKey", "encrypt"]), False),
    "a post-quantum key": ({"kty": "AKP", "alg": "ML-DSA-65", "kid": "pq", "pub": "AAAA"}, False),
    "a key of no known curve": ({"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}, False),
    "a key of no known kind": ({"kty": ["RSA"], "kid": "bad"}, False),
    "X25519": ({"kty": "OKP", "crv": "X25519", "x": "AA", "use": "enc"}, False),
    "the new name of EdDSA": (jwk(ED25519, kid="ed", alg="Ed25519"), False),
    "no object": (7, False),
    "null": (None, False),
}


@pytest.mark.parametrize("name", USELESS)
def test_an_entry_that_cannot_be_used_spoils_no_other(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str
) -> None:
    entry, told = USELESS[name]

    for keys in ([entry, GOOD], [GOOD, entry]):
        caplog.clear()
        assert bearer(tmp_path, *keys)(signed())
        assert len(caplog.records) == told


def test_keys_that_are_passed_over_verify_nothing(tmp_path: Path) -> None:
    verify = bearer(tmp_path, *[entry for entry, _ in USELESS.values()], GOOD)

    for key, algorithm, kid in ((RSA, "RS256", "enc"), (OTHER_P256, "ES256", None), (ED25519, "EdDSA", "ed")):
        refused(verify, signed(key, algorithm, kid), "no known key")


def test_what_is_passed_over_is_told_once_and_shortly(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    weak = [jwk(WEAK_RSA, kid=f"{'x' * 10_000}\n{number}") for number in range(20)]
    verify = bearer(tmp_path, *weak, GOOD)

    assert [verify(signed()) for _ in range(3)]
    [record] = caplog.records
    assert "\n" not in record.getMessage()
    assert len(record.getMessage()) < 2_000
    assert "2048 bits" in record.getMessage()


def test_a_set_without_any_usable_key_says_why(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"key 'weak': .*2048 bits.*key 'bad' is malformed.*has 0 usable keys"):
        bearer(tmp_path, jwk(WEAK_RSA, kid="weak"), {"kty": "RSA", "kid": "bad", "x5c": ["MIIC"]})


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"use": "sig"},
        {"use": None, "alg": None, "key_ops": None, "x5c": None},
        {"key_ops": ["verify"]},
        {"key_ops": ["sign", "verify"], "use": "sig"},
        {"key_ops": []},
        {"alg": "ES256", "x5t": "AA", "x5u": "https://elsewhere.example/", "x5c": ["junk"]},
        {"exp": 1, "nbf": 99_999_999_999, "iat": 1},
        {"ext": True, "issuer": "https://login.example/{tenantid}/v2.0", "cloud_instance_name": "example"},
    ],
)
def test_members_that_say_nothing_against_it_leave_a_key_usable(tmp_path: Path, members: dict[str, Any]) -> None:
    assert bearer(tmp_path, jwk(P256, kid="good") | members)(signed())


def test_a_modulus_with_padding_or_a_zero_in_front_is_the_same_key(tmp_path: Path) -> None:
    number = RSA.public_key().public_numbers().n.to_bytes(257, "big")
    padded = base64.urlsafe_b64encode(number[1:]).decode()
    longer = base64.urlsafe_b64encode(number).rstrip(b"=").decode()

    for modulus in (padded, longer):
        verify = bearer(tmp_path, RSAAlgorithm.to_jwk(RSA.public_key(), as_dict=True) | {"n": modulus})
        assert verify(signed(RSA, "RS256", None))


def test_several_keys_may_have_one_kid(tmp_path: Path) -> None:
    same = [jwk(key, kid="good") for key in (RSA, OTHER_P256, P256)]
    twice = [jwk(RSA, kid="good", alg=algorithm) for algorithm in ("RS256", "RS512")]

    assert bearer(tmp_path, *same)(signed())
    for algorithm in ("RS256", "RS512"):
        assert bearer(tmp_path, *twice)(signed(RSA, algorithm))
    refused(bearer(tmp_path, *twice), signed(RSA, "RS384"), "no known key")


def test_a_token_without_kid_is_verified_by_a_key_with_one_and_not_the_other_way_round(tmp_path: Path) -> None:
    assert bearer(tmp_path, GOOD)(signed(kid=None))
    refused(bearer(tmp_path, jwk(P256)), signed(), "no known key")


@pytest.mark.parametrize("before", [b"\xef\xbb\xbf", b"\xef\xbb\xbf\r\n  ", b"\n"])
def test_a_byte_order_mark_before_a_set_is_ignored(tmp_path: Path, before: bytes) -> None:
    path = key_set(tmp_path / "jwks.json", GOOD)
    path.write_bytes(before + path.read_bytes())

    assert at_once(Verifier(Settings(jwks=(str(path),))))(signed())


def test_a_set_may_have_members_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"issuer": "x", "keys": [GOOD], "signed_jwks_uri": None}))

    assert at_once(Verifier(Settings(jwks=(str(path),))))(signed())


def test_a_large_set_is_used_whole(tmp_path: Path) -> None:
    others = [jwk(ec.generate_private_key(ec.SECP256R1()), kid=str(number)) for number in range(99)]
    encrypting = [jwk(RSA, kid=f"enc {number}", use="enc") for number in range(200)]

    assert bearer(tmp_path, *others, *encrypting, GOOD)(signed())
