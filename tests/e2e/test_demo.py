"""What a newcomer runs first."""

from __future__ import annotations

import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pathlib import Path

COMMAND = [sys.executable, "-m", "engine", "demo"]


@pytest.fixture(scope="module")
def told() -> str:
    """What the demo prints."""
    done = subprocess.run(COMMAND, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_demo_shows_the_mail_and_the_status(told: str) -> None:
    part = _part(told, 1)
    assert "202 Accepted" in part
    assert "Subject: Your application has been received" in part
    assert '"succeeded": 1' in part


def test_the_demo_shows_a_reminder_and_its_shipment(told: str) -> None:
    part = _part(told, 2)
    assert "201 Created" in part
    assert "Subject: You have not answered" in part
    assert '"type": "Reminder"' in part
    assert '"status": "Email_Delivered"' in part


def test_the_demo_subscribes_a_receiver_and_validates_it(told: str) -> None:
    part = _part(told, 3)
    assert '"resourceFilter":"urn:altinn:resource:app_ttd_apps-test"' in part
    assert '"type":"platform.events.validatesubscription"' in part
    assert '"validated": true' in part


def test_the_demo_publishes_with_curl_and_prints_no_whole_token(told: str) -> None:
    part = _part(told, 4)
    assert re.search(r"\$ curl .*\n--location http://127\.0\.0\.1:\d+/events/api/v1/app ", part)
    assert "--header 'PlatformAccessToken: eyJ" in part
    assert " 201 Created" in part
    assert not re.search(r"eyJ[\w-]{20}", told)


def test_the_demo_reads_the_event_back(told: str) -> None:
    part = _part(told, 5)
    assert "/events/api/v1/app/ttd/apps-test?after=0\n" in part
    assert "200 OK" in part
    assert "next: http" in part
    assert f'"id":"{_event_id(told)}"' in part


def test_the_demo_receives_the_event_with_a_good_signature(told: str) -> None:
    part = _part(told, 6)
    assert re.search(r"^webhook-id: evt_[0-9a-f]{32}$", part, re.MULTILINE)
    assert re.search(r"^webhook-timestamp: \d+$", part, re.MULTILINE)
    assert re.search(r"^webhook-signature: v1,", part, re.MULTILINE)
    assert f'"id":"{_event_id(told)}"' in part
    assert "The signature is good" in part


def test_the_demo_shows_the_event_as_a_mail(told: str) -> None:
    part = _part(told, 7)
    assert "To: kari@example.no" in part
    assert "Subject: app.instance.created: /party/50019855" in part


def test_the_demo_ends_with_what_comes_next(told: str) -> None:
    last = told.splitlines()[-1]
    assert last.startswith("All of this worked.")
    assert "docs/quickstart.md" in last


def test_the_demo_publishes_without_curl_as_well(tmp_path: Path) -> None:
    done = subprocess.run(COMMAND, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "HTTP/1.1 201 Created" in _part(done.stdout, 4)


def _part(told: str, number: int) -> str:
    """The text below a heading."""
    return told.split(f"== {number}. ")[1].partition(f"== {number + 1}. ")[0]


def _event_id(told: str) -> str:
    return _part(told, 4).rstrip().rpartition("\n")[2].strip('"')
