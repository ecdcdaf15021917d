"""Leases: work in flight stays with its worker, however long it takes; work that a worker cannot do goes to another."""

from __future__ import annotations

import sys
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from engine.models import EmailState, OrderState
from engine.queue import due
from tests.helpers.counting import tell
from tests.helpers.waiting import LEASE, slowness, wait_for
from tests.servers import http
from tests.servers.event_site import EventSite
from tests.servers.installation import API, instant
from tests.servers.site import FLAWLESS, Site, addresses, stopped
from tests.servers.smtp_script import ByAddress, Hang, Slow

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.smtp_script import Action, Phase, Step


@pytest.fixture(scope="module")
def patient(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Two workers with one connection each."""
    folder = tmp_path_factory.mktemp("patient")
    with Site(folder, lease=LEASE, smtp_connections=1, allow_private_endpoints="true") as running:
        yield running


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One worker, whose leases are ended at once when it is killed."""
    with Site(tmp_path_factory.mktemp("mortal"), lease=1, smtp_connections=4, worker_processes=1) as running:
        yield running


@pytest.fixture(scope="module")
def sleepy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EventSite]:
    """One worker with twelve connections, which is stopped for longer than its lease while another goes on."""
    settings: dict[str, object] = {"lease": LEASE, "smtp_connections": 12, "worker_processes": 1}
    with EventSite(tmp_path_factory.mktemp("sleepy"), **settings) as running:
        yield running


@pytest.mark.parametrize("phase", ["mail", "data"])
def test_a_worker_that_slept_longer_than_its_lease_sends_nothing_that_others_took_over(
    sleepy: EventSite, capsys: pytest.CaptureFixture[str], phase: Phase
) -> None:
    """It had said MAIL or DATA over each of its connections before it stopped; it resumes with the relay's replies."""
    to = addresses(40, phase)
    relay, sleeper = sleepy.relay, sleepy.varsel.pid("worker 1")
    relay.messages.clear()
    relay.script = {phase: Hang()}
    before = relay.count(phase)
    sleepy.post(*to)
    wait_for(lambda: relay.count(phase) == before + 12)
    began = {number for number, line in relay.commands if line.upper().startswith(phase.upper())}
    with stopped(sleeper), sleepy.another("worker"):
        relay.script = {}
        relay.release()
        sleepy.settle()
        assert len(relay.accepted) == len(to)
    sleepy.post("awake@example.no")
    sleepy.settle()
    # What it had begun has ended, one way or the other.
    wait_for(lambda: began <= relay.ended | {mail.session for mail in list(relay.messages)})

    mails = sleepy.count([*to, "awake@example.no"])
    tell(capsys, f"worker stopped after {phase.upper()} for longer than its lease, 40 mails", mails)
    assert mails == FLAWLESS


@pytest.mark.parametrize("hangs", ["worker 1", "instant worker"])
def test_instant_orders_are_sent_while_either_of_their_workers_hangs(sleepy: EventSite, hangs: str) -> None:
    relay, to = sleepy.relay, f"{hangs.replace(' ', '-')}@example.no"
    with stopped(sleepy.varsel.pid(hangs)):
        sleepy.post_instant(to)
        wait_for(lambda: [mail for mail in list(relay.accepted) if to in mail.rcpt_tos])


def test_a_worker_that_slept_longer_than_its_lease_pushes_nothing_that_others_took_over(
    sleepy: EventSite, capsys: pytest.CaptureFixture[str]
) -> None:
    """Events that had reached the receiver when the worker stopped may come twice, but none that waited behind them."""
    resource, sleeper = "urn:altinn:resource:sleepy", sleepy.varsel.pid("worker 1")
    with http.Receiver(http.Say(200)) as receiver:
        sleepy.subscribe(receiver, 1, resource)
        receiver.act(http.Slow(0.3))
        sleepy.publish(resource, [f"event-{number}" for number in range(200)])
        wait_for(lambda: len(receiver.requests) > 40)  # ten at a time by now
        with stopped(sleeper):
            receiver.catch_up()
            wait_for(lambda: len(receiver.answered) == len(receiver.requests))
            sent = {request.headers["webhook-id"] for request in receiver.requests}
            receiver.act(http.Say(200))
            with sleepy.another("worker"):
                sleepy.settle()
        sleepy.publish(resource, ["awake"])
        sleepy.settle()
        got = Counter(request.headers["webhook-id"] for request in receiver.requests[1:])
    doubled = {name for name, times in got.items() if times > 1}
    with capsys.disabled():
        sys.stdout.write(f"\nworker stopped while it pushed, 201 events: {len(doubled)} doubled")
    assert len(got) == 201
    assert doubled <= sent


