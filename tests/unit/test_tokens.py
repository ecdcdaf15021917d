"""Tokens: what verifies, and everything that must not (RFC 8725, contract 1.1)."""

from __future__ import annotations

import base64
import hmac
import json
import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import NameOID
from hypothesis import given
from hypothesis import strategies as st
from jwt.algorithms import ECAlgorithm

from engine.auth.tokens import DevelopmentKey, Verifier
from engine.auth.tokens.verifier import MAX_REMEMBERED, MAX_TOKEN, Memory, Remembered
from engine.dev.data_folder import development_key
from engine.errors import Invalid, Misconfigured, Unauthenticated
from engine.models import Caller
from engine.settings import Settings
from tests.helpers.tokens import (
    ED25519,
    HOUR,
    OTHER_P256,
    P256,
    P384,
    P521,
    RSA,
    WEAK_RSA,
    at_once,
    bearer,
    claims,
    jwk,
    key_set,
    knowing,
    refused,
)
from tests.helpers.waiting import slowness, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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


def platform(tmp_path: Path, **files: bytes) -> Verifier:
    """A verifier of platform tokens with one file per issuer."""
    for issuer, content in files.items():
        put(tmp_path / f"{issuer}.pem", content)
    return Verifier(Settings(platform_keys=tmp_path))


def put(path: Path, content: bytes) -> None:
    draft = path.with_suffix(".draft")
    draft.write_bytes(content)
    draft.replace(path)


def forged(header: dict[str, Any], content: dict[str, Any], sign: Callable[[bytes], bytes]) -> str:
    """A token as an attacker makes it: any header, any signature."""

    def segment(data: bytes) -> bytes:
        return base64.urlsafe_b64encode(data).rstrip(b"=")

    signed = segment(json.dumps(header).encode()) + b"." + segment(json.dumps(content).encode())
    return (signed + b"." + segment(sign(signed))).decode()


def hmac_of(secret: bytes) -> Callable[[bytes], bytes]:
    return lambda signed: hmac.digest(secret, signed, "sha256")


def named(value: object) -> str:
    """A test's name without the keys in it, which are others in each process."""
    return value if isinstance(value, str) else "content"


def is_refused(verify: Callable[[str], Caller], token: str) -> bool:
    try:
        verify(token)
    except Unauthenticated:
        return True
    return False


# What verifies


@pytest.mark.parametrize(("key", "algorithm"), KINDS)
def test_each_kind_of_key_verifies_its_own_algorithms(tmp_path: Path, key: Any, algorithm: str) -> None:
    token = jwt.encode(claims(scope="a b"), key, algorithm=algorithm, headers={"kid": "one"})

    caller = bearer(tmp_path, jwk(key, kid="one"))(token)

    assert caller == Caller(creator="ttd", scopes=frozenset({"a", "b"}), platform=False, identity="/org/ttd")


def test_a_token_without_kid_is_tried_with_every_fitting_key(tmp_path: Path) -> None:
    token = jwt.encode(claims(), P256, algorithm="ES256")

    assert bearer(tmp_path, jwk(RSA, kid="one"), jwk(OTHER_P256, kid="two"), jwk(P256, kid="three"))(token)


def test_a_token_without_kid_is_not_tried_with_many_keys(tmp_path: Path) -> None:
    others = [jwk(ec.generate_private_key(ec.SECP256R1())) for _ in range(8)]
    token = jwt.encode(claims(), P256, algorithm="ES256")

    refused(bearer(tmp_path, *others, jwk(P256)), token, "no known key")


@pytest.mark.parametrize("claim", ["scope", "urn:altinn:scope"])
@pytest.mark.parametrize("value", ["a b", ["a", "b"], ["a b"], [["x"], 7, "a", "b"]])
def test_scopes_come_as_text_or_as_a_list_under_either_name(tmp_path: Path, claim: str, value: Any) -> None:
    token = jwt.encode(claims(**{claim: value}), P256, algorithm="ES256")

    assert bearer(tmp_path, jwk(P256))(token).scopes == {"a", "b"}


