"""Send times, cancelling and expiry, as the clock of a running installation sees them; two clocks at once."""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from engine.models import EmailState, OrderState
from tests.helpers.counting import tell
from tests.helpers.processes import start
from tests.helpers.waiting import patience, slowness, wait_for
from tests.servers.site import FLAWLESS, Site, addresses, stopped
from tests.servers.smtp_script import Say

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.smtp_script import Action, Step


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with Site(tmp_path_factory.mktemp("site")) as running:
        yield running


def test_an_order_is_sent_at_its_send_time_and_not_before(site: Site) -> None:
    handed_over: list[datetime] = []

    def note(step: Step) -> Action | None:
        if step.phase == "dot":
            handed_over.append(datetime.now(UTC))
        return None

    site.relay.script = note
    send_time = datetime.now(UTC) + timedelta(seconds=3 * slowness())
    location = site.post("later@example.no", requestedSendTime=send_time.isoformat())
    assert site.processing_status(location) == "Registered" or datetime.now(UTC) >= send_time
    site.settle()
    assert site.processing_status(location) == "Completed"
    assert len(handed_over) == 1
    assert handed_over[0] >= send_time


def test_a_cancelled_order_is_never_sent(site: Site) -> None:
    site.relay.script = {}
    site.relay.messages.clear()
    send_time = datetime.now(UTC) + timedelta(minutes=10)
    location = site.post("never@example.no", requestedSendTime=send_time.isoformat())
    for _ in range(2):
        cancelled = site.client.put(f"{location}/cancel")
        assert cancelled.status_code == 200
        assert cancelled.json()["processingStatus"]["status"] == "Cancelled"
    row = site.ledger.orders()[-1]
    assert (row.state, row.due_at) == (OrderState.CANCELLED, None)

    site.post("instead@example.no")
    site.settle()
    assert site.count(["instead@example.no"]) == FLAWLESS


def test_a_mail_that_was_not_delivered_within_48_hours_has_failed(site: Site) -> None:
    address = "expired@example.no"
    site.relay.script = {"rcpt": Say(450, "4.2.0 later")}
    location = site.post(address)
    wait_for(lambda: site.ledger.attempts(address))
    assert site.send_statuses(location) == {address: "New"}

    site.relay.script = {}
    site.ledger.expire(address, timedelta(seconds=1))
    site.settle(hurried=True)
    assert site.ledger.email(address).state == EmailState.FAILED_TTL
    assert site.send_statuses(location) == {address: "Failed"}
    assert site.processing_status(location) == "Completed"
    assert [attempt.outcome for attempt in site.ledger.attempts(address)] == ["deferred", "expired"]


def test_two_schedulers_double_nothing_and_either_will_do(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    to = addresses(300)
    site.relay.messages.clear()
    site.relay.script = {}
    second = start([sys.executable, "-m", "scheduler"], env=site.varsel.environment())
    try:
        soon = (datetime.now(UTC) + timedelta(seconds=3 * slowness())).isoformat()
        for first_of in range(0, 200, 10):
            site.post(*to[first_of : first_of + 10], requestedSendTime=soon)
        site.settle()

        with stopped(site.varsel.pid("scheduler")):  # not killed, since its supervisor would start another
            soon = (datetime.now(UTC) + timedelta(seconds=3 * slowness())).isoformat()
            site.post(*to[200:], requestedSendTime=soon)
            site.settle()
    finally:
        second.terminate()
        second.wait(patience())

    mails = site.count(to)
    tell(capsys, "two schedulers, 300 mails with send times", mails)
    assert mails == FLAWLESS
