"""The relay against a real SMTP server that misbehaves as a test wants."""

from __future__ import annotations

import asyncio
import inspect
import logging
import ssl
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import aiosmtplib
import pytest

from engine.email.smtp import Accepted, Deferred, InDoubt, Outcome, Phase, Refused, Rejected, Relay, Reply, Withdrawn
from engine.email.smtp.session import Session
from engine.models import EmailState
from tests.helpers.ports import free_port
from tests.helpers.relay import KARI, SENDER, message, relay_to, send, send_in_turn, with_relay
from tests.helpers.waiting import LONG, SHORT
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Close, Hang, Raw, Say, Slow

if TYPE_CHECKING:
    from tests.servers import smtp_script

pytestmark = pytest.mark.usefixtures("pipelining")


def test_the_log_tells_once_when_the_relay_goes_and_once_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "engine.email.smtp.relay")
    with ScriptedSMTP({"connect": [Say(554, "5.7.1 not you")] * 4}) as server:
        outcomes = send_in_turn(relay_to(server), times=5)
        name = f"127.0.0.1:{server.port}"
    assert [type(outcome) for outcome in outcomes] == [Deferred] * 4 + [Accepted]
    gone, back = [record.getMessage() for record in caplog.records]
    assert gone.startswith(f"no connection: the relay {name} refuses this machine (554 5.7.1 not you). Let it in there")
    assert back.startswith(f"the relay {name} is back after ")


# What each phase and reply leads to

PHASES: dict[smtp_script.Phase, Phase] = {
    "connect": Phase.CONNECT,
    "ehlo": Phase.CONNECT,
    "mail": Phase.MAIL,
    "rcpt": Phase.RCPT,
    "data": Phase.DATA,
    "dot": Phase.DOT,
}
STATES = {
    ("rcpt", 550): EmailState.FAILED_BOUNCED,
    ("data", 550): EmailState.FAILED,
    ("dot", 550): EmailState.FAILED,
    ("mail", 552): EmailState.FAILED_PAYLOAD_TOO_LARGE,
    ("rcpt", 552): EmailState.FAILED_BOUNCED,
    ("data", 552): EmailState.FAILED_PAYLOAD_TOO_LARGE,
    ("dot", 552): EmailState.FAILED_PAYLOAD_TOO_LARGE,
    ("rcpt", 554): EmailState.FAILED,
    ("data", 554): EmailState.FAILED,
    ("dot", 554): EmailState.FAILED,
}


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("code", [421, 450, 550, 552, 554])
def test_a_refusal_has_the_outcome_of_its_code_and_phase_and_the_next_message_goes_through(
    phase: smtp_script.Phase, code: int
) -> None:
    with ScriptedSMTP({phase: [Say(code, "not today")]}) as server:
        refused, after = send_in_turn(relay_to(server), times=2)

    assert refused.phase is PHASES[phase]
    assert refused.reply == Reply(code, "not today")
    if PHASES[phase] is Phase.CONNECT or code < 500:
        assert isinstance(refused, Deferred)
        assert refused.reached is (refused.phase is not Phase.CONNECT)
    elif (phase, code) in STATES:
        assert isinstance(refused, Rejected)
        assert refused.state is STATES[phase, code]
    else:  # MAIL names nobody but the sender
        assert isinstance(refused, Refused)
    assert isinstance(after, Accepted)
    assert [envelope.message_id for envelope in server.accepted] == ["<1@varsel.example>"]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("action", [Close(), Hang(), Raw(b"hei\r\n"), Raw(b"999 x\r\n"), Raw(b"2" * 50_000)], ids=repr)
def test_a_lost_or_meaningless_reply_is_in_doubt_after_the_dot_and_deferred_before(
    phase: smtp_script.Phase, action: smtp_script.Action
) -> None:
    limit = SHORT if isinstance(action, Hang) else LONG
    with ScriptedSMTP({phase: [action]}) as server:
        lost, after = send_in_turn(relay_to(server, connect_timeout=limit, data_timeout=limit), times=2)

    assert isinstance(lost, InDoubt if phase == "dot" else Deferred)
    assert lost.phase is PHASES[phase]
    assert lost.reply.code is None
    assert lost.reply.text
    assert isinstance(after, Accepted)
    assert server.accepted[-1].message_id == "<1@varsel.example>"
    assert server.accepted[-1].rcpt_tos == [KARI]
    assert server.sessions == 2


@pytest.mark.parametrize("code", [150, 354])
def test_a_reply_to_the_dot_that_is_neither_yes_nor_no_leaves_the_message_in_doubt(code: int) -> None:
    with ScriptedSMTP({"dot": Say(code, "hm")}) as server:
        assert isinstance(send(relay_to(server)), InDoubt)


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data"])
def test_a_yes_at_the_wrong_time_is_no_yes(phase: smtp_script.Phase) -> None:
    with ScriptedSMTP({phase: [Raw(b"250 ok\r\n" if phase == "data" else b"354 go\r\n")]}) as server:
        odd, after = send_in_turn(relay_to(server), times=2)

    assert isinstance(odd, Deferred)
    assert isinstance(after, Accepted)
    assert server.sessions == 2


