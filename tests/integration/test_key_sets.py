"""Key sets at https addresses, from a real TLS server whose certificate is made for the test."""

from __future__ import annotations

import asyncio
import ipaddress
import json
import ssl
import threading
import time
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

from engine.auth.tokens import Verifier, key_sets
from engine.auth.tokens.key_sets import MOST_WAITING, PAUSE
from engine.errors import Misconfigured, Unauthenticated, Unavailable
from engine.settings import Settings
from tests.helpers.waiting import LONG, SHORT, patience, wait_for
from tests.servers.installation import Installation

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator
    from pathlib import Path

    Loop = Callable[[Coroutine[Any, Any, Any]], Any]

OLD, NEW, NEXT = (ec.generate_private_key(ec.SECP256R1()) for _ in range(3))


class Issuer:
    """An https server that answers every GET with `status`, `headers` and `body`, and counts them."""

    def __init__(self, folder: Path) -> None:
        self.status = 200
        self.headers: dict[str, str] = {}
        self.body = b""
        self.asked: list[str] = []
        self.pause = threading.Event()  # cleared: answers, as they stand by now, wait
        self.pause.set()
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                status, headers, body = issuer.status, issuer.headers, issuer.body
                issuer.asked.append(self.path)
                issuer.pause.wait(patience())
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(body)

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
    server.close()


@pytest.fixture
def trusted(issuer: Issuer, monkeypatch: pytest.MonkeyPatch) -> Issuer:
    """An issuer whose certificate is trusted by the setting for it."""
    monkeypatch.setenv("SSL_CERT_FILE", str(issuer.certificate))
    return issuer


