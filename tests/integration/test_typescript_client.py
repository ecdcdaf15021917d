"""The TypeScript client against a running installation, where Node is on the machine; its types, where tsc is."""

from __future__ import annotations

import json
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

from tests.helpers.ports import free_port
from tests.servers.cut import Cut
from tests.servers.http import Receiver, Say
from varsel.client import Client, __version__

if TYPE_CHECKING:
    from tests.servers.installation import Installation

PROGRAM = Path(__file__).with_name("typescript_client.mjs")
NODE, TSC = shutil.which("node"), shutil.which("tsc")
RESOURCE = "urn:altinn:resource:typescript-pushed"
SCOPES = "altinn:notifications.create altinn:events.publish altinn:events.subscribe"
STRICT = ["--noEmit", "--strict", "--checkJs", "--allowJs", "--module", "nodenext", "--target", "es2022"]


def run(*command: object) -> str:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def pushed(varsel: Client) -> dict[str, Any]:
    """A request that the installation has pushed, and the secret that verifies it."""
    with Receiver(Say(200)) as receiver:
        subscription = varsel.subscriptions.create(
            {"endPoint": receiver.url, "resourceFilter": "urn:altinn:resource:ts"}
        )
        receiver.wait_for(lambda: len(receiver.requests) == 1)
        varsel.subscriptions.delete(subscription["id"])
    request = receiver.requests[0]
    return {"secret": subscription["secret"], "pushed": request.body.decode(), "headers": request.headers}


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
@pytest.mark.parametrize("database", ["sqlite"], indirect=True)
def test_what_a_program_does_with_it(installation: Installation) -> None:
    token = installation.key.bearer("ttd", SCOPES, timedelta(hours=1))
    to, repeated = f"{uuid4().hex}@example.no", f"{uuid4().hex}@example.no"
    with Client(installation.address, token) as varsel, Cut(installation.address) as way:
        way.cut()
        nobody = f"http://127.0.0.1:{free_port()}"
        given = {"address": installation.address, "token": token, "to": to, "repeated": repeated, "nobody": nobody}
        told = json.loads(run(NODE, PROGRAM, json.dumps({**given, "cut": way.url, **pushed(varsel)})))
        placed = varsel.orders.list(senders_reference=repeated)["orders"]
    assert told.pop("repeated") == placed[0]["id"]
    assert (len(placed), way.answers) == (1, 2)
    assert told == {
        "version": __version__,
        "destinations": [to],
        "status": "Completed",
        "inFeed": True,
        "isReversed": True,
        "reminders": 1,
        "stillOpen": True,
        "cancelled": "Cancelled",
        "events": [["1", "1"], ["2", "1"], ["3", "1"]],
        "invalid": [400, ["Recipients"], "ApiError"],
        "unknown": "NOT-00003",
        "unreachable": True,
        "pushed": "platform.events.validatesubscription",
        "refused": [True, True],
    }


@pytest.mark.skipif(TSC is None, reason="the TypeScript compiler is not installed")
def test_its_types_are_those_of_what_a_program_does() -> None:
    run(TSC, *STRICT, PROGRAM)
