"""Development tokens, and the key that they are made with."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from engine.auth.tokens import DevelopmentKey, Verifier
from engine.dev.data_folder import development_key
from engine.errors import Invalid, Misconfigured
from engine.models import Caller
from engine.settings import Settings
from tests.helpers.token_files import named, pem
from tests.helpers.tokens import (
    HOUR,
    P256,
    P384,
    at_once,
    refused,
)

if TYPE_CHECKING:
    from pathlib import Path


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
