"""What a relay's replies mean, reply by reply."""

from __future__ import annotations

from datetime import timedelta

import pytest

from engine.email.smtp.phases import Phase
from engine.email.smtp.replies import Accepted, Deferred, InDoubt, Refused, Rejected, Reply, judge
from engine.models import EmailState

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
        (Phase.MAIL, 552, "5.3.4 message size exceeds fixed limit", EmailState.FAILED_PAYLOAD_TOO_LARGE),
        (Phase.DOT, 552, "too much mail data", EmailState.FAILED_PAYLOAD_TOO_LARGE),
        (Phase.DOT, 554, "5.2.3 too long for this mailbox", EmailState.FAILED_PAYLOAD_TOO_LARGE),
        (Phase.DOT, 550, "5.7.1 message identified as SPAM", EmailState.FAILED_FILTERED_SPAM),
        (Phase.DOT, 554, "looks like unsolicited mail", EmailState.FAILED_FILTERED_SPAM),
        (Phase.DOT, 554, "5.7.1 blocked: it has a URL listed by SURBL", EmailState.FAILED_FILTERED_SPAM),
        (Phase.DOT, 550, "5.7.28 part of a flood of similar messages", EmailState.FAILED_FILTERED_SPAM),
        (Phase.DOT, 550, "5.7.1 message refused by policy", EmailState.FAILED),
        (Phase.RCPT, 550, "5.7.133 sender not authenticated for group", EmailState.FAILED),
        (Phase.RCPT, 550, "5.7.1 you are not allowed to send messages to this group", EmailState.FAILED),
        (Phase.DOT, 550, "5.7.1 <relaying.denied@example.no>: message refused by policy", EmailState.FAILED),
        (Phase.RCPT, 550, "<spam@example.no>: no such user", EmailState.FAILED_BOUNCED),
        (Phase.DOT, 554, "5.6.0 no", EmailState.FAILED),
        # What is full or too large: the enhanced code decides, then the words, then the phase
        (Phase.DOT, 552, "5.2.2 Mailbox full", EmailState.FAILED_BOUNCED),
        (Phase.DOT, 552, "Mailbox full", EmailState.FAILED_BOUNCED),
        (Phase.DOT, 552, "Requested mail action aborted: exceeded storage allocation", EmailState.FAILED_BOUNCED),
        (Phase.DOT, 552, "user's mailbox quota exceeded", EmailState.FAILED_BOUNCED),
        (Phase.DOT, 552, "not enough disk space", EmailState.FAILED_BOUNCED),
        (Phase.DATA, 552, "The account is over quota", EmailState.FAILED_BOUNCED),
        (Phase.DOT, 550, "mailbox size limit exceeded", EmailState.FAILED_BOUNCED),
        (Phase.DOT, 552, "message size exceeds fixed maximum message size", EmailState.FAILED_PAYLOAD_TOO_LARGE),
        (Phase.RCPT, 552, "message size exceeds the limit", EmailState.FAILED_PAYLOAD_TOO_LARGE),
        (Phase.MAIL, 552, "message too big", EmailState.FAILED_PAYLOAD_TOO_LARGE),
        (Phase.DOT, 552, "5.7.16 too big for its priority", EmailState.FAILED_PAYLOAD_TOO_LARGE),
        (Phase.DOT, 554, "5.7.1 mailbox is full", EmailState.FAILED_BOUNCED),
        # Whoever is not there, said where no code for it is
        (
            Phase.RCPT,
            554,
            "5.7.1 <a@b.no>: Recipient address rejected: User unknown",
            EmailState.FAILED_BOUNCED,
        ),
        (Phase.DOT, 554, "delivery error: dd This user doesn't have an example account", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 553, "sorry, no mailbox here by that name. (#5.1.1)", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 550, "5.1.1: user unknown", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 550, "5.1.4 Recipient address rejected: Access denied", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 550, "5.7.17 the mailbox has another owner", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 530, "5.1.1 user unknown", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 550, "2.1.5 no such user", EmailState.FAILED_BOUNCED),
        (Phase.MAIL, 550, "5.6.7 address needs SMTPUTF8", EmailState.FAILED_INVALID_EMAIL_FORMAT),
        (Phase.DATA, 503, "5.5.1 no valid recipients", EmailState.FAILED),
        (Phase.RCPT, 550, "The account or domain may not exist, it may be blacklisted", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 550, "This account has been banned", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 550, "user not verified", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 550, "5.7.1 recipient address not verified", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 554, "delivery error: dd Not a valid recipient - atlas", EmailState.FAILED_BOUNCED),
        (Phase.DOT, 554, "delivery error: dd kari@example.no is no longer valid. [-20]", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 511, "can't find a valid MX for rcpt domain (#5.1.1 - chkuser)", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 554, "5.7.1 Recipient address rejected: Invalid-Recipient.", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 554, "5.7.1 Recipient address rejected: Not in recipient list", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 550, "5.7.1 User email address is marked as invalid.", EmailState.FAILED_BOUNCED),
        (Phase.RCPT, 550, "5.2.1 Addressee unknown, relay=[192.0.2.1]", EmailState.FAILED_BOUNCED),
        # Of too much, and of accounts, that are the recipient's
        (Phase.RCPT, 550, "The recipient has the most messages they can receive per hour", EmailState.FAILED_BOUNCED),
        (Phase.DOT, 552, "your recipient's account is full", EmailState.FAILED_BOUNCED),
        (Phase.DOT, 554, "rejecting banned content", EmailState.FAILED),
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
        (Phase.DOT, 552, "4.2.2 Mailbox full"),
        (Phase.RCPT, 550, "4.4.7 try later"),
        (Phase.RCPT, 450, "4.7.1 <kari@example.no>: Recipient address rejected: greylisted"),
        (Phase.RCPT, 451, "4.7.1 sender not known here, greylisting in action"),
        (Phase.MAIL, 450, "too many connections from your host, sender rejected"),
        (Phase.MAIL, 421, "4.7.0 authentication required"),
        (Phase.DOT, 452, "4.3.1 insufficient system storage"),
        (Phase.RCPT, 450, "4.2.1 receives mail too quickly"),
        (Phase.RCPT, 450, "5.1.1 a temporary code with a permanent enhanced one"),
        (Phase.DOT, 451, "4.7.1 spam? try again later"),
        (Phase.RCPT, 451, "4.7.1 held for analysis in a sandbox"),
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


