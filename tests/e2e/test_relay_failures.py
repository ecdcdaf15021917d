"""When the relay refuses, falls silent or goes away: the right state, the right next attempt, and no mail lost."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from engine.email.outcomes import BACKOFF
from engine.models import EmailState
from engine.queue.backoff import JITTER
from tests.helpers.counting import count, tell
from tests.helpers.ports import free_port
from tests.helpers.waiting import KEPT, due_between, wait_for
from tests.servers.site import FLAWLESS, Site, addresses
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import ByAddress, Close, Say, Slow

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Row

    from tests.servers.smtp_script import Phase

CONNECTIONS = 2  # per worker
# What the relay answers, where, and what the e-mail is afterwards.
ANSWERS: tuple[tuple[Phase, int, EmailState], ...] = (
    ("rcpt", 421, EmailState.NEW),
    ("rcpt", 450, EmailState.NEW),
    ("rcpt", 550, EmailState.FAILED_BOUNCED),
    ("rcpt", 552, EmailState.FAILED_BOUNCED),
    ("rcpt", 554, EmailState.FAILED),
    ("dot", 421, EmailState.NEW),
    ("dot", 450, EmailState.NEW),
    ("dot", 550, EmailState.FAILED),
    ("dot", 552, EmailState.FAILED_PAYLOAD_TOO_LARGE),
    ("dot", 554, EmailState.FAILED),
)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site"), smtp_connections=CONNECTIONS, lease=KEPT) as running:
        yield running


@pytest.fixture
def site(whole: Site) -> Site:
    """An installation with nothing left to do, and a relay that behaves well."""
    whole.relay.script = {}
    whole.settle()
    whole.relay.messages.clear()
    return whole


def test_each_answer_leads_to_its_state_and_its_next_attempt(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    cases = {f"{phase}.{code}@example.no": (phase, code, state) for phase, code, state in ANSWERS}
    site.relay.script = ByAddress({to: (phase, Say(code, "because")) for to, (phase, code, _) in cases.items()})
    location = site.post("welcome@example.no", *cases)
    wait_for(lambda: all(site.ledger.attempts(address) for address in cases))

    expected = {address: state.value for address, (_, _, state) in cases.items()}
    assert site.send_statuses(location) == expected | {"welcome@example.no": "Succeeded"}
    for address, (phase, code, state) in cases.items():
        row, [attempt] = site.ledger.email(address), site.ledger.attempts(address)
        outcome = "deferred" if state is EmailState.NEW else "rejected"
        assert (attempt.outcome, attempt.phase, attempt.code, attempt.reply) == (outcome, phase, code, "because")
        assert attempt.relay == f"127.0.0.1:{site.relay.port}"
        assert (row.attempts, row.unresolved) == (1, 0)
        if state is EmailState.NEW:
            assert due_after_backoff(row)
        else:
            assert row.due_at is None

    site.relay.script = {}
    site.settle(hurried=True)
    deferred = [address for address, (_, _, state) in cases.items() if state is EmailState.NEW]
    assert site.processing_status(location) == "Completed"
    assert {site.send_statuses(location)[address] for address in deferred} == {"Succeeded"}
    assert {site.ledger.email(address).attempts for address in deferred} == {2}
    mails = count(site.relay.accepted, ["welcome@example.no", *deferred])
    tell(capsys, "relay answered 421, 450, 550, 552 and 554 to 10 of 11 mails", mails)
    assert mails == FLAWLESS
    assert count(site.relay.messages, []).renamed == [], "what was refused at the dot comes again under its name"


@pytest.mark.parametrize("phase", ["mail", "rcpt", "data", "dot"])
def test_after_a_relay_that_hangs_up_the_mail_is_sent_again_under_its_name(
    phase: Phase, site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    address = f"{phase}.closed@example.no"
    site.relay.script = {phase: Close()}
    location = site.post(address)
    [attempt] = wait_for(lambda: site.ledger.attempts(address))
    row = site.ledger.email(address)
    in_doubt = phase == "dot"  # the relay had all of it, and may have taken it over
    assert (attempt.outcome, attempt.phase, attempt.code) == ("in_doubt" if in_doubt else "deferred", phase, None)
    assert (row.state, row.attempts) == (EmailState.NEW, 1)
    assert due_after_backoff(row)

    site.relay.script = {}
    site.settle(hurried=True)
    assert site.send_statuses(location) == {address: "Succeeded"}
    mails = site.count([address])
    tell(capsys, f"relay hung up at {phase.upper()}", mails)
    assert (mails.lost, mails.renamed, mails.unordered) == ([], [], [])
    assert mails.doubled == ([address] if in_doubt else [])


def test_at_most_once_reports_a_mail_in_doubt_and_sends_others_again(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    doubtful, deferred = "doubtful@example.no", "deferred@example.no"
    site.relay.script = ByAddress({doubtful: ("dot", Close()), deferred: ("rcpt", Close())})
    location = site.post(doubtful, deferred, deliveryGuarantee="AtMostOnce")
    wait_for(lambda: site.ledger.attempts(doubtful) and site.ledger.attempts(deferred))
    assert site.send_statuses(location) == {doubtful: "Failed", deferred: "New"}

    site.relay.script = {}
    site.settle(hurried=True)
    assert site.send_statuses(location) == {doubtful: "Failed", deferred: "Succeeded"}
    assert [attempt.outcome for attempt in site.ledger.attempts(doubtful)] == ["in_doubt"]
    mails = site.count([deferred])  # the other one is not lost but reported
    tell(capsys, "relay hung up at the DOT of one of 2 at-most-once mails", mails)
    assert (mails.lost, mails.doubled, mails.unordered) == ([], [], [doubtful])


def test_mails_wait_for_a_relay_that_is_down(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    to = addresses(100)
    port = free_port()
    with Site(tmp_path, smtp_url=f"smtp://127.0.0.1:{port}", smtp_connections=CONNECTIONS) as site:
        with ScriptedSMTP({"connect": Close()}, port=port) as turning_away:
            location = site.post(*to)
            turning_away.wait_for(lambda: turning_away.sessions > 0)
            tried = wait_for(site.ledger.attempts)
        assert {(attempt.outcome, attempt.phase) for attempt in tried} == {("deferred", "connect")}
        assert not any(row.attempts for row in site.ledger.emails().values()), "not reached: that is no attempt"
        with ScriptedSMTP({"dot": Slow(0.1)}, port=port) as dying:
            dying.wait_for(lambda: len(dying.accepted) > 20)
        with ScriptedSMTP(port=port) as relay:
            site.settle(hurried=True)
        assert set(site.send_statuses(location).values()) == {"Succeeded"}
        in_doubt = {attempt.address for attempt in site.ledger.attempts() if attempt.outcome == "in_doubt"}

    mails = count([*dying.messages, *relay.messages], to)
    tell(capsys, "relay down, then gone again in 100 mails", mails)
    assert (mails.lost, mails.renamed, mails.unordered) == ([], [], [])
    assert set(mails.doubled) <= in_doubt
    assert len(mails.doubled) <= 2 * CONNECTIONS  # what two workers had in flight


def test_a_slow_relay_gets_each_mail_once(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """A relay so slow that a batch outlives its lease."""
    to = addresses(80)
    fifth = KEPT * 2 * CONNECTIONS / len(to) / 5  # seconds; two workers take a lease and more for all
    site.relay.script = {"mail": Slow(fifth), "rcpt": Slow(fifth), "data": Slow(fifth), "dot": Slow(2 * fifth)}
    site.post(*to)
    site.settle()
    assert site.relay.peak <= 2 * CONNECTIONS

    mails = site.count(to)
    tell(capsys, f"slow relay, {len(to)} mails", mails)
    assert mails == FLAWLESS


def due_after_backoff(row: Row[Any]) -> bool:
    """Whether an e-mail waits for its second attempt as long as the schedule says."""
    return due_between(row.due_at, row.last_update, BACKOFF[0] * (1 - JITTER), BACKOFF[0] * (1 + JITTER))
