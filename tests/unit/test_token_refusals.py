"""Tokens: everything that must not verify (RFC 8725, contract 1.1)."""

from __future__ import annotations

import base64
import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from engine.auth.tokens.verifier import MAX_TOKEN
from tests.helpers.token_files import certificate, forged, hmac_of, pem
from tests.helpers.tokens import (
    ED25519,
    HOUR,
    OTHER_P256,
    P256,
    P384,
    RSA,
    at_once,
    bearer,
    claims,
    jwk,
    knowing,
    refused,
)

if TYPE_CHECKING:
    from pathlib import Path


# What does not: signatures and headers


@pytest.mark.parametrize("algorithm", ["none", "None", "NONE", "", None, ["ES256"], {"a": 1}, "HS256", "ES256K"])
def test_an_algorithm_outside_the_list_is_refused(tmp_path: Path, algorithm: Any) -> None:
    content = claims(exp=time.time() + 60)
    verify = bearer(tmp_path, jwk(P256), jwk(RSA))

    refused(verify, forged({"alg": algorithm, "typ": "JWT"}, content, lambda _: b""), "algorithm")
    refused(verify, forged({"typ": "JWT"}, content, lambda _: b""), "algorithm")


@pytest.mark.parametrize("kid", [{}, {"kid": "one"}])
def test_a_public_key_is_no_shared_secret(tmp_path: Path, kid: dict[str, str]) -> None:
    secrets = [pem(RSA), pem(RSA).strip(), json.dumps(jwk(RSA, kid="one")).encode()]
    verify = bearer(tmp_path, jwk(RSA, kid="one"))

    for secret in secrets:
        token = forged({"alg": "HS256", **kid}, claims(exp=time.time() + 60), hmac_of(secret))
        refused(verify, token, "algorithm")


def test_another_key_of_the_same_kind_is_refused(tmp_path: Path) -> None:
    token = jwt.encode(claims(), OTHER_P256, algorithm="ES256", headers={"kid": "one"})

    refused(bearer(tmp_path, jwk(P256, kid="one")), token, "no known key")


@pytest.mark.parametrize(("key", "algorithm"), [(P384, "ES384"), (RSA, "RS256"), (ED25519, "EdDSA")])
def test_a_kid_does_not_lend_its_name_to_another_kind_of_key(tmp_path: Path, key: Any, algorithm: str) -> None:
    token = jwt.encode(claims(), key, algorithm=algorithm, headers={"kid": "one"})

    refused(bearer(tmp_path, jwk(P256, kid="one"), jwk(key, kid="two")), token, "no known key")


def test_a_signature_of_another_curve_under_the_name_of_the_right_one_is_refused(tmp_path: Path) -> None:
    token = forged({"alg": "ES256"}, claims(exp=time.time() + 60), lambda signed: P384.sign(signed, ec.ECDSA(SHA256())))

    refused(bearer(tmp_path, jwk(P256), jwk(P384)), token, "no known key")


def test_a_key_that_names_its_algorithm_verifies_no_other(tmp_path: Path) -> None:
    verify = bearer(tmp_path, jwk(RSA, alg="RS256"))

    assert verify(jwt.encode(claims(), RSA, algorithm="RS256"))
    refused(verify, jwt.encode(claims(), RSA, algorithm="RS512"), "no known key")
    refused(verify, jwt.encode(claims(), RSA, algorithm="PS256"), "no known key")


@pytest.mark.parametrize(
    "kid", ["two", "", "ONE", "../one", "/etc/passwd", "' OR 1=1 --", "https://evil.example/", "é"]
)
def test_an_unknown_kid_is_refused(tmp_path: Path, kid: str) -> None:
    token = jwt.encode(claims(), P256, algorithm="ES256", headers={"kid": kid})

    refused(bearer(tmp_path, jwk(P256, kid="one")), token, "no known key")


def signed_text(header: bytes, content: bytes) -> str:
    """A token whose parts are these bytes, with a good signature of ED25519."""
    parts = [base64.urlsafe_b64encode(each).rstrip(b"=") for each in (header, content)]
    signature = base64.urlsafe_b64encode(ED25519.sign(b".".join(parts))).rstrip(b"=")
    return b".".join([*parts, signature]).decode()


@pytest.mark.parametrize("header", [b'{"alg":"none","alg":"EdDSA"}', b'{"alg":"EdDSA","alg":"none"}'])
def test_of_a_header_that_comes_twice_none_is_an_unsigned_one(tmp_path: Path, header: bytes) -> None:
    content = b'{"exp":%d}' % (time.time() + 60)
    verify = bearer(tmp_path, jwk(ED25519))
    unsigned = signed_text(header, content).rpartition(".")[0] + "."

    refused(verify, unsigned, "the token")