@pytest.mark.parametrize(
    ("phase", "code", "text"),
    [
        # No relaying
        (Phase.RCPT, 554, "5.7.1 <kari@example.no>: Relay access denied"),
        (Phase.RCPT, 454, "4.7.1 <kari@example.no>: Relay access denied"),
        (Phase.RCPT, 550, "5.7.1 relaying denied"),
        (Phase.RCPT, 550, "5.7.1 <spam@example.no>: relaying denied"),
        (Phase.RCPT, 550, "relay not permitted"),
        (Phase.RCPT, 550, "5.7.1 Unable to relay"),
        (Phase.RCPT, 550, "5.7.54 SMTP; Unable to relay recipient in non-accepted domain"),
        (Phase.RCPT, 550, "5.7.64 TenantAttribution; Relay Access Denied"),
        (Phase.RCPT, 553, "sorry, that domain isn't in my list of allowed rcpthosts (#5.7.1)"),
        (Phase.RCPT, 550, "we do not relay"),
        # No authentication, or none that will do
        (Phase.MAIL, 530, "5.7.0 authentication required"),
        (Phase.MAIL, 530, "5.7.0 must issue a STARTTLS command first"),
        (Phase.MAIL, 530, "5.7.57 SMTP; Client was not authenticated to send anonymous mail during MAIL FROM"),
        (Phase.RCPT, 550, "5.7.8 authentication credentials invalid"),
        (Phase.RCPT, 535, "5.7.1 no"),
        (Phase.MAIL, 538, "encryption required"),
        (Phase.RCPT, 503, "5.5.1 Error: authentication required"),
        (Phase.RCPT, 525, "5.7.13 user account disabled"),
        (Phase.RCPT, 550, "Please turn on SMTP Authentication in your mail client"),
        # Not this sender
        (Phase.MAIL, 501, "syntax error"),
        (Phase.MAIL, 553, "5.1.7 bad sender"),
        (Phase.MAIL, 550, "5.1.0 <noreply@varsel.example>: address rejected"),
        (Phase.MAIL, 550, "no such user"),
        (Phase.MAIL, 552, "mailbox full"),
        (Phase.RCPT, 550, "5.1.8 <noreply@varsel.example>: sender's domain not found"),
        (Phase.RCPT, 450, "4.1.8 <noreply@varsel.example>: Sender address rejected: Domain not found"),
        (Phase.RCPT, 553, "5.7.1 <noreply@varsel.example>: Sender address rejected: not owned by user varsel"),
        (Phase.RCPT, 553, "5.7.1 <noreply@varsel.example>: Sender address rejected: not logged in"),
        (Phase.DOT, 550, "5.7.60 SMTP; Client does not have permissions to send as this sender"),
        (Phase.DOT, 554, "Message rejected: Email address is not verified."),
        (Phase.RCPT, 550, "Sender verify failed"),
        (Phase.DOT, 550, "5.7.1 you are not authorized to send as this user"),
        # Authentication of the domain, the machine's standing, limits
        (Phase.DOT, 550, "5.7.26 this mail is unauthenticated"),
        (Phase.DOT, 550, "5.7.27 SPF did not pass"),
        (Phase.DOT, 550, "5.7.509 Access denied, sending domain example.no does not pass DMARC verification"),
        (Phase.DOT, 550, "5.7.515 Access denied, sending domain does not meet the required authentication level"),
        (Phase.DOT, 550, "5.7.1 message rejected due to the sender's DMARC policy"),
        (Phase.RCPT, 550, "5.7.25 no PTR record"),
        (Phase.RCPT, 450, "4.7.25 Client host rejected: cannot find your hostname"),
        (Phase.RCPT, 554, "5.7.1 Service unavailable; Client host [192.0.2.1] blocked using zen.spamhaus.org"),
        (Phase.RCPT, 550, "5.7.606 Access denied, banned sending IP [192.0.2.1]"),
        (Phase.DOT, 550, "5.7.1 suspicious due to the very low reputation of the sending IP address"),
        (Phase.DOT, 550, "5.4.5 Daily user sending quota exceeded"),
        (Phase.DOT, 554, "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException"),
        (Phase.DOT, 550, "Connection frequency limited"),
        (Phase.RCPT, 550, "5.7.705 Access denied, tenant has exceeded threshold"),
        (Phase.RCPT, 552, "5.5.3 too many recipients"),
        (Phase.RCPT, 554, "5.3.5 system incorrectly configured"),
        # As providers, and hosts of many, say it to their customers
        (Phase.RCPT, 553, "Relaying disallowed as noreply@varsel.example"),
        (Phase.RCPT, 550, "5.1.2 Relay not allowed."),
        (Phase.RCPT, 550, "5.1.1 Sender address verify failed"),
        (Phase.RCPT, 550, "5.1.2 <noreply@varsel.example>: Sender domain not found"),
        (Phase.RCPT, 550, "5.4.4 Invalid domain: Domain of sender address does not resolve"),
        (Phase.RCPT, 550, "Unrouteable sender address"),
        (Phase.RCPT, 550, "5.1.0 From address not allowed"),
        (Phase.DOT, 550, "From: domain is invalid. Please provide a valid From:"),
        (Phase.DOT, 550, "The from address does not match a verified Sender Identity."),
        (Phase.DOT, 550, "5.7.1 The 'From' address you supplied is not a Sender Signature on your account"),
        (Phase.DOT, 550, "Domain mg.example.com is not allowed to send: The domain is unverified"),
        (Phase.DOT, 550, "#MS42207 The from.email domain must be verified in your account to send emails."),
        (Phase.DOT, 554, "5.2.252 SendAsDenied; a@example.no not allowed to send as b@example.no"),
        (Phase.RCPT, 550, "5.7.68 Direct Send not allowed for this organization from unauthorized sources"),
        (Phase.DOT, 554, "Message rejected: Sending paused for this account."),
        (Phase.DOT, 554, "Access denied: User `arn:aws:iam::1:user/x' is not authorized to perform `ses:SendRawEmail'"),
        (Phase.DOT, 554, "Access denied: Account not subscribed to SES"),
        (Phase.DOT, 550, "Sandbox subdomains are for test purposes only. Please add your own domain"),
        (Phase.DOT, 550, "Please activate your Mailgun account."),
        (Phase.DOT, 550, "5.4.6 Unusual sending activity detected. Please try after sometime"),
        (Phase.RCPT, 550, "5.2.1 Sending account disabled"),
        (Phase.RCPT, 550, 'Outgoing mail from "noreply@varsel.example" has been suspended.'),
        (Phase.RCPT, 550, "#5.7.1 Your access to submit messages to this e-mail system has been rejected."),
        (Phase.RCPT, 550, "SC-001 (COL004) Unfortunately, messages from 192.0.2.1 weren't sent"),
        (Phase.RCPT, 550, "5.7.1 Mail from 192.0.2.1 refused by black hole site"),
        (Phase.RCPT, 550, "Domain example.com has exceeded the max emails per hour (200/200 (100%)) allowed."),
        (Phase.RCPT, 550, "Domain example.com has exceeded the max defers and failures per hour (5/5 (100%))"),
        (Phase.RCPT, 550, "5.7.1 Your account has exceeded its message quota for today"),
        (Phase.RCPT, 550, "You have exceeded the maximum number of messages per hour"),
        (Phase.RCPT, 554, "The message has been rejected because it exceeds the limit of outgoing messages"),
        (Phase.DATA, 554, "5.7.1 <DATA>: Data command rejected: only 10 messages per day"),
        (Phase.DOT, 550, "spam mail rejected: exceeded hour limit"),
        (Phase.DOT, 552, "Message would take you over your relay quota of 500"),
        (Phase.RCPT, 550, "5.7.1 Message rejected: quota exceeded for your plan"),
        (Phase.RCPT, 550, "Maximum credits exceeded"),
    ],
)
def test_what_is_about_this_installation_or_its_sender_is_no_fault_of_the_recipient(
    phase: Phase, code: int, text: str
) -> None:
    reply = Reply.of(code, text)

    assert judge(reply, phase, TOOK) == Refused(reply, phase, TOOK)


@pytest.mark.parametrize(
    "piece",
    [
        "sender ",
        "relay ",
        "user exceed ",
        "exceeds ",
        "not ",
        "authenticat ",
        "max ",
        "daily x ",
        "mailbox ",
        "x",
        " ",
        "your ",
        "from: ",
    ],
)
def test_a_hostile_reply_costs_no_more_than_its_length(piece: str) -> None:
    for text in (piece * 10**6, "5.7.1 " + piece * 10**6):
        for phase in Phase:
            judge(Reply.of(550, text), phase, TOOK)


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
        ("5.1.1: user unknown", "5.1.1"),
        ("#5.7.1 no", "5.7.1"),
        ("no valid MX (#5.1.1 - chkuser)", "5.1.1"),
        ("no mailbox here by that name (#5.1.1)", "5.1.1"),
        ("user unknown 5.1.1", None),
        ("5.1.1.1 is an address", None),
        ("3.1.1 is no class", None),
        ("5.1234.1 too long", None),
        ("", None),
    ],
)
def test_an_enhanced_code_stands_first_in_the_text_or_where_qmail_has_it(text: str, enhanced: str | None) -> None:
    assert Reply.of(550, text).enhanced == enhanced
