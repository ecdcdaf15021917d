"""The relay over TLS and with authentication."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
import uvloop

from engine.email.smtp import Accepted, Deferred, InDoubt, Outcome, Phase, Refused, Relay, Reply
from engine.email.smtp.route import Route
from engine.errors import Misconfigured
from tests.helpers.relay import KARI, SENDER, message, relay_to, send, send_in_turn, with_relay
from tests.helpers.waiting import LONG, SHORT
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Close, Hang, Raw, Say

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.servers import smtp_script

pytestmark = pytest.mark.usefixtures("pipelining")


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
def test_messages_go_over_tls_that_the_installation_trusts(tls: Any, run: Callable[..., list[Outcome]]) -> None:
    async def work(relay: Relay) -> list[Outcome]:
        return [await relay.send(SENDER, KARI, message(number)) for number in range(2)]

    with ScriptedSMTP(tls=tls) as server:
        outcomes = run(with_relay(relay_to(server, ca_file=server.ca_file), work))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert server.verbs()[: -len("MRDMRDQ")] == (["EHLO", "STARTTLS", "EHLO"] if tls == "starttls" else ["EHLO"])


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
@pytest.mark.parametrize("fault", ["unknown signer", "other name"])
def test_a_certificate_that_does_not_verify_defers_everything(tls: Any, fault: str) -> None:
    name = "other.example" if fault == "other name" else None
    with ScriptedSMTP(tls=tls, cert_name=name) as server:
        outcome = send(relay_to(server, ca_file=server.ca_file if name else None))

    assert isinstance(outcome, Deferred)
    assert outcome.phase is Phase.CONNECT
    assert "certificate" in outcome.reply.text.lower()
    assert "MAIL" not in server.verbs()


@pytest.mark.parametrize("refusal", ["not offered", "refused", "garbage", "closed"])
def test_nothing_is_said_in_clear_when_tls_is_wanted_and_not_given(refusal: str) -> None:
    actions: dict[str, smtp_script.Action] = {
        "refused": Say(454, "4.7.0 TLS not available"),
        "garbage": Raw(b"220 go\r\n", close=True),
        "closed": Close(),
    }
    tls = None if refusal == "not offered" else "starttls"
    script: smtp_script.Script = {} if tls is None else {"starttls": actions[refusal]}
    with ScriptedSMTP(script, tls=tls) as server:  # type: ignore[arg-type]  # a literal, one line up
        url = f"smtp+starttls://user:secret@127.0.0.1:{server.port}"
        outcome = send(Relay(url, connections=1, connect_timeout=LONG, data_timeout=LONG))

    assert isinstance(outcome, Deferred)
    assert not {"MAIL", "AUTH"} & set(server.verbs())


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail", "dot"])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_relay_that_falls_silent_behind_tls_is_left_in_time(phase: smtp_script.Phase, tls: Any) -> None:
    with ScriptedSMTP({phase: Hang()}, tls=tls) as server:
        options = {"connect_timeout": SHORT, "data_timeout": SHORT, "ca_file": server.ca_file}
        outcome = send(relay_to(server, **options))
        server.wait_for(lambda: server.open == 0)

    assert isinstance(outcome, InDoubt if phase == "dot" else Deferred)
    assert outcome.reply == Reply(None, "no reply in time")


def test_a_tls_port_where_plain_smtp_is_spoken_defers() -> None:
    with ScriptedSMTP() as server:
        url = f"smtps://127.0.0.1:{server.port}"
        assert isinstance(send(Relay(url, connections=1, connect_timeout=LONG, data_timeout=LONG)), Deferred)


def test_a_file_without_certificates_is_refused_at_start(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("not a certificate")
    for name in ("ca.pem", "missing.pem"):
        with pytest.raises(Misconfigured, match=name):
            Relay(
                "smtps://127.0.0.1",
                connections=1,
                connect_timeout=LONG,
                data_timeout=LONG,
                ca_file=tmp_path / name,
            )


def test_credentials_from_the_address_open_the_relay() -> None:
    with ScriptedSMTP(tls="starttls", credentials=("varsel@example.no", "p@ss:/wørd %")) as server:
        outcomes = send_in_turn(relay_to(server, ca_file=server.ca_file), times=2)

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert server.verbs()[:5] == ["EHLO", "STARTTLS", "EHLO", "AUTH", "MAIL"]


def test_wrong_or_missing_credentials_are_the_installations_fault() -> None:
    with ScriptedSMTP(credentials=("varsel", "right")) as server:
        for user, phase, code in (("varsel:wrong@", Phase.CONNECT, 535), ("", Phase.MAIL, 530)):
            url = f"smtp://{user}127.0.0.1:{server.port}"
            outcome = send(Relay(url, connections=1, connect_timeout=LONG, data_timeout=LONG))
            assert isinstance(outcome, Deferred | Refused)
            assert (outcome.phase, outcome.reply.code) == (phase, code)
            assert "wrong" not in outcome.reply.text


def test_a_relay_without_authentication_defers_those_who_have_credentials() -> None:
    with ScriptedSMTP() as server:
        url = f"smtp://varsel:secret@127.0.0.1:{server.port}"
        assert isinstance(send(Relay(url, connections=1, connect_timeout=LONG, data_timeout=LONG)), Deferred)


def test_a_route_does_not_show_its_password() -> None:
    route = Route.of("smtp://varsel:secret@127.0.0.1", None, LONG, LONG)

    assert route.password == "secret"
    assert "secret" not in repr(route)