@pytest.mark.parametrize("typ", ["JWE", "dpop+jwt", "logout+jwt", "secevent+jwt"])
def test_a_type_is_no_signature(tmp_path: Path, typ: str) -> None:
    token = jwt.encode(claims(), OTHER_P256, algorithm="ES256", headers={"typ": typ})

    refused(bearer(tmp_path, jwk(P256)), token, "no known key")


@pytest.mark.parametrize("signature", [b"", b"\0" * 64, b"\0" * 63 + b"\1", b"\xff" * 64, b"\0" * 71])
def test_a_signature_of_zeros_is_none(tmp_path: Path, signature: bytes) -> None:
    token = forged({"alg": "ES256"}, claims(exp=time.time() + 60), lambda _: signature)

    refused(bearer(tmp_path, jwk(P256)), token, "no known key")


@pytest.mark.parametrize("kid", [7, ["one"], {"one": 1}, True])
def test_a_kid_that_is_no_text_is_refused(tmp_path: Path, kid: Any) -> None:
    token = forged({"alg": "ES256", "kid": kid}, claims(exp=time.time() + 60), lambda _: b"x" * 64)

    refused(bearer(tmp_path, jwk(P256, kid="one")), token, "malformed")


def test_a_key_that_a_token_brings_along_is_ignored(tmp_path: Path) -> None:
    brought = {
        "jwk": jwk(OTHER_P256, kid="one"),
        "jku": "https://127.0.0.1:9/jwks.json",
        "x5u": "https://127.0.0.1:9/cert.pem",
        "x5c": [base64.b64encode(certificate(OTHER_P256, datetime.now(UTC) + HOUR)).decode()],
    }
    verify = bearer(tmp_path, jwk(P256, kid="one"))

    refused(
        verify, jwt.encode(claims(), OTHER_P256, algorithm="ES256", headers={"kid": "one", **brought}), "no known key"
    )
    assert verify(jwt.encode(claims(), P256, algorithm="ES256", headers={"kid": "one", **brought}))


@pytest.mark.parametrize("crit", [["exp"], ["http://example/x"], [], "b64", [7], ["b64"]])
def test_an_unknown_critical_header_is_refused(tmp_path: Path, crit: Any) -> None:
    token = jwt.encode(claims(), P256, algorithm="ES256", headers={"crit": crit, "http://example/x": 1, "exp": 1})

    refused(bearer(tmp_path, jwk(P256)), token, "malformed")


def test_a_detached_payload_is_refused(tmp_path: Path) -> None:
    token = jwt.encode(claims(), P256, algorithm="ES256", headers={"b64": False})

    refused(bearer(tmp_path, jwk(P256)), token, "malformed")


