"""The relay against a real SMTP server that behaves as badly as a test wants."""

from __future__ import annotations

import asyncio
import inspect
import logging
import socket
import ssl
from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar

import aiosmtplib
import pytest
import uvloop

from engine.email.smtp import Accepted, Deferred, InDoubt, Outcome, Phase, Refused, Rejected, Relay, Reply, Withdrawn
from engine.email.smtp.route import Route
from engine.email.smtp.session import Session
from engine.errors import Misconfigured
from engine.models import EmailState
from tests.helpers.ports import free_port
from tests.helpers.waiting import LONG, SHORT
from tests.servers.smtp import EXTENSIONS, Close, Hang, Raw, Say, ScriptedSMTP, Slow, Step

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

    from tests.servers import smtp

SENDER = "noreply@varsel.example"
KARI = "kari@example.no"
MESSAGE = b"Subject: Hei\r\nMessage-ID: <1@varsel.example>\r\n\r\nHei\r\n"


def relay_to(server: ScriptedSMTP, **options: Any) -> Relay:
    defaults: dict[str, Any] = {"connections": 4, "connect_timeout": LONG, "data_timeout": LONG}
    return Relay(server.url, **defaults | options)


def message(number: int) -> bytes:
    return b"Subject: Hei\r\nMessage-ID: <%d@varsel.example>\r\n\r\nHei\r\n" % number


async def with_relay(relay: Relay, work: Callable[[Relay], Awaitable[list[Outcome]]]) -> list[Outcome]:
    try:
        return await work(relay)
    finally:
        await relay.close()


def send_in_turn(relay: Relay, times: int = 1) -> list[Outcome]:
    """Send messages 0, 1, … one after the other."""

    async def work(relay: Relay) -> list[Outcome]:
        return [await relay.send(SENDER, KARI, message(number)) for number in range(times)]

    return asyncio.run(with_relay(relay, work))


def send(relay: Relay, recipient: str = KARI, data: bytes = MESSAGE) -> Outcome:
    async def work(relay: Relay) -> list[Outcome]:
        return [await relay.send(SENDER, recipient, data)]

    return asyncio.run(with_relay(relay, work))[0]


def test_the_log_tells_once_when_the_relay_goes_and_once_when_it_is_back(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "engine.email.smtp.relay")
    with ScriptedSMTP({"connect": [Say(554, "5.7.1 not you")] * 4}) as server:
        outcomes = send_in_turn(relay_to(server), times=5)
        name = f"127.0.0.1:{server.port}"
    assert [type(outcome) for outcome in outcomes] == [Deferred] * 4 + [Accepted]
    gone, back = [record.getMessage() for record in caplog.records]
    assert gone.startswith(f"e-mails wait: the relay {name} refuses this machine (554 5.7.1 not you). Let it in there")
    assert back.startswith(f"the relay {name} is back after ")


# What each phase and reply leads to