def test_nobody_listening_is_deferred_without_having_reached_the_relay() -> None:
    port = free_port()
    relay = Relay(f"smtp://127.0.0.1:{port}", connections=1, connect_timeout=LONG, data_timeout=LONG)
    outcome = send(relay)

    assert isinstance(outcome, Deferred)
    assert not outcome.reached
    assert relay.name == f"127.0.0.1:{port}"


def test_an_old_trouble_with_the_relay_is_no_news(monkeypatch: pytest.MonkeyPatch) -> None:
    """A worker without e-mails to send does not notice that the relay has recovered."""
    relay = Relay(f"smtp://127.0.0.1:{free_port()}", connections=1, connect_timeout=LONG, data_timeout=LONG)
    assert isinstance(send(relay), Deferred)
    trouble = relay.trouble
    assert trouble
    assert trouble.text
    monkeypatch.setattr("engine.email.smtp.relay.TROUBLE_LASTS", 0.0)
    assert relay.trouble is None


@pytest.mark.parametrize("host", ["relay..example", "x" * 70 + ".example"])
def test_a_host_name_that_cannot_exist_is_deferred(host: str) -> None:
    relay = Relay(f"smtp://{host}", connections=1, connect_timeout=LONG, data_timeout=LONG)

    assert isinstance(send(relay), Deferred)
    assert relay.name == f"{host}:25"


def test_the_relays_words_are_kept_without_what_could_harm_a_log_or_a_page() -> None:
    with ScriptedSMTP(
        {"rcpt": Raw(b"450-4.2.0 \x1b[31mred\x00\r\n450 4.2.0 \xe2\x80\xae\xff" + b"x" * 2000 + b"\r\n")}
    ) as server:
        outcome = send(relay_to(server))

    assert outcome.reply.code == 450
    assert outcome.reply.enhanced == "4.2.0"
    assert outcome.reply.text.startswith("4.2.0  [31mred")
    assert outcome.reply.text.isprintable()
    assert len(outcome.reply.text) == 1000


def test_the_duration_covers_the_wait_for_the_reply() -> None:
    with ScriptedSMTP({"dot": Slow(0.2)}) as server:
        assert send(relay_to(server)).duration >= timedelta(seconds=0.2)


# Foreign exceptions

LIBRARIES = {"aiosmtplib.errors", "builtins", "socket", "ssl"}


def kinds(of: type[BaseException]) -> list[type[BaseException]]:
    return [of, *(kind for direct in of.__subclasses__() for kind in kinds(direct))]


class Failing(Session):
    """A session whose transaction fails in a given phase with a given exception."""

    error: ClassVar[BaseException]
    at: ClassVar[Phase]

    async def _transaction(self, envelope: Any, ours: Any) -> aiosmtplib.SMTPResponse:
        assert envelope
        assert ours()
        self.phase = self.at
        raise self.error


@pytest.fixture
def failing(monkeypatch: pytest.MonkeyPatch) -> type[Failing]:
    monkeypatch.setattr("engine.email.smtp.pool.Session", Failing)
    return Failing


FOREIGN = [kind for kind in kinds(aiosmtplib.SMTPException) + kinds(OSError) if kind.__module__ in LIBRARIES]


@pytest.mark.parametrize("kind", FOREIGN)
def test_no_exception_of_the_library_or_the_system_escapes(kind: type[BaseException], failing: type[Failing]) -> None:
    assert {ssl.SSLCertVerificationError, aiosmtplib.SMTPReadTimeoutError} < set(FOREIGN)
    of_library = issubclass(kind, aiosmtplib.SMTPException)
    arity = len(inspect.signature(kind).parameters) if of_library else 2
    error = kind("text") if arity == 1 else kind(-1, "text", "x"[: arity - 2]) if arity > 2 else kind(-1, "text")
    for phase, outcome in (
        (Phase.MAIL, Deferred),
        (Phase.RCPT, Deferred),
        (Phase.DATA, Deferred),
        (Phase.DOT, InDoubt),
    ):
        with ScriptedSMTP() as server:
            failing.error, failing.at = error, phase
            assert isinstance(send(relay_to(server, connections=1)), outcome)


def test_a_mistake_of_ours_is_not_hidden_as_an_outcome(failing: type[Failing]) -> None:
    failing.error, failing.at = KeyError("ours"), Phase.MAIL
    with ScriptedSMTP() as server:
        with pytest.raises(KeyError):
            send(relay_to(server, connections=1))
        server.wait_for(lambda: server.open == 0)


# What the worker holds no longer


def test_a_message_that_was_lost_meanwhile_is_withdrawn_even_after_data() -> None:
    """`ours` is asked last after the relay's 354; then only hanging up can withdraw the message."""
    told: list[int] = []  # how many DATA the relay had heard

    def ours() -> bool:
        told.append(server.count("data"))
        return not told[-1]

    async def work(relay: Relay) -> list[Outcome]:
        return [await relay.send(SENDER, KARI, message(1), ours), await relay.send(SENDER, KARI, message(2))]

    with ScriptedSMTP() as server:
        withdrawn, accepted = asyncio.run(with_relay(relay_to(server), work))
    assert isinstance(accepted, Accepted)
    assert told[-1] == 1
    assert isinstance(withdrawn, Withdrawn)
    assert [mail.message_id for mail in server.messages] == ["<2@varsel.example>"]
    assert server.sessions == 2