def test_an_oversized_token_is_refused(tmp_path: Path) -> None:
    verify = bearer(tmp_path, jwk(P256))
    large = jwt.encode(claims(filler="x" * MAX_TOKEN), P256, algorithm="ES256")

    refused(verify, large, "too long")
    assert verify(jwt.encode(claims(filler="x" * (MAX_TOKEN // 2)), P256, algorithm="ES256"))


def test_a_token_changed_anywhere_is_refused(tmp_path: Path) -> None:
    verify = bearer(tmp_path, jwk(P256))
    token = jwt.encode(claims(), P256, algorithm="ES256")

    for place in range(len(token)):
        refused(verify, token[:place] + ("A" if token[place] != "A" else "B") + token[place + 1 :], "the token")
    for more in ("=", "A", ".", " ", "\n", ".AAAA"):
        refused(verify, token + more, "the token")


DEEP = base64.urlsafe_b64encode(b"[" * 11_000).decode()
HEADER = base64.urlsafe_b64encode(b'{"alg":"ES256"}').rstrip(b"=").decode()


@pytest.mark.parametrize(
    "token",
    [
        "",
        ".",
        "..",
        "...",
        "a.b.c",
        "é.é.é",
        "\ud800.a.b",
        "null.null.null",
        f"{DEEP}.a.b",
        f"{HEADER}.{DEEP}.AAAA",
        f"{HEADER}.\ud800.AAAA",
    ],
)
def test_garbage_is_refused(tmp_path: Path, token: str) -> None:
    verifier = knowing(tmp_path, jwk(P256))

    refused(at_once(verifier), token, "the token")
    refused(verifier.platform, token, "the token")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["alg", "kid", "iss", "exp"]), inner),
    max_leaves=4,
)
OBJECTS = st.dictionaries(st.sampled_from(["alg", "kid", "crit", "b64", "iss", "exp", "nbf", "scope"]), JSON)


@given(header=OBJECTS | JSON, content=OBJECTS | JSON, signature=st.binary(max_size=80))
def test_no_unsigned_token_does_more_than_be_refused(
    tmp_path_factory: pytest.TempPathFactory, header: Any, content: Any, signature: bytes
) -> None:
    verifier = knowing(tmp_path_factory.getbasetemp(), jwk(P256))
    if isinstance(header, dict):
        header |= {"alg": "ES256"}
    token = forged(header, content, lambda _: signature)

    refused(at_once(verifier), token, "the token")
    refused(verifier.platform, token, "the token")


# What does not: claims


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"exp": 1}, "expired"),
        ({"exp": lambda now: now - 6}, "expired"),
        ({"exp": lambda now: now + 60, "nbf": lambda now: now + 60}, "not valid yet"),
        ({"exp": None}, "lacks"),
        ({}, "lacks"),
        ({"exp": "soon"}, "malformed"),
        ({"exp": "99999999999"}, "malformed"),
        ({"exp": [99999999999]}, "malformed"),
        ({"exp": True}, "expired"),
        ({"exp": float("nan")}, "malformed"),
        ({"exp": float("inf")}, "malformed"),
        ({"exp": lambda now: now + 60, "nbf": "soon"}, "malformed"),
        ({"exp": lambda now: now + 60, "nbf": "0"}, "malformed"),
        ({"exp": lambda now: now + 60, "iat": float("inf")}, "malformed"),
        ({"exp": lambda now: now + 60, "iat": float("nan")}, "malformed"),
        ({"exp": lambda now: now + 60, "iat": "soon"}, "malformed"),
        ({"exp": lambda now: now + 172_900}, "lives longer"),
        ({"exp": lambda now: now + 60, "iat": lambda now: now - 172_900}, "lives longer"),
        ({"exp": lambda now: now + 60, "iat": 1}, "lives longer"),
        ({"exp": lambda now: now + 60, "iat": -(10**400)}, "lives longer"),
        ({"exp": 99_999_999_999}, "lives longer"),
        ({"exp": 10**400}, "lives longer"),
        ({"exp": 1e300}, "lives longer"),
    ],
)
def test_a_good_signature_under_bad_times_is_refused(tmp_path: Path, changed: dict[str, Any], reason: str) -> None:
    now = time.time()
    content = {name: value(now) if callable(value) else value for name, value in changed.items()}
    token = forged({"alg": "EdDSA"}, content, ED25519.sign)

    refused(bearer(tmp_path, jwk(ED25519)), token, reason)


@pytest.mark.parametrize("content", [b"", b"[]", b"7", b"null", b"{", b"\xff", b"[" * 11_000])
def test_a_good_signature_over_no_claims_is_refused(tmp_path: Path, content: bytes) -> None:
    token = jwt.PyJWS().encode(content, P256, algorithm="ES256")

    refused(bearer(tmp_path, jwk(P256)), token, "malformed")


@pytest.mark.parametrize(
    "issuer",
    [
        "https://issuer.example/x",
        "https://issuer.example",
        "https://issuer",
        "https://issuer.example/ ",
        "HTTPS://ISSUER.EXAMPLE/",
        "",
        7,
        None,
        ["https://issuer.example/"],
    ],
)
def test_an_issuer_is_allowed_by_its_exact_name_only(tmp_path: Path, issuer: Any) -> None:
    verify = bearer(tmp_path, jwk(P256), issuers=("https://issuer.example/", "https://other.example/"))

    assert verify(jwt.encode(claims(), P256, algorithm="ES256"))
    token = forged({"alg": "EdDSA"}, claims(iss=issuer, exp=time.time() + 60), ED25519.sign)
    verify = bearer(tmp_path, jwk(ED25519), issuers=("https://issuer.example/",))
    refused(verify, token, "issuer")


def test_an_issuer_that_is_missing_is_not_allowed(tmp_path: Path) -> None:
    token = jwt.encode({"exp": datetime.now(UTC) + HOUR}, P256, algorithm="ES256")

    refused(bearer(tmp_path, jwk(P256), issuers=("https://issuer.example/",)), token, "lacks")
