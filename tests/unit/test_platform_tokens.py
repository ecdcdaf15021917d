"""Platform tokens: each issuer has a file of keys."""

from __future__ import annotations

import logging
import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from engine.auth.tokens import Verifier
from engine.errors import Misconfigured
from engine.models import Caller
from engine.settings import Settings
from tests.helpers.token_files import KINDS, certificate, forged, hmac_of, is_refused, named, pem, put
from tests.helpers.tokens import (
    ED25519,
    HOUR,
    OTHER_P256,
    P256,
    RSA,
    WEAK_RSA,
    at_once,
    claims,
    refused,
)
from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def platform(tmp_path: Path, **files: bytes) -> Verifier:
    """A verifier of platform tokens with one file per issuer."""
    for issuer, content in files.items():
        put(tmp_path / f"{issuer}.pem", content)
    return Verifier(Settings(platform_keys=tmp_path))


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
