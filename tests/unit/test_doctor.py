"""The doctor: how checks are run, and what their findings mean."""

from __future__ import annotations

import asyncio
import json
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from engine.doctor import CHECKS, Finding, Level, Place, database, examine, files, provider, sender
from engine.doctor.findings import ok, skewed
from engine.errors import Misconfigured
from engine.settings import Settings
from tests.helpers.waiting import patience
from tests.servers.http import Receiver, Say

if TYPE_CHECKING:
    from collections.abc import Iterator


def place(folder: Path, **values: Any) -> Place:
    return Place(Settings.model_validate(values), folder, f"sqlite:///{folder}/varsel.db", "unix:///nowhere")


@pytest.fixture
def here(tmp_path: Path) -> Place:
    return place(tmp_path)


def test_a_check_that_breaks_is_a_problem_and_shows_no_secret(here: Place) -> None:
    def broken(_place: Place) -> Iterator[Finding]:
        yield ok("a", "so far")
        raise ValueError("Port could not be cast to integer value as 's3cret'")

    def misconfigured(_place: Place) -> Iterator[Finding]:
        raise Misconfigured("smtp_ca_file: x.pem is no file of certificates")

    first, second = examine(here, {"a": broken, "b": misconfigured})
    assert (first.name, first.level) == ("a", Level.PROBLEM)
    assert "ValueError" in first.text
    assert "s3cret" not in first.text
    assert (second.name, second.level) == ("b", Level.PROBLEM)
    assert "x.pem" in second.text


def test_checks_run_side_by_side_and_are_told_in_their_order(here: Place) -> None:
    met = threading.Barrier(3, timeout=patience())

    def meet(name: str) -> Any:
        def check(_place: Place) -> list[Finding]:
            met.wait()
            return [ok(name, "met the others")]

        return check

    found = examine(here, {name: meet(name) for name in "cab"})
    assert [each.name for each in found] == ["c", "a", "b"]
    assert {each.level for each in found} == {Level.OK}


def test_a_check_that_hangs_is_a_problem_after_its_time(here: Place) -> None:
    released, ended = threading.Event(), threading.Event()

    def hang(_place: Place) -> list[Finding]:
        released.wait(patience())
        ended.set()
        return []

    [found] = examine(here, {"a": hang}, within=0.2)
    assert not ended.is_set()
    released.set()
    assert found.level == Level.PROBLEM
    assert "no answer within 0.2 s" in found.text


def test_everything_that_varsel_needs_has_a_check() -> None:
    assert [*CHECKS] == [
        *("settings", "database", "redis", "relay", "sender", "keys", "provider"),
        *("metrics", "tracing", "disk", "processes"),
    ]


@pytest.mark.parametrize(
    ("seconds", "level"), [(0.2, Level.OK), (-0.9, Level.OK), (1.5, Level.WARNING), (-40, Level.PROBLEM)]
)
def test_clocks_may_be_a_second_apart(seconds: float, level: Level) -> None:
    found = skewed("redis", seconds)
    assert found.level == level
    assert f"{abs(seconds):.1f} s" in found.text
    assert bool(found.advice) == (level != Level.OK)


@pytest.mark.parametrize(
    ("free", "level"),
    [(50_000_000, Level.PROBLEM), (500_000_000, Level.WARNING), (9e9, Level.WARNING), (50e9, Level.OK)],
)
def test_room_on_a_disk(free: float, level: Level) -> None:
    assert files.room(Path("/"), int(free), int(100e9)).level == level


@pytest.mark.parametrize(("kind", "level"), [("ext4", Level.OK), ("nfs4", Level.PROBLEM), ("cifs", Level.PROBLEM)])
def test_an_sqlite_file_is_not_to_lie_on_a_network(kind: str, level: Level, tmp_path: Path) -> None:
    mounts, folder = tmp_path / "mounts", tmp_path / "with space"
    folder.mkdir()
    escaped = str(folder).replace(" ", "\\040")
    mounts.write_text(f"/dev/sda / xfs rw 0 0\nserver:/x {escaped} {kind} rw 0 0\n")
    found = database.location(folder / "varsel.db", mounts)
    assert found.level == level
    assert kind in found.text


@pytest.mark.parametrize(
    ("address", "smtp_url", "level", "told"),
    [
        ("noreply@varsel.example", None, Level.OK, "development inbox"),
        ("noreply@varsel.example", "smtp://127.0.0.1", Level.WARNING, "not a domain on the Internet"),
        ("noreply@no-such-host.invalid.", "smtp://127.0.0.1", Level.WARNING, "not a domain on the Internet"),
    ],
)
def test_a_sender_of_no_domain_is_told(
    address: str, smtp_url: str | None, level: Level, told: str, tmp_path: Path
) -> None:
    [found] = sender.sender(place(tmp_path, from_address=address, smtp_url=smtp_url))
    assert found.level == level
    assert told in found.text


def test_a_provider_with_a_private_authority_is_asked_as_sign_in_would_ask_it(tmp_path: Path) -> None:
    with Receiver(tls_name="localhost") as receiver:
        issuer = f"https://localhost:{receiver.port}"
        names = ("issuer", "authorization_endpoint", "token_endpoint", "jwks_uri")
        receiver.act(Say(200, json.dumps(dict.fromkeys(names, issuer)).encode()))
        oidc = {"oidc_issuer": issuer, "oidc_client_id": "varsel", "oidc_roles": ("ops=admin",)}
        [found] = provider.provider(place(tmp_path, **oidc, issuer_ca_file=receiver.ca_file))
    assert (found.level, found.text) == (Level.OK, f"operators can sign in through {issuer}")
    assert receiver.requests[0].headers["accept-encoding"] == "identity", "what is packed would not be read"


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer without end, each time before a read times out."""
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n{")
    with closing(writer), suppress(OSError):
        while not writer.is_closing():
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)


def test_a_provider_that_answers_for_ever_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider, "ANSWER_WITHIN", 0.2)

    async def look() -> list[Finding]:
        async with await asyncio.start_server(drip, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            oidc = {"oidc_issuer": f"http://127.0.0.1:{port}", "oidc_client_id": "varsel"}
            here = place(tmp_path, **oidc, oidc_roles=("ops=admin",))
            return await asyncio.to_thread(lambda: [*provider.provider(here)])

    [found] = asyncio.run(look())
    assert found.level == Level.PROBLEM
    assert "does not answer as an OpenID provider (not within 0.2 s)" in found.text


def test_a_provider_whose_authority_is_nowhere_named_is_a_problem(tmp_path: Path) -> None:
    with Receiver(Say(200, b"{}"), tls_name="localhost") as receiver:
        oidc = {"oidc_issuer": f"https://localhost:{receiver.port}", "oidc_client_id": "varsel"}
        [found] = provider.provider(place(tmp_path, **oidc, oidc_roles=("ops=admin",)))
    assert found.level == Level.PROBLEM
    assert "certificate" in found.text
