"""Machines whose clocks are wrong: decisions and messages follow the database's clock."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import httpx
import psycopg
import pytest
from standardwebhooks import Webhook

from engine.models import EmailState
from tests.helpers.client import connect
from tests.helpers.counting import tell
from tests.helpers.ports import free_port
from tests.helpers.waiting import LEASE, wait_for
from tests.servers import http
from tests.servers.event_site import API, EventSite
from tests.servers.installation import API as ORDERING
from tests.servers.installation import order
from tests.servers.postgres import Postgres
from tests.servers.site import FLAWLESS, Site, addresses, stopped
from tests.servers.smtp_script import Slow

if TYPE_CHECKING:
    from collections.abc import Iterator

WRONG_CLOCK = Path(__file__).parents[1] / "helpers" / "wrong_clock"
HOUR, YEAR = 3600, 365 * 86_400  # seconds
# Of faketime(1): the file is read for each question, and the steady clock is left alone.
STEADY = {"FAKETIME_NO_CACHE": "1", "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_FAKE_MONOTONIC": "1"}
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


@pytest.mark.parametrize("shift", [HOUR // 2, -HOUR // 2])
def test_a_web_process_whose_clock_is_half_an_hour_off_takes_times_as_the_database_does(
    site: EventSite, shift: int
) -> None:
    site.relay.messages.clear()
    port, before = free_port(), len(site.ledger.orders())
    with site.another("web", PYTHONPATH=str(WRONG_CLOCK), WRONG_BY=str(shift), PORT=str(port)):
        token = site.client.headers["Authorization"]
        with connect(f"http://127.0.0.1:{port}", headers={"Authorization": token}) as client:
            wait_for(lambda: answers(client))
            later = (datetime.now(UTC) + timedelta(seconds=2)).isoformat()
            posted = client.post(f"{ORDERING}/orders/email", json=order("kari@example.no", requestedSendTime=later))
            past = (datetime.now(UTC) - timedelta(minutes=15)).isoformat()
            late = client.post(f"{ORDERING}/orders/email", json=order("ola@example.no", requestedSendTime=past))
        assert (posted.status_code, late.status_code) == (202, 400)
        site.settle()
    [stored] = site.ledger.orders()[before:]
    assert abs(stored.created - datetime.now(UTC)) < SOON
    assert stored.requested_send_time == datetime.fromisoformat(later).replace(
        microsecond=stored.requested_send_time.microsecond
    )
    assert site.count(["kari@example.no"]) == FLAWLESS


def answers(client: httpx.Client) -> bool:
    with suppress(httpx.TransportError):
        return client.get("/readyz").is_success
    return False


@pytest.mark.parametrize("step", [HOUR, -HOUR], ids=["forward", "back"])
def test_the_databases_clock_is_set_while_mails_are_sent(
    step: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Forward, all leases end at once: what is in hand may be sent twice, once each, until workers learn the time."""
    with TemporaryDirectory() as public:
        Path(public).chmod(0o755)  # the server's user reads the file in it
        set_to = Path(public, "set-to")
        set_to.write_text("+0s")
        for name, value in {"LD_PRELOAD": faketime(), "FAKETIME_TIMESTAMP_FILE": str(set_to), **STEADY}.items():
            monkeypatch.setenv(name, value)
        with Postgres() as server:
            monkeypatch.undo()
            to, url = addresses(300), server.database()
            with Site(tmp_path, {"dot": Slow(0.05)}, database_url=url) as site, psycopg.connect(url) as asking:
                site.post(*to)
                site.await_copies(50)
                (new := Path(public, "new")).write_text(f"{step:+d}s")
                new.rename(set_to)
                [(told,)] = asking.execute("SELECT clock_timestamp()").fetchall()
                assert abs(told - datetime.now(UTC) - timedelta(seconds=step)) < SOON
                site.settle()
                mails, said = site.count(to), "".join(site.varsel.output)
    tell(capsys, f"database's clock set by {step:+d} s in 300 mails", mails)
    assert (mails.lost, mails.renamed, mails.unordered) == ([], [], [])
    assert len(mails.doubled) == len(set(mails.doubled)), "a third copy"
    assert not mails.doubled or step > 0
    assert "Traceback" not in said


def faketime() -> str:
    """The library that gives a program another clock."""
    found = [*Path("/usr/lib").glob("*/faketime/libfaketimeMT.so.1")]
    assert found, "libfaketime is missing: run `make test`, which installs it"
    return str(found[0])


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
