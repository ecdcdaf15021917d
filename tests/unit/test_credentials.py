"""Credentials of conditions: who gets which, and which files are refused."""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING
from uuid import UUID

import pytest

from engine.errors import Misconfigured
from engine.orders.credentials import Credentials
from engine.outbound.signatures import signature_headers

if TYPE_CHECKING:
    from pathlib import Path

ORDER = UUID("019a3f0e-7c1b-7000-8000-1a2b3c4d5e6f")
KEY = bytes(range(32))
FILE = f"""
[creators.ttd]
bearer = "a-long-token"
hosts = ["Example.no", "other.example"]

[creators.skd]
secret = "whsec_{b64encode(KEY).decode()}"
"""


@pytest.fixture
def credentials(tmp_path: Path) -> Credentials:
    file = tmp_path / "credentials.toml"
    file.write_text(FILE)
    return Credentials(file)


def test_a_token_goes_to_the_named_hosts_alone(credentials: Credentials) -> None:
    bearer = [("Authorization", "Bearer a-long-token")]
    for url, expected in (
        ("https://example.no/c", bearer),
        ("https://OTHER.example:8443/", bearer),
        ("https://example.no.evil.example/", []),
        ("https://evil.example/?https://example.no", []),
        ("https://example.no@evil.example/", []),
    ):
        assert list(credentials.headers("ttd", url, ORDER, 7)) == expected
        assert credentials.keep_from("ttd", url) == (not expected)
    assert list(credentials.headers("other", "https://example.no/c", ORDER, 7)) == []
    assert list(Credentials().headers("ttd", "https://example.no/c", ORDER, 7)) == []


def test_a_secret_signs_the_orders_id_and_the_time(credentials: Credentials) -> None:
    signed = credentials.headers("skd", "https://anything.example/", ORDER, 7)
    assert list(signed) == signature_headers([KEY], str(ORDER), 7, b"")
    assert dict(signed)["webhook-id"] == str(ORDER)
    assert not any(credentials.keep_from(creator, "https://anything.example/") for creator in ("skd", "other"))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[creator.ttd]", r"knows \[creators.NAME\] alone"),
        ("creators = 1", r"knows \[creators.NAME\] alone"),
        ("[creators]\nttd = 1", "creators.'ttd': write"),
        ('[creators.ttd]\nbearer = "a-long-token"', "with hosts"),
        ('[creators.ttd]\nbearer = "a-long-token"\nhosts = []', "hosts must be a list of names"),
        ('[creators.ttd]\nbearer = "a-long-token"\nhosts = ["https://x.no"]', "without scheme or port"),
        ('[creators.ttd]\nbearer = "a-long-token"\nhosts = ["x.no:8443"]', "without scheme or port"),
        ('[creators.ttd]\nbearer = "a-long-token"\nhosts = ["x.no."]', "without scheme or port"),
        ('[creators.ttd]\nbearer = "a long token"\nhosts = ["x"]', "bearer must be a token"),
        ('[creators.ttd]\nsecret = "whsec_AAAA"', "the base64 of 24 to 64 bytes"),
        ('[creators.ttd]\nsecret = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"', "secret must be whsec_"),
        ("[creators.ttd]\nsecret = 7", "secret must be whsec_"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_without_its_secrets(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "credentials.toml"
    file.write_text(text)
    with pytest.raises(Misconfigured, match=told) as refused:
        Credentials(file)
    assert "a-long-token" not in str(refused.value).replace("write", "")
