"""What a token must say beside its signature: audience and times; and claims that decide nothing."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from engine.auth.tokens import Verifier
from engine.settings import Settings
from tests.helpers.tokens import ED25519, HOUR, P256, bearer, claims, jwk, refused

if TYPE_CHECKING:
    from pathlib import Path

OURS = ("https://notify.example.org", "urn:varsel")


def token(**changed: Any) -> str:
    return jwt.encode(claims(**changed), P256, algorithm="ES256")


@pytest.mark.parametrize("audience", ["someone", ["a", "b"], 7, None, []])
def test_no_audience_is_asked_for_where_none_is_set(tmp_path: Path, audience: Any) -> None:
    assert bearer(tmp_path, jwk(P256))(token(aud=audience))


@pytest.mark.parametrize("audience", ["urn:varsel", ["urn:varsel"], ["other", "https://notify.example.org"]])
def test_a_token_for_one_of_our_audiences_verifies(tmp_path: Path, audience: Any) -> None:
    assert bearer(tmp_path, jwk(P256), audiences=OURS)(token(aud=audience))


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        ({"aud": "someone"}, "another audience"),
        ({"aud": "https://notify.example.org/"}, "another audience"),
        ({"aud": "URN:VARSEL"}, "another audience"),
        ({"aud": "urn:varsel https://other.example"}, "another audience"),
        ({"aud": ""}, "lacks a needed claim"),
        ({"aud": []}, "lacks a needed claim"),
        ({"aud": ["urn"]}, "another audience"),
        ({"aud": 7}, "another audience"),
        ({"aud": ["urn:varsel", 7]}, "another audience"),
        ({"aud": {"urn:varsel": 1}}, "another audience"),
        ({"aud": None}, "lacks a needed claim"),
        ({}, "lacks a needed claim"),
    ],
)
def test_a_token_for_another_audience_or_none_is_refused(tmp_path: Path, changed: dict[str, Any], reason: str) -> None:
    refused(bearer(tmp_path, jwk(P256), audiences=OURS), token(**changed), reason)


def test_an_audience_is_not_asked_of_platform_tokens(tmp_path: Path) -> None:
    public = ED25519.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "ttd.pem").write_bytes(public)
    verifier = Verifier(Settings(platform_keys=tmp_path, audiences=OURS))

    assert verifier.platform(jwt.encode(claims(iss="ttd", aud="platform.altinn.no"), ED25519, algorithm="EdDSA"))


def test_clocks_may_be_a_few_seconds_apart(tmp_path: Path) -> None:
    verify = bearer(tmp_path, jwk(P256))
    now = time.time()

    assert verify(token(nbf=now + 3, iat=now + 3))
    assert verify(token(exp=now - 1))
    refused(verify, token(nbf=now + 60), "not valid yet")
    refused(verify, token(exp=now - 6), "expired")


def test_clocks_may_be_as_far_apart_as_the_setting_says(tmp_path: Path) -> None:
    lenient, strict = (bearer(tmp_path, jwk(P256), token_leeway=each) for each in (120, 0))
    now = time.time()

    assert lenient(token(nbf=now + 60))
    assert lenient(token(exp=now - 60))
    refused(lenient, token(nbf=now + 240), "not valid yet")
    refused(lenient, token(exp=now - 121), "expired")
    refused(strict, token(nbf=now + 60), "not valid yet")
    refused(strict, token(exp=now - 1), "expired")


@pytest.mark.parametrize("ahead", [timedelta(seconds=30), timedelta(days=400)])
def test_a_token_that_says_it_will_be_issued_is_judged_by_its_other_times(tmp_path: Path, ahead: timedelta) -> None:
    now = datetime.now(UTC)
    verify = bearer(tmp_path, jwk(P256))

    assert verify(token(iat=now + ahead, nbf=now - HOUR))
    refused(verify, token(iat=now + ahead, exp=now + 49 * HOUR), "lives longer")


@pytest.mark.parametrize(
    "changed", [{"sub": 7}, {"jti": 7}, {"sub": None, "jti": None}, {"sub": ["a"]}, {"azp": 1, "acr": {}, "typ": "ID"}]
)
def test_claims_that_nothing_here_rests_on_may_be_anything(tmp_path: Path, changed: dict[str, Any]) -> None:
    assert bearer(tmp_path, jwk(P256))(token(**changed))


@pytest.mark.parametrize("typ", ["JWT", "jwt", "at+jwt", "application/at+jwt", None])
def test_a_token_may_be_called_by_any_type(tmp_path: Path, typ: str | None) -> None:
    named = jwt.encode(claims(), P256, algorithm="ES256", headers={"typ": typ})

    assert bearer(tmp_path, jwk(P256))(named)


def test_times_may_have_fractions(tmp_path: Path) -> None:
    now = time.time()

    assert bearer(tmp_path, jwk(P256))(token(exp=now + 60.5, iat=now - 0.25, nbf=now - 0.25))