@pytest.mark.parametrize("org", [None, "", "  ", 7, ["ttd"], "a\nb", "a\u2028b", "a\x00b", "a\x7fb", "x" * 101])
def test_an_unusable_organisation_name_is_none(tmp_path: Path, org: Any) -> None:
    token = jwt.encode(claims(**{"urn:altinn:org": org}), P256, algorithm="ES256")

    assert bearer(tmp_path, jwk(P256))(token).creator is None


@pytest.mark.parametrize("org", ["ttd", "TTD", "Skatte etaten", "x" * 100])
def test_an_organisation_name_is_taken_exactly(tmp_path: Path, org: str) -> None:
    token = jwt.encode(claims(**{"urn:altinn:org": org}), P256, algorithm="ES256")

    assert bearer(tmp_path, jwk(P256))(token).creator == org


def test_a_token_may_live_as_long_as_the_setting_says(tmp_path: Path) -> None:
    now = datetime.now(UTC)
    two_days, hour = (jwt.encode(claims(iat=now, exp=now + life), P256, "ES256") for life in (48 * HOUR, HOUR))

    assert bearer(tmp_path, jwk(P256))(two_days)
    verify = bearer(tmp_path, jwk(P256), max_token_lifetime=1800)
    refused(verify, hour, "lives longer than VARSEL_MAX_TOKEN_LIFETIME")
    folder = tmp_path / "platform"
    folder.mkdir()
    put(folder / "ttd.pem", pem(P256))
    platforms = Verifier(Settings(platform_keys=folder, max_token_lifetime=1800)).platform
    refused(platforms, jwt.encode(claims(iss="ttd"), P256, "ES256"), "lives longer")


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


# Memory


def test_a_verified_token_is_remembered_and_ends_with_its_time(tmp_path: Path) -> None:
    verify = bearer(tmp_path, jwk(P256))
    token = jwt.encode(claims(exp=time.time() + 2 * slowness()), P256, algorithm="ES256")

    assert verify(token) is verify(token)
    wait_for(lambda: is_refused(verify, token))
    refused(verify, token, "expired")


def test_the_oldest_token_is_forgotten_first() -> None:
    memory, keys = Memory(), object()
    caller = Caller("ttd", frozenset(), platform=False)

    for number in range(MAX_REMEMBERED + 1):
        memory.put(str(number), Remembered(caller, time.time() + 60, keys))

    assert memory.get("0", keys) is None
    assert memory.get("1", keys) is caller
    assert memory.get(str(MAX_REMEMBERED), keys) is caller


def test_a_token_of_one_kind_is_not_remembered_as_the_other(tmp_path: Path) -> None:
    folder = tmp_path / "platform"
    folder.mkdir()
    put(folder / "ttd.pem", pem(P256))
    verifier = Verifier(Settings(jwks=(str(key_set(tmp_path / "jwks.json", jwk(OTHER_P256))),), platform_keys=folder))
    token = jwt.encode(claims(iss="ttd"), P256, algorithm="ES256")

    assert verifier.platform(token)
    refused(at_once(verifier), token, "no known key")


# Key sets


def test_a_new_key_is_known_at_once_and_a_removed_one_is_soon_forgotten(tmp_path: Path) -> None:
    verify = bearer(tmp_path, jwk(P256, kid="old"))
    old = jwt.encode(claims(), P256, algorithm="ES256", headers={"kid": "old"})
    new = jwt.encode(claims(), OTHER_P256, algorithm="ES256", headers={"kid": "new"})
    assert verify(old)
    refused(verify, new, "no known key")

    key_set(tmp_path / "jwks.json", jwk(P256, kid="old"), jwk(OTHER_P256, kid="new"))
    assert verify(new)
    assert verify(old)

    key_set(tmp_path / "jwks.json", jwk(OTHER_P256, kid="new"))
    wait_for(lambda: is_refused(verify, old))
    assert verify(new)