PHASES: dict[smtp.Phase, Phase] = {
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
    phase: smtp.Phase, code: int
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
    phase: smtp.Phase, action: smtp.Action
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
def test_a_yes_at_the_wrong_time_is_no_yes(phase: smtp.Phase) -> None:
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
    """A worker that has nothing to send does not learn that the relay is well again."""
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


# The pool


def test_a_connection_is_used_again_and_says_goodbye() -> None:
    with ScriptedSMTP() as server:
        outcomes = send_in_turn(relay_to(server), times=3)

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert server.verbs() == ["EHLO", *["MAIL", "RCPT", "DATA"] * 3, "QUIT"]
    assert [envelope.message_id for envelope in server.accepted] == [
        f"<{number}@varsel.example>" for number in range(3)
    ]


def test_a_refused_transaction_is_reset_before_the_connection_is_used_again() -> None:
    with ScriptedSMTP({"rcpt": [Say(550, "5.1.1 no such user")], "dot": [Say(554, "5.6.0 no")]}) as server:
        send_in_turn(relay_to(server), times=3)

    refused, reset, sent = ["MAIL", "RCPT"], ["RSET"], ["MAIL", "RCPT", "DATA"]
    assert server.verbs() == ["EHLO", *refused, *reset, *sent, *reset, *sent, "QUIT"]


def test_a_connection_whose_reset_fails_is_replaced_at_once() -> None:
    with ScriptedSMTP({"rcpt": [Say(550, "5.1.1 no")], "rset": [Say(500, "what?")]}) as server:
        _, after = send_in_turn(relay_to(server), times=2)

    assert isinstance(after, Accepted)
    assert server.sessions == 2


def test_a_connection_ends_after_its_number_of_messages() -> None:
    with ScriptedSMTP() as server:
        send_in_turn(relay_to(server, messages_per_connection=2), times=5)

    assert server.sessions == 3
    assert server.verbs(session=1) == ["EHLO", *["MAIL", "RCPT", "DATA"] * 2, "QUIT"]
    assert server.verbs().count("QUIT") == 3


def test_a_connection_ends_at_its_age() -> None:
    with ScriptedSMTP() as server:
        send_in_turn(relay_to(server, connection_age=timedelta(0)), times=3)

    assert server.sessions == 3


def test_an_idle_connection_says_goodbye_by_itself() -> None:
    with ScriptedSMTP() as server:

        async def work(relay: Relay) -> list[Outcome]:
            outcome = await relay.send(SENDER, KARI, MESSAGE)
            await asyncio.to_thread(server.wait_for, lambda: server.sessions == 1 and server.open == 0)
            return [outcome, await relay.send(SENDER, KARI, MESSAGE)]

        outcomes = asyncio.run(with_relay(relay_to(server, idle=timedelta(seconds=0.05)), work))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert server.verbs(session=1)[-1] == "QUIT"
    assert server.sessions == 2


def test_a_connection_that_the_relay_closes_between_messages_is_replaced() -> None:
    with ScriptedSMTP({"dot": [Say(250, "ok", close=True)]}) as server:

        async def work(relay: Relay) -> list[Outcome]:
            first = await relay.send(SENDER, KARI, message(0))
            await asyncio.to_thread(server.wait_for, lambda: server.sessions == 1 and server.open == 0)
            return [first, await relay.send(SENDER, KARI, message(1))]

        outcomes = asyncio.run(with_relay(relay_to(server), work))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert len(server.accepted) == 2


def test_a_command_has_its_own_time_limit_behind_a_slow_reply_to_a_message() -> None:
    with ScriptedSMTP({"dot": [Slow(1.5 * SHORT.total_seconds())], "rcpt": [Say(250, "ok"), Hang()]}) as server:
        slow, silent = send_in_turn(relay_to(server, connect_timeout=SHORT, data_timeout=timedelta(hours=1)), times=2)

    assert isinstance(slow, Accepted)
    assert isinstance(silent, Deferred)
    assert silent.reply == Reply(None, "no reply in time")


@pytest.mark.parametrize("action", [Close(), Say(500, "what?")], ids=repr)
def test_an_odd_goodbye_changes_nothing(action: smtp.Action) -> None:
    with ScriptedSMTP({"quit": action}) as server:
        assert isinstance(send(relay_to(server)), Accepted)


def test_a_connection_that_is_leaving_still_counts() -> None:
    with ScriptedSMTP({"quit": Slow(0.2)}) as server:
        outcomes = send_in_turn(relay_to(server, messages_per_connection=1, connections=1), times=3)

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert server.sessions == 3
    assert server.peak == 1


def test_a_relay_that_does_not_answer_quit_holds_nobody_up_for_long() -> None:
    with ScriptedSMTP({"quit": Hang()}) as server:
        outcomes = send_in_turn(relay_to(server, messages_per_connection=1, connections=2), times=2)

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)


@pytest.mark.parametrize("run", [asyncio.run, uvloop.run])
@pytest.mark.parametrize("messages_per_connection", [7, 500])
def test_two_hundred_messages_at_once_share_four_connections(
    run: Callable[..., list[Outcome]], messages_per_connection: int
) -> None:
    async def work(relay: Relay) -> list[Outcome]:
        return list(await asyncio.gather(*(relay.send(SENDER, KARI, message(number)) for number in range(200))))

    with ScriptedSMTP() as server:
        outcomes = run(with_relay(relay_to(server, messages_per_connection=messages_per_connection), work))

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert sorted(envelope.message_id for envelope in server.accepted) == sorted(
        f"<{number}@varsel.example>" for number in range(200)
    )
    assert server.peak == 4
    assert server.sessions == 4 if messages_per_connection == 500 else server.sessions >= 200 / 7


