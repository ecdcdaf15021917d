"""Tokens: what verifies, what is remembered, and the keys of issuers."""

from __future__ import annotations

import json
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from engine.auth.tokens import Verifier
from engine.auth.tokens.verifier import MAX_REMEMBERED, Memory, Remembered
from engine.errors import Misconfigured
from engine.models import Caller
from engine.settings import Settings
from tests.helpers.token_files import KINDS, is_refused, named, pem, put
from tests.helpers.tokens import (
    HOUR,
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
from tests.helpers.waiting import slowness, wait_for

if TYPE_CHECKING:
    from pathlib import Path


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
