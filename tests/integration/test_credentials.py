"""Credentials over HTTP, on every operation: 401 and 403 have no body, whatever else is wrong; a header says why."""

from __future__ import annotations

import base64
import hmac
import json
import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from api.app import OPERATIONS as SERVED
from api.recipients import NDJSON
from engine.resources import SCOPE_COMPOSED, SCOPE_CREATE, SCOPE_SUPPORT, SCOPE_TEMPLATES, SCOPES_CREATE
from engine.settings import Settings
from tests.helpers.client import connect
from tests.helpers.token_files import forged
from tests.servers.installation import API, Installation, chain, instant, order

if TYPE_CHECKING:
    import httpx

HOUR = timedelta(hours=1)
LEEWAY = timedelta(seconds=Settings.model_fields["token_leeway"].default)
SCOPE = "altinn:notifications.create"
ORDER = f"{API}/orders/948f5ccd-c9d4-4a06-b590-a0119b8361f1"  # of nobody
# Of operations.
OWN_SCOPES = {"/composed-email": SCOPE_COMPOSED, "/dashboard/": SCOPE_SUPPORT, "/templates": SCOPE_TEMPLATES}
OPERATIONS = [
    *(
        (each.method, each.path.format(id=ORDER.rpartition("/")[2], name="welcome"))
        for each in SERVED
        if API in each.path
    ),
    ("GET", f"{API}/orders?sendersReference=x"),
    ("GET", f"{API}/orders/no-id"),
    ("GET", f"{API}/future/shipment/no-id"),
    ("GET", f"{API}/future/shipment/feed?seq=x"),
]
JSON = {"Content-Type": "application/json"}  # which is asked for first, where there is a body
LINES = {"Content-Type": NDJSON}  # likewise
FOREIGN = ec.generate_private_key(ec.SECP256R1())
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)


def claims(**more: Any) -> dict[str, Any]:
    return {"iss": "varsel-development", "urn:altinn:org": "ttd", "scope": SCOPE, "exp": time.time() + 3600} | more


def forgeries(installation: Installation) -> dict[str, str]:
    """Bearer tokens that must be refused, by their fault."""
    good = installation.key.bearer("ttd", SCOPE, HOUR)
    header, content, signature = good.split(".")
    mine = {"kid": jwt.get_unverified_header(good)["kid"], "typ": "JWT"}
    own = load_pem_private_key((installation.folder / "keys" / "development.pem").read_bytes(), password=None)
    public = own.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    other = base64.urlsafe_b64encode(json.dumps(claims(**{"urn:altinn:org": "skd"})).encode()).rstrip(b"=").decode()
    return {
        "expired": installation.key.bearer("ttd", SCOPE, -HOUR),
        "expired just now": installation.key.bearer("ttd", SCOPE, -LEEWAY),
        "unsigned": forged(mine | {"alg": "none"}, claims(), lambda _: b""),
        "unsigned, in capitals": forged(mine | {"alg": "NONE"}, claims(), lambda _: b""),
        "signature left out": f"{header}.{content}.",
        "signed with the public key": forged(
            mine | {"alg": "HS256"}, claims(), lambda signed: hmac.digest(public, signed, "sha256")
        ),
        "signed with another key": jwt.encode(claims(), FOREIGN, algorithm="ES256", headers=mine),
        "signed with another kind of key": jwt.encode(claims(), RSA, algorithm="RS256", headers=mine),
        "unknown key": jwt.encode(claims(), FOREIGN, algorithm="ES256", headers={"kid": "../development"}),
        "another's claims": f"{header}.{other}.{signature}",
        "no end": jwt.encode({"urn:altinn:org": "ttd", "scope": SCOPE}, FOREIGN, algorithm="ES256", headers=mine),
        "garbage": "a.b.c",
    }


def anybody(installation: Installation) -> httpx.Client:
    return connect(installation.address)


def refused(answer: httpx.Response, reason: str = "") -> None:
    assert (answer.status_code, answer.content) == (401, b"")
    told = f'Bearer error="invalid_token", error_description="{reason}' if reason else "Bearer"
    assert answer.headers["www-authenticate"].startswith(told)
    assert bool(reason) == ("error" in answer.headers["www-authenticate"])


def test_a_token_that_does_not_verify_is_refused(installation: Installation) -> None:
    with anybody(installation) as client:
        for wrong, token in forgeries(installation).items():
            answer = client.post(f"{API}/orders/email", json=order(), headers={"Authorization": f"Bearer {token}"})
            assert answer.status_code == 401, wrong
            refused(answer, "the token ")


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_every_operation_asks_for_a_credential_first(installation: Installation, method: str, path: str) -> None:
    media = LINES if path.endswith("/recipients") else JSON
    with anybody(installation) as client:
        refused(client.request(method, path, content=b"{" if method == "POST" else None, headers=media))
        for header in ("Basic dXNlcjpwYXNz", "Token x"):
            refused(client.request(method, path, headers=media | {"Authorization": header}))
        refused(client.request(method, path, headers=media | {"Authorization": "Bearer x"}), "the token is malformed")
        refused(client.request(method, path, headers=media | {"PlatformAccessToken": "x"}))


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
@pytest.mark.parametrize(
    "scope", ["", "altinn:notifications.read", "altinn:notifications.create.not", "ALTINN:NOTIFICATIONS.CREATE"]
)
def test_every_operation_needs_the_scope(installation: Installation, method: str, path: str, scope: str) -> None:
    media = LINES if path.endswith("/recipients") else JSON
    with installation.client(scope=scope) as client:
        answer = client.request(method, path, content=b"{" if method == "POST" else None, headers=media)
    assert (answer.status_code, answer.content) == (403, b"")
    lacks = next((lacks for part, lacks in OWN_SCOPES.items() if part in path), None)
    needs = f"the scope {lacks}" if lacks else f"one of the scopes {', '.join(sorted(SCOPES_CREATE))}"
    assert answer.headers["www-authenticate"] == (
        f'Bearer error="insufficient_scope", error_description="needs {needs}", scope="{lacks or SCOPE_CREATE}"'
    )


def test_who_is_no_organisation_is_told_after_the_mistakes_of_the_body(installation: Installation) -> None:
    with installation.client("") as nobody:
        mistaken = nobody.post(f"{API}/orders/email", json=order(subject=""))
        assert (mistaken.status_code, list(mistaken.json()["errors"])) == (400, ["Subject"])
        answer = nobody.post(f"{API}/orders/email", json=order(), headers={"Idempotency-Key": "x"})
        assert (answer.status_code, answer.content) == (403, b"")
        for path, body in (("", chain("nobody@example.no")), ("/instant/email", instant("nobody@example.no"))):
            assert nobody.post(f"{API}/future/orders{path}", json=body | {"idempotencyId": " "}).status_code == 400
            assert nobody.post(f"{API}/future/orders{path}", json=body).status_code == 403
        assert nobody.get(f"{API}/orders/no-id").status_code == 400
        assert nobody.get(ORDER).status_code == 403
        assert nobody.get(f"{API}/orders").status_code == 400
        assert nobody.get(f"{API}/orders?sendersReference=x").status_code == 403