def test_a_key_set_that_breaks_later_is_logged_and_its_keys_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    verify = bearer(tmp_path, jwk(P256, kid="one"))
    (tmp_path / "jwks.json").write_text("{")

    refused(verify, jwt.encode(claims(), P256, algorithm="ES256", headers={"kid": "two"}), "no known key")
    assert verify(jwt.encode(claims(), P256, algorithm="ES256", headers={"kid": "one"}))
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert str(tmp_path / "jwks.json") in caplog.text


def test_a_key_set_that_stays_as_it_is_is_not_read_again(tmp_path: Path) -> None:
    verify = bearer(tmp_path, jwk(P256, kid="one"))
    token = jwt.encode(claims(), P256, algorithm="ES256", headers={"kid": "one"})
    remembered = verify(token)

    refused(verify, jwt.encode(claims(), P256, algorithm="ES256", headers={"kid": "two"}), "no known key")
    assert verify(token) is remembered


def test_keys_of_several_sets_are_known(tmp_path: Path) -> None:
    sets = [key_set(tmp_path / "a", jwk(P256, kid="same")), key_set(tmp_path / "b", jwk(RSA, kid="same"))]
    verify = at_once(Verifier(Settings(jwks=tuple(map(str, sets)))))

    assert verify(jwt.encode(claims(), P256, algorithm="ES256", headers={"kid": "same"}))
    assert verify(jwt.encode(claims(), RSA, algorithm="RS256", headers={"kid": "same"}))