@pytest.fixture(autouse=True)
def _short_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Short times between fetches and between looks: the tests do not depend on their length."""
    for name in ("PAUSE", "LOOK"):
        monkeypatch.setattr(key_sets, name, timedelta(seconds=0.05))
    monkeypatch.setattr(key_sets, "FETCH_TIME", LONG)


@pytest.fixture
def loop() -> Iterator[Loop]:
    """An event loop in which a verifier lives."""
    with asyncio.Runner() as runner:
        yield runner.run


def token(key: ec.EllipticCurvePrivateKey, kid: str | None) -> str:
    content = {"exp": datetime.now(UTC) + timedelta(hours=1), "urn:altinn:org": "ttd"}
    return jwt.encode(content, key, algorithm="ES256", headers={"kid": kid} if kid else None)


async def outcome(verifier: Verifier, text: str) -> str:
    try:
        await verifier.bearer(text)
    except (Unauthenticated, Unavailable) as error:
        return type(error).__name__
    return "verified"


async def outcomes(verifier: Verifier, *texts: str) -> list[str]:
    """The outcomes of tokens that come all at once."""
    return await asyncio.gather(*(outcome(verifier, text) for text in texts))


async def eventually(verifier: Verifier, text: str, expected: str) -> None:
    """Return when a token has this outcome."""
    async with asyncio.timeout(patience()):
        while await outcome(verifier, text) != expected:  # noqa: ASYNC110 nothing tells of it
            await asyncio.sleep(0.01)


@pytest.mark.parametrize("kid", ["old", None])
def test_the_first_token_waits_for_the_key_set(trusted: Issuer, loop: Loop, kid: str | None) -> None:
    verifier = Verifier(Settings(jwks=(trusted.url,)))

    assert loop(outcomes(verifier, *[token(OLD, kid)] * 20)) == ["verified"] * 20
    assert trusted.asked == ["/jwks"]
    assert loop(outcome(verifier, token(NEW, kid))) == "Unauthenticated"


@pytest.mark.parametrize("kid", ["new", None, "old"])
def test_the_first_token_of_a_new_key_verifies(trusted: Issuer, loop: Loop, kid: str | None) -> None:
    verifier = Verifier(Settings(jwks=(trusted.url,)))
    assert loop(outcome(verifier, token(OLD, "old"))) == "verified"

    trusted.publish(**{kid or "new": NEW})
    assert loop(outcomes(verifier, *[token(NEW, kid)] * 20)) == ["verified"] * 20
    assert len(trusted.asked) == 2


def test_the_first_token_of_a_new_key_verifies_whatever_else_is_sent(trusted: Issuer, loop: Loop) -> None:
    verifier = Verifier(Settings(jwks=(trusted.url,)))
    noise = [token(NEXT, f"kid {number}") for number in range(40)]

    assert loop(outcomes(verifier, *noise)) == ["Unauthenticated"] * 40
    trusted.publish(new=NEW)
    assert loop(outcomes(verifier, *noise, token(NEW, "new"))) == ["Unauthenticated"] * 40 + ["verified"]
    assert len(trusted.asked) == 2


def test_a_token_that_comes_while_the_key_set_is_asked_hears_a_newer_answer_too(trusted: Issuer, loop: Loop) -> None:
    verifier = Verifier(Settings(jwks=(trusted.url,)))
    assert loop(outcome(verifier, token(OLD, "old"))) == "verified"

    async def rotate() -> list[str]:
        trusted.pause.clear()
        noise = asyncio.create_task(outcome(verifier, token(NEXT, "unknown")))
        await asyncio.to_thread(wait_for, lambda: len(trusted.asked) == 2)  # and has taken its old answer along
        trusted.publish(new=NEW)
        first = asyncio.create_task(outcome(verifier, token(NEW, "new")))
        await asyncio.sleep(0)
        trusted.pause.set()
        return [await noise, await first]

    assert loop(rotate()) == ["Unauthenticated", "verified"]
    assert len(trusted.asked) == 3


def test_fetches_keep_a_distance_whatever_is_sent(trusted: Issuer, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_sets, "PAUSE", PAUSE)
    verifier, began = Verifier(Settings(jwks=(trusted.url,))), time.monotonic()

    for number in range(3):
        assert loop(outcome(verifier, token(NEXT, f"kid {number}"))) == "Unauthenticated"
    assert len(trusted.asked) == 3
    assert time.monotonic() - began >= 2 * PAUSE.total_seconds()  # which no machine is too slow for


def test_few_tokens_of_unknown_keys_wait_and_known_ones_do_not(trusted: Issuer, loop: Loop) -> None:
    verifier = Verifier(Settings(jwks=(trusted.url,)))
    assert loop(outcome(verifier, token(OLD, "old"))) == "verified"

    async def crowd() -> list[str]:
        trusted.pause.clear()
        waiting = [asyncio.create_task(outcome(verifier, token(NEXT, f"kid {n}"))) for n in range(MOST_WAITING)]
        await asyncio.to_thread(wait_for, lambda: len(trusted.asked) == 2)
        now = await outcomes(verifier, token(NEXT, "one more"), token(OLD, "old"))
        assert not any(task.done() for task in waiting)
        trusted.pause.set()
        return now + await asyncio.gather(*waiting)

    assert loop(crowd()) == ["Unavailable", "verified"] + ["Unauthenticated"] * MOST_WAITING


def test_a_key_that_was_withdrawn_is_refused_although_nobody_asks(
    trusted: Issuer, loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(key_sets, "REFRESH", timedelta(seconds=1))
    verifier = Verifier(Settings(jwks=(trusted.url,)))

    async def follow() -> None:
        following = asyncio.create_task(verifier.follow())
        await eventually(verifier, token(OLD, "old"), "verified")
        trusted.publish(new=NEW)
        await eventually(verifier, token(OLD, "old"), "Unauthenticated")
        following.cancel()

    loop(follow())


def test_a_key_set_that_stays_as_it_is_leaves_what_is_remembered(trusted: Issuer, loop: Loop) -> None:
    verifier, text = Verifier(Settings(jwks=(trusted.url,))), token(OLD, "old")
    caller = loop(verifier.bearer(text))

    assert loop(outcome(verifier, token(NEW, "new"))) == "Unauthenticated"
    assert len(trusted.asked) == 2
    assert loop(verifier.bearer(text)) is caller


@pytest.mark.parametrize(
    ("status", "body"), [(500, b""), (200, b""), (200, b"<html>"), (200, b'{"keys": []}'), (200, b'{"keys": [{}]}')]
)
def test_a_key_set_that_fails_later_leaves_the_known_keys_good(
    trusted: Issuer, loop: Loop, caplog: pytest.LogCaptureFixture, status: int, body: bytes
) -> None:
    verifier = Verifier(Settings(jwks=(trusted.url,)))
    assert loop(outcome(verifier, token(OLD, "old"))) == "verified"

    trusted.status, trusted.body = status, body
    assert loop(outcome(verifier, token(NEW, "new"))) == "Unavailable"
    assert "keys of bearer tokens stay as they were: key set at 127.0.0.1: " in caplog.text
    assert loop(outcome(verifier, token(OLD, "old"))) == "verified"


def test_a_key_set_that_recovers_is_asked_again(trusted: Issuer, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_sets, "RETRY", timedelta(seconds=1))
    trusted.status = 503
    verifier = Verifier(Settings(jwks=(trusted.url,)))

    async def follow() -> str:
        following = asyncio.create_task(verifier.follow())
        refused = await outcome(verifier, token(OLD, "old"))
        trusted.status = 200
        await asyncio.to_thread(wait_for, lambda: len(trusted.asked) > 1)
        await eventually(verifier, token(OLD, "old"), "verified")
        following.cancel()
        return refused

    assert loop(follow()) == "Unavailable"


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
    trusted: Issuer,
    loop: Loop,
    caplog: pytest.LogCaptureFixture,
    answer: tuple[int, dict[str, str], bytes],
    reason: str,
) -> None:
    trusted.status, trusted.headers, trusted.body = answer
    verifier = Verifier(Settings(jwks=(trusted.url,)))

    assert loop(outcome(verifier, token(OLD, "old"))) == "Unavailable"
    assert reason in caplog.text
    assert set(trusted.asked) == {"/jwks"}


@pytest.mark.parametrize("media", ["text/plain", "application/octet-stream", "application/jwk-set+json", "text/html"])
def test_a_key_set_may_be_called_by_any_media_type(trusted: Issuer, loop: Loop, media: str) -> None:
    trusted.headers = {"content-type": media}
    trusted.body = b"\xef\xbb\xbf" + trusted.body

    assert loop(outcome(Verifier(Settings(jwks=(trusted.url,))), token(OLD, "old"))) == "verified"


def test_a_server_whose_certificate_is_not_trusted_gives_no_keys(
    issuer: Issuer, loop: Loop, caplog: pytest.LogCaptureFixture
) -> None:
    verifier = Verifier(Settings(jwks=(issuer.url,)))

    assert loop(outcome(verifier, token(OLD, "old"))) == "Unavailable"
    assert "CERTIFICATE_VERIFY_FAILED" in caplog.text
    assert issuer.asked == []


def test_a_certificate_of_a_private_authority_is_trusted_where_its_file_is_set(issuer: Issuer, loop: Loop) -> None:
    verifier = Verifier(Settings(jwks=(issuer.url,), issuer_ca_file=issuer.certificate))

    assert loop(outcome(verifier, token(OLD, "old"))) == "verified"


def test_a_file_of_authorities_that_is_none_stops_the_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("junk")

    for name in ("ca.pem", "absent.pem"):
        with pytest.raises(Misconfigured, match=f"VARSEL_ISSUER_CA_FILE: .*{name} is no file of certificates"):
            Verifier(Settings(jwks=("https://issuer.example/jwks",), issuer_ca_file=tmp_path / name))


def test_a_server_that_is_down_does_not_stop_the_keys_of_others(tmp_path: Path, trusted: Issuer, loop: Loop) -> None:
    path = tmp_path / "jwks.json"
    path.write_text(json.dumps({"keys": [ECAlgorithm.to_jwk(NEW.public_key(), as_dict=True) | {"kid": "new"}]}))
    verifier = Verifier(Settings(jwks=("https://127.0.0.1:1/jwks", trusted.url, str(path))))

    assert loop(outcome(verifier, token(NEW, "new"))) == "verified"
    assert trusted.asked == []
    assert loop(outcome(verifier, token(OLD, "old"))) == "verified"
    assert loop(outcome(verifier, "not.a.token")) == "Unauthenticated"
    assert loop(outcome(verifier, token(NEXT, "next"))) == "Unavailable"


def test_a_server_that_hangs_is_given_up(trusted: Issuer, loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(key_sets, "FETCH_TIME", SHORT)
    trusted.pause.clear()

    assert loop(outcome(Verifier(Settings(jwks=(trusted.url,))), token(OLD, "old"))) == "Unavailable"
    trusted.pause.set()


@pytest.mark.slow
def test_a_running_web_takes_the_first_request_of_a_new_key(issuer: Issuer, tmp_path: Path) -> None:
    settings = {"jwks": issuer.url, "issuer_ca_file": str(issuer.certificate)}
    with Installation(tmp_path / "varsel", **settings) as varsel, varsel.client() as client:

        def ask(text: str) -> int:
            headers = {"Authorization": f"Bearer {text}"}
            return client.get("/events/api/v1/subscriptions", headers=headers, timeout=patience()).status_code

        assert ask(token(OLD, "old")) == 200
        assert ask(token(NEW, "new")) == 401
        issuer.publish(old=OLD, new=NEW)
        assert ask(token(NEW, "new")) == 200
        issuer.status = 500
        assert ask(token(NEXT, "next")) == 503
        assert ask(token(OLD, "old")) == 200
        issuer.pause.clear()  # it hangs, and the end of the process does not wait for it
        asked = len(issuer.asked)
        wait_for(lambda: len(issuer.asked) > asked)
    issuer.pause.set()
