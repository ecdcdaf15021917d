"""Leases: work in flight stays its worker's, however long it takes; what a worker can not begin or finish goes on."""

from __future__ import annotations

import os
import signal
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from engine import due
from engine.models import EmailState, OrderState
from tests.servers import http
from tests.servers.by_address import ByAddress
from tests.servers.counting import tell
from tests.servers.installation import wait_for
from tests.servers.site import FLAWLESS, LEASE, WITHIN, Site, addresses
from tests.servers.smtp import Hang, Slow

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from tests.servers.smtp import Action, Step


def test_a_relay_that_hangs_after_the_dot_keeps_one_mail_and_no_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each worker has one connection: what waits behind the one that hangs must find the other worker's."""
    stuck, *others = to = addresses(40)
    script = ByAddress({stuck: ("dot", Hang())}, {"dot": Slow(0.02)})
    with Site(tmp_path, script, smtp_connections=1) as site:
        site.post(*to)
        wait_for(lambda: stuck in {address for mail in site.relay.messages for address in mail.rcpt_tos})
        leased_until = site.ledger.email(stuck).due_at
        wait_for(lambda: len(site.relay.accepted) == len(others), WITHIN)
        wait_for(lambda: site.ledger.email(stuck).due_at > leased_until + timedelta(seconds=3 * LEASE))
        held = site.ledger.email(stuck)
        site.relay.release()
        site.settle()
        handed_back = [row for row in site.ledger.emails().values() if row.claim > 1]
        assert site.relay.peak <= 2

    mails = site.count(to)
    tell(capsys, "relay silent after a DOT for more than 3 leases, 40 mails", mails)
    assert mails == FLAWLESS
    assert (held.claim, held.state) == (1, EmailState.SENDING)
    assert handed_back
    assert {row.unresolved for row in handed_back} == {0}


def test_an_at_most_once_mail_that_was_in_flight_in_a_killed_worker_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with Site(tmp_path, {"dot": [Hang()]}, worker_processes=1) as site:
        location = site.post("kari@example.no", deliveryGuarantee="AtMostOnce")
        wait_for(lambda: site.relay.count("dot") == 1)
        site.restart("worker 1")
        site.settle()
        statuses = site.send_statuses(location)
        [attempt] = site.ledger.attempts()

    tell(capsys, "worker killed with an at-most-once mail in flight (it is reported)", site.count([]))
    assert statuses == {"kari@example.no": "Failed"}
    assert attempt.outcome == "in_doubt"
    assert len(site.relay.messages) == 1


def test_a_mail_that_kills_its_worker_is_set_aside_and_all_others_arrive(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    poison = "poison@example.no"
    innocent = addresses(20)
    deaths = []

    def kill(step: Step) -> Action | None:
        if step.phase == "rcpt" and poison in step.argument:
            deaths.append(step.session)
            os.kill(site.varsel.pid("worker 1"), signal.SIGKILL)
            return Hang()
        return None

    with Site(tmp_path, kill, lease=1, smtp_connections=4, worker_processes=1) as site:
        location = site.post(*innocent[:10], poison, *innocent[10:])
        site.settle()
        statuses = site.send_statuses(location)
        [attempt] = site.ledger.attempts(poison)
        assert site.processing_status(location) == "Completed"

    mails = site.count(innocent)
    tell(capsys, f"one mail kills {len(deaths)} workers, 20 others", mails)
    assert statuses == dict.fromkeys(innocent, "Succeeded") | {poison: "Failed"}
    assert len(deaths) == due.LOST_IS_DEAD
    assert attempt.outcome == "abandoned"
    assert (mails.lost, mails.renamed, mails.unordered) == ([], [], [])


def test_an_order_decided_early_in_its_batch_is_not_generated_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Two orders are claimed together; while the endpoint of one keeps it waiting, the other is done."""
    with (
        Site(tmp_path, allow_private_endpoints="true") as site,
        http.Receiver(http.Say(200, b'{"sendNotification": true}')) as quick,
        http.Receiver(http.Hang()) as slow,
    ):
        soon = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
        site.post("waiting@example.no", requestedSendTime=soon, conditionEndpoint=slow.url)
        site.post("decided@example.no", requestedSendTime=soon, conditionEndpoint=quick.url)
        slow.wait_for(lambda: len(slow.requests) == 1)
        site.relay.wait_for(lambda: len(site.relay.accepted) == 1)
        leased_until = site.ledger.orders()[0].due_at
        wait_for(lambda: site.ledger.orders()[0].due_at > leased_until + timedelta(seconds=LEASE))
        waiting, decided = site.ledger.orders()
    assert (waiting.claim, waiting.state) == (1, OrderState.PROCESSING)
    assert (decided.claim, decided.state, decided.due_at) == (1, OrderState.COMPLETED, None)

    mails = site.count(["decided@example.no"])
    tell(capsys, "order decided while its batch waits for another's endpoint", mails)
    assert mails == FLAWLESS
