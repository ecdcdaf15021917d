"""`varsel demo`: the main job once, unattended, on a fresh installation in a temporary folder."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import click
import httpx

from engine.errors import VarselError
from engine.settings import PREFIX
from engine.tokens import DevelopmentKey

ORDER = {  # the order of the README
    "subject": "Your application has been received",
    "body": "<h1>Hei, Kari!</h1><p>We have received your application. "
    '<a href="https://example.no/status">See how far it is</a>.</p>',
    "contentType": "Html",
    "recipients": [{"emailAddress": "kari@example.no"}],
    "sendersReference": "demo-1",
}
WITHIN = 60.0  # seconds for everything


class DemoFailed(VarselError):
    """The demo did not come to its end; the message says where."""


def run() -> None:
    """Start everything on free ports, post the order, wait for the mail, show mail and status. DemoFailed if not."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with tempfile.TemporaryDirectory(prefix="varsel-demo-") as folder:
        command = [sys.executable, "-m", "engine", "up", "--data", folder, "--port", "0", "--smtp-port", "0"]
        click.echo(f"$ {shlex.join(['varsel', *command[3:]])}")
        installation = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603 our own
        try:
            _show(_address(installation), Path(folder))
        finally:
            installation.terminate()
            installation.wait()
            if installation.stdout:
                installation.stdout.close()


def _address(installation: subprocess.Popen[str]) -> str:
    for line in installation.stdout or ():
        if line.startswith("ready "):
            return line.split()[1]
    raise DemoFailed("the installation ended before it was ready; its reason stands above")


def _show(address: str, folder: Path) -> None:
    token = DevelopmentKey(folder).bearer("ttd", "altinn:notifications.create", timedelta(hours=1))
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {token}"}, trust_env=False) as client:
        click.echo(f"\nPOST {address}/notifications/api/v1/orders/email\n{json.dumps(ORDER, indent=2)}")
        answer = client.post("/notifications/api/v1/orders/email", json=ORDER)
        click.echo(f"\n{answer.status_code} {answer.reason_phrase}\nLocation: {answer.headers.get('location')}")
        click.echo(answer.text)
        order = answer.json()["orderId"]
        message = _wait(client, "/inbox/messages", lambda found: found["messages"] and found["messages"][0])
        click.echo(f"\nThe mail as it was received:\n\n{message['raw']}")
        path = f"/notifications/api/v1/orders/{order}/status"
        status = _wait(client, path, lambda found: found if _succeeded(found) else None)
        click.echo(f"The order's status:\n\n{json.dumps(status, indent=2)}")


def _succeeded(status: dict[str, Any]) -> bool:
    summary: dict[str, Any] = status.get("notificationsStatusSummary", {}).get("email", {})
    return bool(summary.get("succeeded") == 1)


def _wait(client: httpx.Client, path: str, found: Any) -> Any:
    give_up = time.monotonic() + WITHIN
    while time.monotonic() < give_up:
        if result := found(client.get(path).raise_for_status().json()):
            return result
        time.sleep(0.05)
    raise DemoFailed(f"{path} did not show the expected result within {WITHIN:.0f} s")
