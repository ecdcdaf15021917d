"""Key sets at https addresses, from a real TLS server whose certificate is made for the test."""

from __future__ import annotations

import ipaddress
import json
import ssl
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from jwt.algorithms import ECAlgorithm

from engine.errors import Unauthenticated, Unavailable
from engine.settings import Settings
from engine.tokens import Verifier
from tests.servers.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

OLD, NEW, NEXT = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))


class Issuer:
    """An https server that answers every GET with `status`, `headers` and `body`, and counts them."""

    def __init__(self, folder: Path) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b""
        self.asked: list[str] = []
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                issuer.asked.append(self.path)
                self.send_response(issuer.status)
                for name, value in issuer.headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(issuer.body)

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.handle_error = lambda *_: None  # type: ignore[method-assign] # a client that hangs up is expected
        self.certificate = folder / "issuer.pem"
        self.certificate.write_bytes(self_signed())
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        self.server.socket = context.wrap_socket(
            self.server.socket,
            server_side=True,
            do_handshake_on_connect=False,  # else a client that hangs up leaves a socket that nobody closes
        )
        self.server.daemon_threads = False  # close() waits for the connections
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.01})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.server.server_port}/jwks"

    def publish(self, **keys: ec.EllipticCurvePrivateKey) -> None:
        every = [ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid} for kid, key in keys.items()]
        self.body = json.dumps({"keys": every}).encode()

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


def self_signed() -> bytes:
    """Key and certificate for 127.0.0.1."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "issuer")])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(datetime.now(UTC) - timedelta(hours=1))
    builder = builder.not_valid_after(datetime.now(UTC) + timedelta(hours=1))
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[Issuer]:
    server = Issuer(tmp_path)
    server.publish(old=OLD)
    yield server
    wait_for(lambda: all(thread.name != "key-sets" for thread in threading.enumerate()))
    server.close()


@pytest.fixture
def trusted(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Issuer:
    """An issuer whose certificate the system trusts, the way an operator says so."""
    monkeypatch.setenv("SSL_CERT_FILE", str(issuer.certificate))
    return issuer


def token(key: ec.EllipticCurvePrivateKey, kid: str | None) -> str:
    content = {"exp": datetime.now(UTC) + timedelta(hours=1), "urn:altinn:org": "ttd"}
    return jwt.encode(content, key, algorithm="ES256", headers={"kid": kid} if kid else None)


def outcome(verifier: Verifier, text: str) -> str:
    try:
        verifier.bearer(text)
    except (Unauthenticated, Unavailable) as error:
        return type(error).__name__
    return "verified"


def settled(verifier: Verifier, text: str) -> str:
    """The outcome once no key set is being asked."""
    wait_for(lambda: outcome(verifier, text) != "Unavailable")
    return outcome(verifier, text)


@pytest.mark.parametrize("kid", ["old", None])
def test_a_token_verifies_once_the_key_set_was_fetched(trusted: Issuer, kid: str | None) -> None:
    verifier = Verifier(Settings(jwks=(trusted.url,)))

    assert settled(verifier, token(OLD, kid)) == "verified"
    assert settled(verifier, token(NEW, kid)) == "Unauthenticated"
    assert trusted.asked == ["/jwks"]


def test_a_new_kid_is_looked_for_at_once_but_not_again_and_again(trusted: Issuer) -> None:
    verifier = Verifier(Settings(jwks=(trusted.url,)))
    assert settled(verifier, token(OLD, "old")) == "verified"

    trusted.publish(old=OLD, new=NEW)
    assert outcome(verifier, token(NEW, "new")) == "Unavailable"
    assert settled(verifier, token(NEW, "new")) == "verified"
    assert outcome(verifier, token(OLD, "old")) == "verified"

    trusted.publish(next=NEXT)
    assert {outcome(verifier, token(NEXT, f"kid {number}")) for number in range(20)} == {"Unauthenticated"}
    assert len(trusted.asked) == 2


def test_a_key_that_was_withdrawn_is_refused_after_the_next_fetch(trusted: Issuer) -> None:
    verifier = Verifier(Settings(jwks=(trusted.url,)))
    assert settled(verifier, token(OLD, "old")) == "verified"

    trusted.publish(new=NEW)
    assert settled(verifier, token(NEW, "new")) == "verified"
    assert outcome(verifier, token(OLD, "old")) == "Unauthenticated"


def test_a_key_set_that_fails_later_leaves_the_known_keys_good(
    trusted: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    verifier = Verifier(Settings(jwks=(trusted.url,)))
    assert settled(verifier, token(OLD, "old")) == "verified"

    trusted.status = 500
    assert settled(verifier, token(NEW, "new")) == "Unauthenticated"
    assert "key set at 127.0.0.1: answers 500" in caplog.text
    assert outcome(verifier, token(OLD, "old")) == "verified"


def test_a_key_set_that_recovers_is_asked_again(trusted: Issuer) -> None:
    trusted.status = 503
    verifier = Verifier(Settings(jwks=(trusted.url,)))
    wait_for(lambda: len(trusted.asked) == 1)
    assert outcome(verifier, token(OLD, "old")) == "Unavailable"

    trusted.status = 200
    assert settled(verifier, token(OLD, "old")) == "verified"


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ((302, {"location": "/elsewhere"}, b""), "answers 302"),
        ((404, {}, b""), "answers 404"),
        ((200, {}, b"<html>"), "not a JSON Web Key set"),
        ((200, {}, b" " * 1_000_000), "takes more than 262144 bytes"),
        ((200, {"content-encoding": "gzip"}, b"\x1f\x8b\x08"), "not a JSON Web Key set"),
        ((200, {}, b'{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}'), "secret or private key"),
        ((200, {"content-length": "100"}, b"{"), "RemoteProtocolError"),
    ],
)
def test_an_answer_that_is_no_key_set_gives_no_keys(
    trusted: Issuer, caplog: pytest.LogCaptureFixture, answer: tuple[int, dict[str, str], bytes], reason: str
) -> None:
    trusted.status, trusted.headers, trusted.body = answer
    verifier = Verifier(Settings(jwks=(trusted.url,)))

    wait_for(lambda: reason in caplog.text)
    assert outcome(verifier, token(OLD, "old")) == "Unavailable"
    assert set(trusted.asked) == {"/jwks"}


def test_a_server_whose_certificate_is_not_trusted_gives_no_keys(
    issuer: Issuer, caplog: pytest.LogCaptureFixture
) -> None:
    verifier = Verifier(Settings(jwks=(issuer.url,)))

    wait_for(lambda: "CERTIFICATE_VERIFY_FAILED" in caplog.text)
    assert outcome(verifier, token(OLD, "old")) == "Unavailable"
    assert issuer.asked == []


def test_a_server_that_is_down_does_not_stop_the_keys_of_files(tmp_path: Path, trusted: Issuer) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [ECAlgorithm.to_jwk(NEW.public_key(), as_dict=True) | {"kid": "new"}]}))
    trusted.status = 500
    verifier = Verifier(Settings(jwks=(trusted.url, str(path))))

    assert outcome(verifier, token(NEW, "new")) == "verified"
    assert outcome(verifier, "not.a.token") == "Unauthenticated"
