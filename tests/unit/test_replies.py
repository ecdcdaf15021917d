"""What a relay's replies mean, reply by reply."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.models import EmailState
from engine.smtp.replies import Accepted, Deferred, InDoubt, Phase, Rejected, Reply, judge

TOOK = timedelta(seconds=1)


@pytest.mark.parametrize(
    ("phase", "code", "text", "state"),
    [
        (Phase.RCPT, 550, "5.1.1 <kari@example.no>: user unknown", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 550, "no such user", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 551, "user not local", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 550, "5.4.1 recipient address rejected: access denied", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 556, "5.1.10 recipient address has null MX", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 552, "5.2.2 mailbox full", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 552, "mailbox full", EmailState.FAILED_BOUNCED),
        (Phase.DOT, 550, "5.1.1 user unknown", EmailState.FAILED_BOUNCED),
        (Phase.DOT, 554, "5.2.2 mailbox full", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 501, "5.1.3 bad recipient address syntax", EmailState.FAILED_INVALID_EMAIL_FORMAT),
        (Phase.RCPT, 501, "syntax error", EmailState.FAILED_INVALID_EMAIL_FORMAT),
        (Phase.RCPT, 553, "mailbox name not allowed", EmailState.FAILED_INVALID_EMAIL_FORMAT),
        (Phase.MAIL, 501, "syntax error", EmailState.FAILED),
        (Phase.MAIL, 553, "5.1.7 bad sender", EmailState.FAILED),
        (Phase.RCPT, 550, "5.1.8 <noreply@varsel.example>: sender's domain not found", EmailState.FAILED),
        (Phase.MAIL, 552, "5.3.4 message size exceeds fixed limit", EmailState.FAILED_PAYLOAD_TOO_LARGE),
        (Phase.DOT, 552, "too much mail data", EmailState.FAILED_PAYLOAD_TOO_LARGE),
        (Phase.DOT, 554, "5.2.3 too long for this mailbox", EmailState.FAILED_PAYLOAD_TOO_LARGE),
        (Phase.DOT, 550, "5.7.1 message identified as SPAM", EmailState.FAILED_FILTERED_SPAM),
        (Phase.DOT, 554, "looks like unsolicited mail", EmailState.FAILED_FILTERED_SPAM),
        (Phase.RCPT, 554, "5.7.1 client blocked by zen.spamhaus.org", EmailState.FAILED_FILTERED_SPAM),
        (Phase.DOT, 550, "5.7.1 message refused by policy", EmailState.FAILED),
        (Phase.RCPT, 550, "5.7.1 relaying denied", EmailState.FAILED),
        (Phase.RCPT, 550, "5.7.1 <spam@example.no>: relaying denied", EmailState.FAILED),
        (Phase.RCPT, 550, "<spam@example.no>: no such user", EmailState.FAILED_BOUNCED),
        (Phase.DOT, 554, "5.6.0 no", EmailState.FAILED),
        (Phase.DATA, 503, "5.5.1 no valid recipients", EmailState.FAILED),
    ],
)
def test_a_permanent_refusal_ends_in_the_state_that_its_code_says(
    phase: Phase, code: int, text: str, state: EmailState
) -> None:
    reply = Reply.of(code, text)

    assert judge(reply, phase, TOOK) == Rejected(reply, phase, TOOK, state)


@pytest.mark.parametrize(
    ("phase", "code", "text"),
    [
        (Phase.CONNECT, 554, "5.7.1 no service for you"),
        (Phase.CONNECT, 535, "5.7.8 credentials invalid"),
        (Phase.CONNECT, 521, "host does not accept mail"),
        (Phase.MAIL, 530, "5.7.0 authentication required"),
        (Phase.MAIL, 530, "5.7.0 must issue a STARTTLS command first"),
        (Phase.RCPT, 550, "5.7.8 authentication credentials invalid"),
        (Phase.MAIL, 538, "encryption required"),
        (Phase.RCPT, 450, "5.1.1 a temporary code with a permanent enhanced one"),
        (Phase.DOT, 451, "4.7.1 spam? try again later"),
        (Phase.DOT, 421, "4.3.2 shutting down"),
        (Phase.MAIL, None, "connection lost"),
        (Phase.DATA, 250, "ok"),
        (Phase.MAIL, 354, "go"),
    ],
)
def test_what_is_not_about_this_message_for_good_is_tried_again(phase: Phase, code: int | None, text: str) -> None:
    reply = Reply.of(code, text)
    outcome = judge(reply, phase, TOOK)

    assert outcome == Deferred(reply, phase, TOOK)
    assert isinstance(outcome, Deferred)
    assert outcome.reached is (phase is not Phase.CONNECT)


@pytest.mark.parametrize("code", [250, 251, 299])
def test_only_a_yes_to_the_final_dot_is_acceptance(code: int) -> None:
    reply = Reply.of(code, "2.0.0 queued")

    assert judge(reply, Phase.DOT, TOOK) == Accepted(reply, Phase.DOT, TOOK)
    for phase in set(Phase) - {Phase.DOT}:
        assert isinstance(judge(reply, phase, TOOK), Deferred)


@pytest.mark.parametrize("code", [None, 100, 354, 600, 999])
def test_anything_else_after_the_final_dot_is_in_doubt(code: int | None) -> None:
    reply = Reply.of(code, "what?")

    assert judge(reply, Phase.DOT, TOOK) == InDoubt(reply, Phase.DOT, TOOK)


@pytest.mark.parametrize(
    ("text", "enhanced"),
    [
        ("5.1.1 user unknown", "5.1.1"),
        ("4.7.650 slow down", "4.7.650"),
        ("2.0.0", "2.0.0"),
        ("user unknown 5.1.1", None),
        ("5.1.1.1 is an address", None),
        ("3.1.1 is no class", None),
        ("5.1234.1 too long", None),
        ("", None),
    ],
)
def test_an_enhanced_code_stands_first_in_the_text(text: str, enhanced: str | None) -> None:
    assert Reply.of(550, text).enhanced == enhanced