def test_those_who_wait_for_a_connection_are_served_in_order() -> None:
    async def work(relay: Relay) -> list[Outcome]:
        return list(await asyncio.gather(*(relay.send(SENDER, KARI, message(number)) for number in range(20))))

    with ScriptedSMTP() as server:
        asyncio.run(with_relay(relay_to(server, connections=1), work))

    assert [envelope.message_id for envelope in server.accepted] == [
        f"<{number}@varsel.example>" for number in range(20)
    ]


@pytest.mark.parametrize("action", [Close(), Say(421, "4.4.2 idle", close=True)], ids=repr)
def test_a_reused_connection_that_died_before_mail_is_replaced_without_anybody_noticing(action: smtp.Action) -> None:
    def second_mail(step: Step) -> smtp.Action | None:
        return action if (step.phase, step.n) == ("mail", 1) else None

    with ScriptedSMTP(second_mail) as server:
        outcomes = send_in_turn(relay_to(server), times=2)

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert server.sessions == 2
    assert len(server.accepted) == 2


def test_a_connection_that_the_relay_closed_while_idle_is_not_used() -> None:
    with ScriptedSMTP({"dot": Raw(b"250 ok\r\n421 4.4.2 that is all\r\n", close=True)}) as server:
        outcomes = send_in_turn(relay_to(server), times=3)

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert len(server.accepted) == server.sessions == 3


def test_a_replacement_that_dies_too_is_not_replaced() -> None:
    def later_mails(step: Step) -> smtp.Action | None:
        return Close() if step.phase == "mail" and step.n > 0 else None

    with ScriptedSMTP(later_mails) as server:
        _, outcome = send_in_turn(relay_to(server), times=2)

    assert isinstance(outcome, Deferred)
    assert outcome.phase is Phase.MAIL
    assert server.count("mail") == 3


@pytest.mark.parametrize("phase", ["rcpt", "data", "dot"])
def test_a_reused_connection_that_dies_later_is_not_tried_again(phase: smtp.Phase) -> None:
    def second(step: Step) -> smtp.Action | None:
        return Close() if (step.phase, step.n) == (phase, 1) else None

    with ScriptedSMTP(second) as server:
        _, outcome = send_in_turn(relay_to(server), times=2)

    assert isinstance(outcome, InDoubt if phase == "dot" else Deferred)
    assert server.sessions == 1


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data", "dot"])
def test_a_reply_that_comes_too_late_is_never_taken_for_another_messages(phase: smtp.Phase) -> None:
    with ScriptedSMTP({phase: [Hang(then=Say(550, "5.1.1 late"))]}) as server:

        async def work(relay: Relay) -> list[Outcome]:
            late = await relay.send(SENDER, "ola@example.no", message(0))
            server.release()
            return [late, *[await relay.send(SENDER, KARI, message(number)) for number in (1, 2)]]

        late, *others = asyncio.run(with_relay(relay_to(server, connect_timeout=SHORT, data_timeout=SHORT), work))

    assert isinstance(late, InDoubt if phase == "dot" else Deferred)
    assert all(isinstance(outcome, Accepted) for outcome in others)
    assert [envelope.rcpt_tos for envelope in server.accepted] == [[KARI], [KARI]]


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data"])
def test_a_reply_too_many_ends_the_connection(phase: smtp.Phase) -> None:
    first = b"354 go\r\n" if phase == "data" else b"250 ok\r\n"
    with ScriptedSMTP({phase: [Raw(first + b"250 and another\r\n")]}) as server:
        outcome, after = send_in_turn(relay_to(server), times=2)

    assert isinstance(outcome, Deferred)
    assert isinstance(after, Accepted)
    assert server.sessions == 2


