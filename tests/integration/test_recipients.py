"""Recipients known by number: look-up, reservation, keywords, on both databases."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from tests.helpers.waiting import wait_for
from tests.servers.installation import API, Installation, order

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

pytestmark = pytest.mark.slow

ORDERS = f"{API}/orders/email"
KARI, OLA, NOBODY, SILENT = "16069412345", "01010112345", "99999999999", "02020212345"
FIRM, UNKNOWN_FIRM = "910150804", "999999999"
SUCCESS = {"status": "Success", "isReserved": [], "missingContact": []}
CSV = f"""identity,name,email,reserved
{KARI},Kari <Nordmann>,kari.reg@example.no,false
{OLA},Ola Nordmann,ola.reg@example.no,true
{SILENT},Sivert Stille,,true
{FIRM},Fjell & Fjord,post@fjell.example,
{FIRM},Fjell & Fjord,POST@fjell.example,
{FIRM},Fjell & Fjord,info@fjell.example,
"""


def load(installation: Installation, text: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engine", "contacts", "import", "-", "--data", str(installation.folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VARSEL_")}
    environment |= installation.settings
    return subprocess.run(command, input=text, env=environment, text=True, capture_output=True, check=False)


@pytest.fixture(scope="module")
def directory(installation: Installation) -> None:
    done = load(installation, CSV)
    assert (done.returncode, done.stdout) == (0, "6 contacts imported\n"), done.stderr


@pytest.fixture
def client(installation: Installation, directory: None) -> Iterator[httpx.Client]:
    del directory
    with installation.client() as client:
        yield client


def post(client: httpx.Client, *recipients: dict[str, str], **members: Any) -> dict[str, Any]:
    answer = client.post(ORDERS, json=order(**members) | {"recipients": recipients})
    assert answer.status_code == 202, answer.text
    receipt: dict[str, Any] = answer.json()
    return receipt


def results(client: httpx.Client, receipt: dict[str, Any], count: int) -> list[tuple[str, str]]:
    path = f"{API}/orders/{receipt['orderId']}/notifications/email"
    pending = ("New", "Sending")

    def settled() -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = client.get(path).json()["notifications"]
        return [] if any(entry["sendStatus"]["status"] in pending for entry in entries) else entries

    found = wait_for(settled)
    assert len(found) == count
    return [(entry["recipient"]["emailAddress"], entry["sendStatus"]["status"]) for entry in found]


def person(number: str) -> dict[str, str]:
    return {"nationalIdentityNumber": number}


def firm(number: str) -> dict[str, str]:
    return {"organizationNumber": number}


def test_the_answer_tells_whom_the_directory_knows(client: httpx.Client) -> None:
    assert post(client, person(KARI))["recipientLookup"] == SUCCESS
    assert post(client, person(KARI), person(OLA), firm(UNKNOWN_FIRM))["recipientLookup"] == {
        "status": "PartialSuccess",
        "isReserved": [OLA],
        "missingContact": [UNKNOWN_FIRM],
    }
    assert post(client, person(NOBODY))["recipientLookup"] == {
        "status": "Failed",
        "isReserved": [],
        "missingContact": [NOBODY],
    }
    assert "recipientLookup" not in post(client, {"emailAddress": "direkte@example.no"})


def test_a_reserved_person_without_an_address_is_reserved_and_not_missing(client: httpx.Client) -> None:
    reserved = {"isReserved": [SILENT], "missingContact": []}
    assert post(client, person(SILENT))["recipientLookup"] == {"status": "Failed"} | reserved
    assert post(client, person(SILENT), ignoreReservation=True)["recipientLookup"] == {"status": "Success"} | reserved


def test_each_recipient_ends_as_the_directory_has_it(client: httpx.Client) -> None:
    receipt = post(client, person(KARI), person(OLA), person(NOBODY), firm(FIRM))
    assert results(client, receipt, 5) == [
        ("kari.reg@example.no", "Succeeded"),
        ("", "Failed_RecipientReserved"),
        ("", "Failed_RecipientNotIdentified"),
        ("post@fjell.example", "Succeeded"),
        ("info@fjell.example", "Succeeded"),
    ]
    status = client.get(f"{API}/orders/{receipt['orderId']}/status").json()
    assert status["notificationsStatusSummary"]["email"]["generated"] == 5
    assert status["notificationsStatusSummary"]["email"]["succeeded"] == 3


def test_a_reservation_can_be_ignored(client: httpx.Client) -> None:
    receipt = post(client, person(OLA), ignoreReservation=True)
    assert receipt["recipientLookup"] == SUCCESS | {"isReserved": [OLA]}
    assert results(client, receipt, 1) == [("ola.reg@example.no", "Succeeded")]


def test_keywords_are_filled_in_for_whom_the_directory_knows(client: httpx.Client, installation: Installation) -> None:
    mark = uuid.uuid4().hex
    members = {
        "subject": f"{mark} $recipientName$",
        "body": "[$recipientName$|$recipientNumber$]",
        "contentType": "Html",
    }
    receipt = post(client, person(KARI), firm(FIRM), {"emailAddress": "ukjent.reg@example.no"}, **members)
    results(client, receipt, 4)
    mails = {
        mail["envelope"]["to"][0]: (mail["subject"], mail["html"].strip())
        for mail in installation.messages()
        if mail["subject"].startswith(mark)
    }
    assert mails == {
        "kari.reg@example.no": (f"{mark} Kari <Nordmann>", "[Kari &lt;Nordmann&gt;|]"),
        "post@fjell.example": (f"{mark} Fjell & Fjord", f"[Fjell &amp; Fjord|{FIRM}]"),
        "info@fjell.example": (f"{mark} Fjell & Fjord", f"[Fjell &amp; Fjord|{FIRM}]"),
        "ukjent.reg@example.no": (f"{mark} $recipientName$", "[$recipientName$|$recipientNumber$]"),
    }


def test_a_bad_file_is_refused_whole_and_each_line_named(client: httpx.Client, installation: Installation) -> None:
    done = load(
        installation, "identity,name,email,reserved\n123,A,a@example.no,false\n16069412345,B,not-an-address,maybe\n"
    )
    assert done.returncode == 1
    assert "line 2: identity must be 11 digits" in done.stderr
    assert "line 3: email is not an e-mail address" in done.stderr
    assert load(installation, "nummer,navn\n").returncode == 1
    assert post(client, person(KARI))["recipientLookup"] == SUCCESS
