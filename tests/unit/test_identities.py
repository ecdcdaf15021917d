"""The identity in a bearer token (events contract 6.1)."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

from engine.auth.tokens import Verifier
from engine.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

SYSTEM_USER = "5d2a1b6e-0c4f-4a7e-9b1d-3f8e2c6a7b90"


@pytest.mark.parametrize(
    ("claims", "identity"),
    [
        ({"urn:altinn:org": "ttd", "urn:altinn:userid": 12}, "/org/ttd"),
        ({"urn:altinn:userid": 12, "urn:altinn:orgNumber": "910514318"}, "/user/12"),
        ({"urn:altinn:userid": "12"}, "/user/12"),
        ({"urn:altinn:orgNumber": "910514318"}, "/organisation/910514318"),
        (
            {"authorization_details": {"type": "urn:altinn:systemuser", "systemuser_id": [SYSTEM_USER.upper()]}},
            f"/systemuser/{SYSTEM_USER}",
        ),
        ({"authorization_details": [{"systemuser_id": SYSTEM_USER}]}, f"/systemuser/{SYSTEM_USER}"),
        ({"authorization_details": f'{{"systemuser_id": ["{SYSTEM_USER}"]}}'}, f"/systemuser/{SYSTEM_USER}"),
        ({"authorization_details": {"systemuser_id": ["00000000-0000-0000-0000-000000000000"]}}, None),
        ({"authorization_details": {"systemuser_id": ["7"]}, "urn:altinn:orgNumber": "1"}, "/organisation/1"),
        ({"authorization_details": "{"}, None),
        ({"urn:altinn:org": "a/b"}, None),
        ({"urn:altinn:userid": True}, None),
        ({}, None),
    ],
)
def test_who_subscribes_is_the_first_that_the_token_names(
    tmp_path: Path, claims: dict[str, Any], identity: str | None
) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    jwks = tmp_path / "jwks.json"
    jwks.write_text(json.dumps({"keys": [ECAlgorithm.to_jwk(key.public_key(), as_dict=True)]}))
    token = jwt.encode({"exp": datetime.now(UTC) + timedelta(hours=1)} | claims, key, algorithm="ES256")

    assert asyncio.run(Verifier(Settings(jwks=(str(jwks),))).bearer(token)).identity == identity