@pytest.mark.parametrize(("code", "kind"), [(250, Accepted), (554, Rejected)])
def test_a_reply_too_many_to_the_dot_ends_the_connection_behind_the_message(code: int, kind: type[Outcome]) -> None:
    with ScriptedSMTP({"dot": [Raw(b"%d first\r\n550 second\r\n" % code)]}) as server:
        outcome, after = send_in_turn(relay_to(server), times=2)

    assert isinstance(outcome, kind)
    assert isinstance(after, Accepted)
    assert server.sessions == 2


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail", "rcpt", "data", "dot"])
def test_a_cancelled_sender_takes_its_connection_along(phase: smtp.Phase) -> None:
    with ScriptedSMTP({phase: [Hang()]}) as server:

        async def work(relay: Relay) -> list[Outcome]:
            task = asyncio.create_task(relay.send(SENDER, KARI, message(0)))
            await asyncio.to_thread(server.wait_for, lambda: server.count(phase) == 1)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            await asyncio.to_thread(server.wait_for, lambda: server.open == 0)
            return [await relay.send(SENDER, KARI, message(1))]

        (after,) = asyncio.run(with_relay(relay_to(server, connections=1), work))

    assert isinstance(after, Accepted)
    assert server.sessions == 2


# TLS and authentication


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
    actions: dict[str, smtp.Action] = {
        "refused": Say(454, "4.7.0 TLS not available"),
        "garbage": Raw(b"220 go\r\n", close=True),
        "closed": Close(),
    }
    tls = None if refusal == "not offered" else "starttls"
    script: smtp.Script = {} if tls is None else {"starttls": actions[refusal]}
    with ScriptedSMTP(script, tls=tls) as server:  # type: ignore[arg-type]  # a literal, one line up
        url = f"smtp+starttls://user:secret@127.0.0.1:{server.port}"
        outcome = send(Relay(url, connections=1, connect_timeout=LONG, data_timeout=LONG))

    assert isinstance(outcome, Deferred)
    assert not {"MAIL", "AUTH"} & set(server.verbs())


@pytest.mark.parametrize("phase", ["connect", "ehlo", "mail", "dot"])
@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_relay_that_falls_silent_behind_tls_is_left_in_time(phase: smtp.Phase, tls: Any) -> None:
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


# What goes on the wire


def test_the_size_is_declared_where_the_relay_wants_it() -> None:
    data = b"Subject: x\r\n\r\n.dots do not count twice\r\n"
    with ScriptedSMTP() as server:
        send(relay_to(server), data=data)
    assert server.accepted[0].options == [f"SIZE={len(data)}"]

    with ScriptedSMTP(extensions=()) as server:
        send(relay_to(server), data=data)
    assert server.accepted[0].options == []


def test_an_international_domain_needs_nothing_from_the_relay() -> None:
    with ScriptedSMTP(extensions=()) as server:
        assert isinstance(send(relay_to(server), "kari@blåbær.no"), Accepted)
    assert server.accepted[0].rcpt_tos == ["kari@xn--blbr-roah.no"]


def test_a_non_ascii_local_part_goes_as_it_is_where_smtputf8_is_offered() -> None:
    with ScriptedSMTP() as server:
        assert isinstance(send(relay_to(server), "kåre@blåbær.no"), Accepted)
    assert server.accepted[0].rcpt_tos == ["kåre@xn--blbr-roah.no"]
    assert "SMTPUTF8" in server.accepted[0].options


def test_a_non_ascii_local_part_is_rejected_where_smtputf8_is_not_offered() -> None:
    without = [extension for extension in EXTENSIONS if extension != "SMTPUTF8"]
    with ScriptedSMTP(extensions=without) as server:

        async def work(relay: Relay) -> list[Outcome]:
            return [await relay.send(SENDER, address, MESSAGE) for address in ("kåre@example.no", KARI, "kåre@b.no")]

        first, plain, second = asyncio.run(with_relay(relay_to(server), work))

    for outcome in (first, second):
        assert isinstance(outcome, Rejected)
        assert outcome.state is EmailState.FAILED_INVALID_EMAIL_FORMAT
        assert outcome.reply.code is None
        assert "SMTPUTF8" in outcome.reply.text
    assert isinstance(plain, Accepted)
    assert server.sessions == 1


