"""Machines whose clocks are wrong: decisions and messages follow the database's clock."""

from __future__ import annotations

from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from standardwebhooks import Webhook

from engine.models import EmailState
from tests.helpers.counting import tell
from tests.helpers.waiting import LEASE, wait_for
from tests.servers import http
from tests.servers.event_site import API, EventSite
from tests.servers.site import FLAWLESS, addresses, stopped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.postgres import Postgres

WRONG_CLOCK = Path(__file__).parents[1] / "helpers" / "wrong_clock"
HOUR, YEAR = 3600, 365 * 86_400  # seconds
SOON = timedelta(minutes=2)  # far below the hours that clocks are wrong by, far above what a busy machine takes


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[EventSite]:
    """An installation on PostgreSQL, whose clock is its server's; with SQLite, it would be the machine's."""
    settings = {"database_url": postgres.database(), "worker_processes": 1, "lease": LEASE}
    with EventSite(tmp_path_factory.mktemp("site"), **settings) as running:
        yield running


@contextmanager
def wrong_worker(site: EventSite, hours: int) -> Iterator[int]:
    """Replace the site's worker by one on a machine whose clock is off by so much; gives its process id."""
    wrong = {"PYTHONPATH": str(WRONG_CLOCK), "WRONG_BY": str(hours * 3600)}
    with stopped(site.varsel.pid("worker 1")), site.another("worker", **wrong) as pid:
        yield pid


def skew(site: EventSite, pid: int) -> timedelta | None:
    """How far a process says that its clock is from the database's; None: it has said nothing yet."""
    found = (process["skew_ms"] for process in site.ledger.overview()["processes"] if process["pid"] == pid)
    return next((timedelta(milliseconds=each) for each in found), None)


@pytest.mark.parametrize("shift", [49, -49])
def test_a_worker_whose_clock_is_two_days_off_delivers_everything_with_the_right_date(
    site: EventSite, shift: int, capsys: pytest.CaptureFixture[str]
) -> None:
    site.relay.messages.clear()
    to = addresses(60)
    with wrong_worker(site, shift) as pid:
        off = wait_for(lambda: skew(site, pid))
        assert off
        assert abs(off - timedelta(hours=shift)) < SOON
        site.post(*to[:30])
        later = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
        site.post(*to[30:], requestedSendTime=later)
        site.settle()
        told = [finding["text"] for finding in site.ledger.overview()["findings"]]
    mails = site.count(to)
    tell(capsys, f"worker {shift:+d} h, 60 mails", mails)
    assert mails == FLAWLESS
    assert {row.state for row in site.ledger.emails().values()} == {EmailState.SUCCEEDED}
    for mail in site.relay.messages:
        [date] = [line for line in mail.data.decode().split("\r\n") if line.startswith("Date: ")]
        assert abs(parsedate_to_datetime(date.removeprefix("Date: ")) - datetime.now(UTC)) < SOON
    assert any(text.startswith("The clock of ") and ("ahead of" in text) == (shift > 0) for text in told), told


@pytest.mark.parametrize("shift", [1, -1])
def test_signatures_of_a_worker_whose_clock_is_an_hour_off_verify_at_the_receiver(site: EventSite, shift: int) -> None:
    resource = f"urn:altinn:resource:off_by_{shift % 24}"
    with http.Receiver(http.Say(200)) as receiver, wrong_worker(site, shift):
        members = {"endPoint": receiver.url, "resourceFilter": resource}
        secret = site.events.post(f"{API}/subscriptions", json=members).json()["secret"]
        site.settle()
        site.publish(resource, [f"e{number}" for number in range(5)])
        wait_for(lambda: len(receiver.answered) == 6)
        site.settle()
    for request in receiver.requests:
        Webhook(secret).verify(request.body, request.headers)  # of the last five minutes, and of no later


@pytest.mark.parametrize("step", [-HOUR, 30 * YEAR], ids=["back", "forward"])
def test_the_scheduler_goes_on_when_its_machines_clock_is_set(site: EventSite, step: int, tmp_path: Path) -> None:
    """A machine starts without a battery-backed clock, and learns the time later."""
    wrong_by = tmp_path / "wrong-by"
    wrong_by.write_text("0")
    wrong = {"PYTHONPATH": str(WRONG_CLOCK), "WRONG_BY": str(wrong_by)}
    with stopped(site.varsel.pid("scheduler")), site.another("scheduler", **wrong):
        for seconds in (0, step):
            later = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
            (set_to := tmp_path / "set-to").write_text(str(seconds))
            set_to.rename(wrong_by)
            site.post("kari@example.no", requestedSendTime=later)  # nothing but the clock wakes anybody for it
            site.settle()