def test_keys_for_other_purposes_are_passed_over(tmp_path: Path) -> None:
    others = [
        jwk(RSA, kid="one", use="enc"),
        jwk(RSA, kid="one", alg="RSA-OAEP"),
        jwk(RSA, kid="one", alg="HS256"),
        {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA", "kid": "one"},
        {"kty": "new", "kid": "one"},
        {"kid": "one"},
    ]
    verify = bearer(tmp_path, *others, jwk(P256, kid="one"))

    assert verify(jwt.encode(claims(), P256, algorithm="ES256", headers={"kid": "one"}))
    refused(verify, jwt.encode(claims(), RSA, algorithm="RS256", headers={"kid": "one"}), "no known key")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "Key set"),
        (b"[]", "Key set"),
        (b"\xff", "Key set"),
        (b"[" * 100_000, "Key set"),
        (b'{"keys": {}}', "Key set"),
        (b'{"keys": [7]}', "0 usable keys"),
        (b'{"keys": []}', "0 usable keys"),
        (b" " * 300_000, "bytes"),
        (json.dumps({"keys": [jwk(P256)] * 101}).encode(), "101 usable keys"),
        (json.dumps({"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}).encode(), "secret or private"),
        (json.dumps({"keys": [ECAlgorithm.to_jwk(P256, as_dict=True)]}).encode(), "secret or private"),
        (json.dumps({"keys": [jwk(WEAK_RSA)]}).encode(), "2048"),
        (json.dumps({"keys": [jwk(P256) | {"x": jwk(OTHER_P256)["x"]}]}).encode(), "malformed"),
        (json.dumps({"keys": [{"kty": "EC", "crv": "P-256"}]}).encode(), "malformed"),
        (json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": "AA"}]}).encode(), "malformed"),
        (json.dumps({"keys": [{"kty": "OKP", "crv": "Ed25519", "x": 7}]}).encode(), "malformed"),
        (json.dumps({"keys": [{"kty": "RSA", "n": 7, "e": []}]}).encode(), "malformed"),
        (json.dumps({"keys": [jwk(P256, kid=7)]}).encode(), "kid"),
        (json.dumps({"keys": [jwk(RSA, alg="HS256")]}).encode(), "0 usable keys"),
    ],
    ids=named,
)
def test_an_unusable_key_set_stops_the_start_with_its_name(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "jwks.json"
    path.write_bytes(content)

    with pytest.raises(Misconfigured, match=reason) as caught:
        Verifier(Settings(jwks=(str(path),)))
    assert str(path) in str(caught.value)


def test_a_missing_key_set_stops_the_start_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"absent\.json: No such file"):
        Verifier(Settings(jwks=(str(tmp_path / "absent.json"),)))


# Platform tokens


@pytest.mark.parametrize("wrap", [pem, lambda key: certificate(key, datetime.now(UTC) + HOUR)])
@pytest.mark.parametrize(("key", "algorithm"), KINDS)
def test_a_platform_token_belongs_to_its_issuer(
    tmp_path: Path, key: Any, algorithm: str, wrap: Callable[[Any], bytes]
) -> None:
    token = jwt.encode(claims(iss="ttd", **{"urn:altinn:org": "skd"}), key, algorithm=algorithm)

    assert platform(tmp_path, ttd=wrap(key)).platform(token) == Caller("ttd", frozenset(), platform=True)


def test_the_key_of_one_issuer_does_not_sign_for_another(tmp_path: Path) -> None:
    verify = platform(tmp_path, ttd=pem(P256), skd=pem(OTHER_P256)).platform

    refused(verify, jwt.encode(claims(iss="skd"), P256, algorithm="ES256"), "no known key")
    assert verify(jwt.encode(claims(iss="skd"), OTHER_P256, algorithm="ES256"))


@pytest.mark.parametrize(
    "issuer", ["../x", "..", "/etc/passwd", "x/../ttd", "TTD", "ttd.pem", "ttd ", "ttd\x00", "", "é", None, 7, ["ttd"]]
)
def test_an_issuer_is_a_name_among_the_files_and_nothing_else(tmp_path: Path, issuer: Any) -> None:
    folder = tmp_path / "keys"
    folder.mkdir()
    put(tmp_path / "x.pem", pem(ED25519))
    verify = platform(folder, ttd=pem(ED25519)).platform

    refused(verify, forged({"alg": "EdDSA"}, claims(iss=issuer, exp=time.time() + 60), ED25519.sign), "the token")


def test_a_platform_token_is_checked_like_any_other(tmp_path: Path) -> None:
    verify = platform(tmp_path, ttd=pem(RSA)).platform
    token = jwt.encode(claims(iss="ttd"), RSA, algorithm="RS256")

    assert verify(token) is verify(token)
    refused(verify, jwt.encode(claims(iss="ttd", exp=1), RSA, algorithm="RS256"), "expired")
    refused(verify, jwt.encode({"iss": "ttd"}, RSA, algorithm="RS256"), "lacks")
    refused(verify, forged({"alg": "none"}, claims(iss="ttd", exp=time.time() + 60), lambda _: b""), "algorithm")
    confused = forged({"alg": "HS256"}, claims(iss="ttd", exp=time.time() + 60), hmac_of(pem(RSA)))
    refused(verify, confused, "algorithm")


def test_two_keys_in_one_file_overlap_while_they_change(tmp_path: Path) -> None:
    old = jwt.encode(claims(iss="ttd"), P256, algorithm="ES256")
    new = jwt.encode(claims(iss="ttd"), OTHER_P256, algorithm="ES256")
    verify = platform(tmp_path, ttd=pem(P256)).platform
    assert verify(old)

    put(tmp_path / "ttd.pem", pem(P256) + b"the next one:\n" + pem(OTHER_P256))
    wait_for(lambda: not is_refused(verify, new))
    assert verify(old)

    put(tmp_path / "ttd.pem", pem(OTHER_P256))
    wait_for(lambda: is_refused(verify, old))
    assert verify(new)


def test_an_issuer_is_known_as_soon_as_its_file_is_there_and_gone_soon_after_it(tmp_path: Path) -> None:
    verify = platform(tmp_path, ttd=pem(P256)).platform
    token = jwt.encode(claims(iss="skd"), P256, algorithm="ES256")
    refused(verify, token, "no known key")

    put(tmp_path / "skd.pem", pem(P256))
    wait_for(lambda: not is_refused(verify, token))

    (tmp_path / "skd.pem").unlink()
    wait_for(lambda: is_refused(verify, token))


def test_a_key_file_that_breaks_later_is_logged_once_and_its_keys_stay(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    verify = platform(tmp_path, ttd=pem(P256), skd=pem(P256)).platform
    token = jwt.encode(claims(iss="ttd"), P256, algorithm="ES256")
    refused(verify, jwt.encode(claims(iss="nav"), P256, algorithm="ES256"), "no known key")

    put(tmp_path / "ttd.pem", b"half a file")
    put(tmp_path / "bad name.pem", pem(P256))
    put(tmp_path / "nav.pem", pem(P256))
    wait_for(lambda: not is_refused(verify, jwt.encode(claims(iss="nav"), P256, algorithm="ES256")))
    wait_for(lambda: len(caplog.records) == 2)
    put(tmp_path / "kmd.pem", pem(P256))
    wait_for(lambda: not is_refused(verify, jwt.encode(claims(iss="kmd"), P256, algorithm="ES256")))

    assert verify(token)
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "ttd.pem: has 0 usable keys" in caplog.text
    assert "bad name.pem: is no issuer's name" in caplog.text


def test_an_expired_certificate_verifies_nothing(tmp_path: Path) -> None:
    verify = platform(tmp_path, ttd=certificate(P256, datetime.now(UTC) - HOUR)).platform

    refused(verify, jwt.encode(claims(iss="ttd"), P256, algorithm="ES256"), "certificate")


def test_a_certificate_that_expires_ends_what_is_remembered(tmp_path: Path) -> None:
    verify = platform(tmp_path, ttd=certificate(P256, datetime.now(UTC) + timedelta(seconds=3))).platform
    token = jwt.encode(claims(iss="ttd"), P256, algorithm="ES256")

    assert verify(token)
    wait_for(lambda: is_refused(verify, token))
    refused(verify, token, "certificate")


PRIVATE_PEM = P256.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "0 usable keys"),
        (b"ssh-rsa AAAA", "0 usable keys"),
        (PRIVATE_PEM, "private key"),
        (pem(P256) + PRIVATE_PEM, "private key"),
        (pem(WEAK_RSA), "2048"),
        (pem(ec.generate_private_key(ec.SECP256K1())), "P-256"),
        (pem(P256).replace(b"MF", b"AA"), "malformed"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", "malformed"),
        (b" " * 300_000, "bytes"),
        (pem(P256) * 101, "101 usable keys"),
    ],
    ids=named,
)
def test_an_unusable_key_file_stops_the_start_with_its_name(tmp_path: Path, content: bytes, reason: str) -> None:
    with pytest.raises(Misconfigured, match=reason) as caught:
        platform(tmp_path, skd=pem(P256), ttd=content)
    assert str(tmp_path / "ttd.pem") in str(caught.value)


def test_a_file_with_no_issuers_name_stops_the_start(tmp_path: Path) -> None:
    put(tmp_path / "bad name.pem", pem(P256))

    with pytest.raises(Misconfigured, match=r"bad name\.pem: is no issuer's name"):
        Verifier(Settings(platform_keys=tmp_path))


def test_other_files_in_the_folder_are_left_alone(tmp_path: Path) -> None:
    put(tmp_path / "README", b"one file per issuer")
    put(tmp_path / ".ttd.pem", b"a draft")

    assert platform(tmp_path, ttd=pem(P256)).platform(jwt.encode(claims(iss="ttd"), P256, algorithm="ES256"))


def test_a_missing_folder_stops_the_start_with_its_name(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="absent: No such file"):
        Verifier(Settings(platform_keys=tmp_path / "absent"))


def test_nothing_verifies_where_no_keys_are_configured() -> None:
    verifier = Verifier(Settings())

    refused(at_once(verifier), jwt.encode(claims(), P256, algorithm="ES256"), "no known key")
    refused(verifier.platform, jwt.encode(claims(iss="ttd"), P256, algorithm="ES256"), "no known key")


# The development key


def test_development_tokens_verify_with_the_files_beside_the_key(tmp_path: Path) -> None:
    key = DevelopmentKey(tmp_path)
    verifier = Verifier(Settings(jwks=(str(key.jwks),), platform_keys=key.platform))

    bearer = at_once(verifier)(key.bearer("ttd", "a b", HOUR))
    assert bearer == Caller("ttd", frozenset({"a", "b"}), platform=False, identity="/org/ttd")
    platform = verifier.platform(key.platform_token("skd", "apps-test", HOUR))
    assert platform == Caller("skd", frozenset(), platform=True, app="apps-test")
    refused(at_once(verifier), key.bearer("ttd", "a", -HOUR), "expired")


def test_development_tokens_carry_what_the_contract_names(tmp_path: Path) -> None:
    key = DevelopmentKey(tmp_path)
    unsigned: Any = {"verify_signature": False}

    token = jwt.decode(key.bearer("ttd", "a", HOUR), options=unsigned)
    assert token["iss"] == "varsel-development"
    assert token["exp"] - token["iat"] == HOUR.total_seconds()
    assert token.keys() == {"iss", "sub", "iat", "exp", "urn:altinn:org", "scope", "jti"}
    assert jwt.decode(key.platform_token("ttd", "apps-test", HOUR), options=unsigned)["urn:altinn:app"] == "apps-test"


def test_a_development_token_says_what_the_installation_asks_for(tmp_path: Path) -> None:
    asked = Settings(issuers=("https://one.example", "https://two.example"), audiences=("urn:varsel", "urn:other"))
    key = development_key(asked, tmp_path)
    verify = at_once(Verifier(asked.model_copy(update={"jwks": (str(key.jwks),)})))
    assert verify(key.bearer("ttd", "a", HOUR)).identity == "/org/ttd"


def test_the_development_key_is_made_once_and_for_its_owner_only(tmp_path: Path) -> None:
    data, folder = tmp_path / "data", tmp_path / "data" / "keys"
    key = DevelopmentKey(data)
    key.platform_token("ttd", "apps-test", HOUR)
    verifier = Verifier(Settings(jwks=(str(key.jwks),)))

    assert at_once(verifier)(DevelopmentKey(data).bearer("ttd", "a", HOUR))
    modes = {path.relative_to(folder).as_posix(): path.stat().st_mode & 0o777 for path in folder.rglob("*")}
    assert modes == {"development.pem": 0o600, "jwks.json": 0o600, "platform": 0o700, "platform/ttd.pem": 0o600}
    assert folder.stat().st_mode & 0o777 == 0o700


def test_processes_that_make_the_development_key_at_once_agree(tmp_path: Path) -> None:
    keys: list[DevelopmentKey] = []
    threads = [threading.Thread(target=lambda: keys.append(DevelopmentKey(tmp_path))) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    verify = at_once(Verifier(Settings(jwks=(str(tmp_path / "keys" / "jwks.json"),))))
    assert len([verify(key.bearer("ttd", "a", HOUR)) for key in keys]) == 8
    assert [path.name for path in (tmp_path / "keys").iterdir() if path.name.startswith(".")] == []


@pytest.mark.parametrize("issuer", ["", "../x", "a/b", "..", ".x", "a b", "x" * 65, "ttd\n"])
def test_a_development_issuer_must_be_a_files_name(tmp_path: Path, issuer: str) -> None:
    with pytest.raises(Invalid, match="issuer"):
        DevelopmentKey(tmp_path).platform_token(issuer, "apps-test", HOUR)


def test_an_issuers_file_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    key = DevelopmentKey(tmp_path)
    (key.platform / "ttd.pem").mkdir()

    with pytest.raises(Misconfigured, match="platform: Is a directory"):
        key.platform_token("ttd", "apps-test", HOUR)


@pytest.mark.parametrize(
    "content",
    [b"", b"junk", pem(P256), P384.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())],
    ids=named,
)
def test_a_development_key_that_is_none_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "keys").mkdir()
    (tmp_path / "keys" / "development.pem").write_bytes(content)

    with pytest.raises(Misconfigured, match=r"development\.pem: is not a P-256 key"):
        DevelopmentKey(tmp_path)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(Misconfigured, match="file/keys: Not a directory"):
        DevelopmentKey(tmp_path / "file")