def test_a_relay_that_hangs_after_the_dot_keeps_one_mail_and_no_other(
    patient: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """E-mails that wait behind a connection that hangs must go over the other worker's."""
    stuck, *others = to = addresses(40)
    patient.relay.messages.clear()
    patient.relay.script = ByAddress({stuck: ("dot", Hang())}, {"dot": Slow(0.02)})
    patient.post(*to)
    wait_for(lambda: any(stuck in mail.rcpt_tos for mail in list(patient.relay.messages)))
    leased_until = patient.ledger.email(stuck).due_at
    wait_for(lambda: len(patient.relay.accepted) == len(others))
    wait_for(lambda: patient.ledger.email(stuck).due_at > leased_until + timedelta(seconds=3 * LEASE))
    held = patient.ledger.email(stuck)
    patient.relay.release()
    patient.settle()

    mails = patient.count(to)
    tell(capsys, "relay silent after a DOT for more than 3 leases, 40 mails", mails)
    assert mails == FLAWLESS
    assert (held.claim, held.state) == (1, EmailState.SENDING)
    assert any(row.claim > 2 for row in patient.ledger.emails().values()), "nothing was handed back"
    assert patient.relay.peak <= 2


def test_an_instant_order_passes_mails_that_hang_on_every_other_connection(patient: Site) -> None:
    stuck, urgent = addresses(40, "stuck"), {"instant@example.no", "code@example.no"}
    patient.relay.script = ByAddress({address: ("dot", Hang()) for address in stuck})
    before = patient.relay.count("dot")
    patient.post(*stuck, priority="Normal")
    wait_for(lambda: patient.relay.count("dot") == before + 2)
    patient.post("instant@example.no", priority="Instant")
    with patient.varsel.client("skd") as other:
        assert other.post(f"{API}/future/orders/instant/email", json=instant("code@example.no")).status_code == 201
    wait_for(lambda: urgent <= {mail.rcpt_tos[0] for mail in list(patient.relay.accepted)})
    assert not any(mail.rcpt_tos[0] in stuck for mail in list(patient.relay.accepted))
    patient.relay.script = {}
    patient.relay.release()
    patient.settle()


def test_an_order_decided_early_in_its_batch_is_not_generated_again(
    patient: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two orders are claimed together; while the endpoint of one keeps it waiting, the other is done."""
    patient.relay.messages.clear()
    patient.relay.script = {}
    with (
        http.Receiver(http.Say(200, b'{"sendNotification": true}')) as quick,
        http.Receiver(http.Hang()) as slow,
    ):
        soon = (datetime.now(UTC) + timedelta(seconds=2 * slowness())).isoformat()
        patient.post("waiting@example.no", requestedSendTime=soon, conditionEndpoint=slow.url)
        patient.post("decided@example.no", requestedSendTime=soon, conditionEndpoint=quick.url)
        wait_for(lambda: patient.ledger.orders()[-2].attempts)  # it has given up for now, which takes several leases
        waiting, decided = patient.ledger.orders()[-2:]
    assert len(slow.requests) == 1
    assert (waiting.claim, decided.claim) == (2, 2)  # once each: a claim counts its end as well
    assert (decided.state, decided.due_at) == (OrderState.COMPLETED, None)

    patient.settle(hurried=True)  # no answer twice: sent all the same (contract 6.7)
    mails = patient.count(["waiting@example.no", "decided@example.no"])
    tell(capsys, "two orders in a batch, one waits for its endpoint", mails)
    assert mails == FLAWLESS


def test_an_at_most_once_mail_that_was_in_flight_in_a_killed_worker_is_reported(
    mortal: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    mortal.relay.messages.clear()
    mortal.relay.script = {"dot": [Hang()]}
    hanging = mortal.relay.count("dot") + 1
    location = mortal.post("once@example.no", deliveryGuarantee="AtMostOnce")
    wait_for(lambda: mortal.relay.count("dot") == hanging)
    mortal.restart("worker 1")
    mortal.settle()

    tell(capsys, "worker killed with an at-most-once mail in flight, which is reported", mortal.count([]))
    assert mortal.send_statuses(location) == {"once@example.no": "Failed"}
    assert [attempt.outcome for attempt in mortal.ledger.attempts("once@example.no")] == ["in_doubt"]
    assert len(mortal.relay.messages) == 1


def test_a_mail_that_kills_its_worker_is_set_aside_and_all_others_arrive(
    mortal: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    poison = "poison@example.no"
    innocent = addresses(20)
    deaths = []

    def kill(step: Step) -> Action | None:
        if step.phase == "rcpt" and poison in step.argument:
            deaths.append(step.session)
            mortal.varsel.kill("worker 1")
            return Hang()
        return None

    mortal.relay.messages.clear()
    mortal.relay.script = kill
    location = mortal.post(*innocent[:10], poison, *innocent[10:])
    mortal.settle()

    mails = mortal.count(innocent)
    tell(capsys, f"one mail kills {len(deaths)} workers, 20 others", mails)
    assert (mails.lost, mails.renamed, mails.unordered) == ([], [], [])
    assert len(deaths) == due.LOST_IS_DEAD
    assert mortal.send_statuses(location) == dict.fromkeys(innocent, "Succeeded") | {poison: "Failed"}
    assert [attempt.outcome for attempt in mortal.ledger.attempts(poison)] == ["abandoned"]
    assert mortal.processing_status(location) == "Completed"