@pytest.mark.parametrize(
    "address",
    ["", "kari", "kari@example.no>\r\nRCPT TO:<eve@example.no", "kari@example.no> SIZE=1", "a\x00@b.no", "a\x85@b.no"],
)
def test_an_address_that_could_say_more_than_an_address_is_never_sent(address: str) -> None:
    with ScriptedSMTP() as server:
        outcome = send(relay_to(server), address)

    assert isinstance(outcome, Rejected)
    assert outcome.state is EmailState.FAILED_INVALID_EMAIL_FORMAT
    assert server.commands == []


@pytest.mark.parametrize(
    "data",
    [
        b".\r\n..\r\n...\r\n.x\r\n\r\n.\r\n",
        b"Subject: x\r\n\r\n.\r\nMAIL FROM:<eve@example.no>\r\n.\r\n",
        b"Subject: x\r\n\r\n" + b".\r\n" * 1000,
        b"Subject: x\r\n\r\n" + b"x" * 900_000 + b"\r\n",
        b"\r\n",
    ],
    ids=["dots", "commands", "many dots", "large", "empty"],
)
def test_what_was_sent_is_what_arrives(data: bytes) -> None:
    with ScriptedSMTP() as server:
        outcomes = [send(relay_to(server), data=data)]

    assert all(isinstance(outcome, Accepted) for outcome in outcomes)
    assert [envelope.data for envelope in server.messages] == [data]


def test_a_message_without_a_last_line_end_gets_one() -> None:
    with ScriptedSMTP() as server:
        assert isinstance(send(relay_to(server), data=b"Subject: x\r\n\r\nhei"), Accepted)
    assert server.accepted[0].data == b"Subject: x\r\n\r\nhei\r\n"
    assert server.accepted[0].options == [f"SIZE={len(server.accepted[0].data)}"]


@pytest.mark.parametrize("end", [b"\n", b"\r", b"\n\r", b"\r\r\n"])
def test_a_bare_line_end_smuggles_no_second_message(end: bytes) -> None:
    smuggled = b"MAIL FROM:<eve@example.no>\r\nRCPT TO:<ola@example.no>\r\nDATA\r\nSubject: smuggled\r\n\r\nhei\r\n"
    data = b"Subject: x\r\n\r\nhei" + end + b"." + end + smuggled + b"." + end
    with ScriptedSMTP(lenient=True) as server:
        outcome = send(relay_to(server), data=data)

    assert isinstance(outcome, Accepted)
    (envelope,) = server.messages
    assert envelope.data.count(b"\r\n") == envelope.data.count(b"\n") == envelope.data.count(b"\r")
    assert b"smuggled" in envelope.data
    assert server.verbs().count("MAIL") == 1


# The test server itself


def test_the_script_can_change_while_the_server_runs() -> None:
    with ScriptedSMTP({"rcpt": Say(450, "later")}) as server:
        assert isinstance(send(relay_to(server)), Deferred)
        server.script = {}
        assert isinstance(send(relay_to(server)), Accepted)


def test_the_server_answers_pipelined_commands_in_order() -> None:
    with ScriptedSMTP() as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(
            b"EHLO x\r\nMAIL FROM:<a@b.no>\r\nRCPT TO:<c@d.no>\r\nDATA\r\nSubject: x\r\n\r\n..\r\n.\r\nQUIT\r\n"
        )
        with client.makefile("rb") as replies:
            codes = [line[:3] for line in replies if line[3:4] == b" "]

    assert codes == [b"220", b"250", b"250", b"250", b"354", b"250", b"221"]
    assert server.accepted[0].data == b"Subject: x\r\n\r\n.\r\n"


def test_the_lenient_server_can_be_smuggled_past() -> None:
    with ScriptedSMTP(lenient=True) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(b"EHLO x\r\nMAIL FROM:<a@b.no>\r\nRCPT TO:<c@d.no>\r\nDATA\r\nx\n.\nQUIT\r\n")
        with client.makefile("rb") as replies:
            assert replies.readlines()[-1].startswith(b"221")
    assert len(server.messages) == 1


# What the worker holds no longer


def test_a_message_that_was_lost_meanwhile_is_withdrawn_even_after_data() -> None:
    """`ours` is asked last when the relay has said 354: nothing but hanging up takes that back."""
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
