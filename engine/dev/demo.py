"""`varsel demo`: the main jobs once, unattended, on a fresh installation in a temporary folder."""

from __future__ import annotations

import hmac
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any, Self

import httpx
import typer

from engine.auth.tokens import DevelopmentKey
from engine.errors import VarselError
from engine.resources import SCOPE_CREATE, app_resource
from engine.settings import PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

ORDERS = "/notifications/api/v1/orders"
FUTURE = "/notifications/api/v1/future"
EVENTS = "/events/api/v1"
ORDER = {
    "subject": "Your application has been received",
    "body": "<h1>Hei, Kari!</h1><p>We have received your application. "
    '<a href="https://example.no/status">See how far it is</a>.</p>',
    "contentType": "Html",
    "recipients": [{"emailAddress": "kari@example.no"}],
    "sendersReference": "demo-1",
}
REMINDER_AFTER = timedelta(seconds=2)
EVENT = """{
  "type": "app.instance.created",
  "source": "https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd",
  "subject": "/party/50019855",
  "specversion": "1.0",
  "alternativesubject": "/person/01017512345"
}"""
RESOURCE = app_resource("ttd", "apps-test")
END = "All of this worked. Nothing of it stays: `make up` starts what does, and docs/quickstart.md goes on from there."
WITHIN = 60.0  # seconds that a step may take
LIFETIME = timedelta(hours=1)  # of the tokens


class DemoFailed(VarselError):
    """The demo failed; the message says where."""


def run() -> None:
    """Start everything on free ports, and show the whole path of an order and of an event. DemoFailed if one fails."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    with tempfile.TemporaryDirectory(prefix="varsel-demo-") as folder:
        command = [sys.executable, "-m", "engine", "up", "--data", folder, "--port", "0", "--smtp-port", "0"]
        typer.echo(f"$ {shlex.join(['varsel', *command[3:]])}")
        installation = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)  # noqa: S603 our own
        try:
            _show(_address(installation), DevelopmentKey(Path(folder)))
        except httpx.HTTPError as error:
            raise DemoFailed(str(error)) from None
        finally:
            installation.terminate()
            installation.wait()
            if installation.stdout:
                installation.stdout.close()


def _address(installation: subprocess.Popen[str]) -> str:
    for line in installation.stdout or ():
        if line.startswith("ready "):
            return line.split()[1]
    raise DemoFailed("the installation ended before it was ready; the reason is printed above")


def _show(address: str, key: DevelopmentKey) -> None:
    bearer = key.bearer("ttd", SCOPE_CREATE, LIFETIME)
    platform = key.platform_token("ttd", "apps-test", LIFETIME)
    with httpx.Client(base_url=address, headers={"Authorization": f"Bearer {bearer}"}, trust_env=False) as client:
        _head("1. An order becomes an e-mail")
        _order(client)
        _head("2. A message is followed by a reminder")
        _chain(client)
        with _Receiver() as receiver:
            _head("3. Somebody subscribes to an app's events")
            secret = _subscribe(client, receiver)
            _head("4. The app publishes one")
            event_id = _publish(address, bearer, platform)
            _head("5. It can be read")
            _pull(client, event_id)
            _head("6. It was pushed, and signed")
            _pushed(receiver, secret, event_id)
        _head("7. It became an e-mail")
        typer.echo(f"\n{_mail(client, 'app.instance.created: /party/50019855')}")
    typer.echo(END)


def _head(text: str) -> None:
    typer.echo(f"\n== {text} ==")


def _order(client: httpx.Client) -> None:
    order = _posted(client, f"{ORDERS}/email", ORDER)["orderId"]
    typer.echo(f"\nThe mail as it was received:\n\n{_mail(client, str(ORDER['subject']))}")
    status = _wait(client, f"{ORDERS}/{order}/status", _succeeded)
    typer.echo(f"The order's status:\n\n{json.dumps(status, indent=2)}")


def _chain(client: httpx.Client) -> None:
    """A message with a reminder, which usually follows by days (`delayDays`) and here by seconds."""
    reminder_at = (datetime.now(UTC) + REMINDER_AFTER).isoformat(timespec="milliseconds")
    first, second = ({"recipientEmail": _to_kari(subject)} for subject in ("Please answer", "You have not answered"))
    reminder = {"requestedSendTime": reminder_at, "recipient": second}
    body = {"idempotencyId": "demo-2", "recipient": first, "reminders": [reminder]}
    shipments = _posted(client, f"{FUTURE}/orders", body)["notification"]
    typer.echo(f"\nThe reminder as it was received:\n\n{_mail(client, 'You have not answered')}")
    path = f"{FUTURE}/shipment/{shipments['reminders'][0]['shipmentId']}"
    shipment = _wait(client, path, lambda found: found if found["status"] == "Order_Completed" else None)
    typer.echo(f"GET {client.base_url.join(path)}\n\n{json.dumps(shipment, indent=2)}")


def _to_kari(subject: str) -> dict[str, Any]:
    return {"emailAddress": "kari@example.no", "emailSettings": {"subject": subject, "body": "Hei, Kari!"}}


def _succeeded(status: dict[str, Any]) -> dict[str, Any] | None:
    summary: dict[str, Any] = status.get("notificationsStatusSummary", {}).get("email", {})
    return status if summary.get("succeeded") == 1 else None


def _mail(client: httpx.Client, subject: str) -> str:
    def found(inbox: dict[str, Any]) -> str | None:
        return next((message["raw"] for message in inbox["messages"] if message["subject"] == subject), None)

    return str(_wait(client, "/inbox/messages", found))


def _subscribe(client: httpx.Client, receiver: _Receiver) -> str:
    """Subscribe twice, for a program and for a person; returns the program's secret."""
    path = f"{EVENTS}/subscriptions"
    made = _posted(client, path, {"endPoint": receiver.url, "resourceFilter": RESOURCE})
    typer.echo(f"\nThe receiver got\n\n{receiver.next()[1].decode()}\n\nand by its answer, 200, the subscription is:")
    kept = _wait(client, f"{path}/{made['id']}", lambda found: found if found["validated"] else None)
    typer.echo(f'"validated": {json.dumps(kept["validated"])}')
    mail = {"endPoint": "mailto:kari@example.no", "resourceFilter": RESOURCE, "template": "event"}
    _posted(client, path, mail)
    return str(made["secret"])


def _publish(address: str, bearer: str, platform: str) -> str:
    """Publish as an app does, with curl where there is one; returns the event's id."""
    url = f"{address}{EVENTS}/app"
    headers = {"Content-Type": "application/json", "PlatformAccessToken": platform, "Authorization": f"Bearer {bearer}"}
    parts = [["curl", "--silent", "--include"], ["--location", url]]
    parts += [["--header", f"{name}: {value}"] for name, value in headers.items()]
    parts.append(["--data", EVENT])
    command = " \\\n".join(map(shlex.join, parts))
    for token in (bearer, platform):
        command = command.replace(token, f"{token[:12]}...")
    typer.echo(f"\n$ {command}\n")
    if shutil.which("curl"):
        answer = _curl(parts)
    else:
        answer = _told(httpx.post(url, headers=headers, content=EVENT, trust_env=False))
    typer.echo(answer)
    if " 201 " not in answer.partition("\n")[0]:
        raise DemoFailed("the event was not accepted; the answer stands above")
    return str(json.loads(answer.splitlines()[-1]))


def _curl(parts: list[list[str]]) -> str:
    direct = os.environ | {"no_proxy": "*"}  # as httpx here: this machine is not behind a proxy
    command = [text for part in parts for text in part]
    done = subprocess.run(command, env=direct, capture_output=True, text=True, check=False)  # noqa: S603 shown above
    if done.returncode:
        raise DemoFailed(f"curl ended with code {done.returncode}")
    return done.stdout


def _pull(client: httpx.Client, event_id: str) -> None:
    path = f"{EVENTS}/app/ttd/apps-test?after=0"
    typer.echo(f"\nGET {client.base_url.join(path)}\n")
    page = client.get(path)
    typer.echo(_told(page))
    if [event["id"] for event in page.raise_for_status().json()] != [event_id]:
        raise DemoFailed("the page does not hold the event that was published")


def _pushed(receiver: _Receiver, secret: str, event_id: str) -> None:
    """Show what the receiver got, and verify it as receivers do (Standard Webhooks 1.0)."""
    headers, body = receiver.next()
    typer.echo(_message("\nPOST /events HTTP/1.1", headers, body.decode()))
    if json.loads(body)["id"] != event_id:
        raise DemoFailed("another event was pushed than the one that was published")
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    digest = hmac.digest(b64decode(secret.removeprefix("whsec_")), signed, "sha256")
    if not hmac.compare_digest(headers["webhook-signature"], f"v1,{b64encode(digest).decode()}"):
        raise DemoFailed("the signature of the pushed event is not by the subscription's secret")
    typer.echo("\nThe signature is good: made with the secret above, over webhook-id, webhook-timestamp and body.")


class _Receiver:
    """A subscriber: keeps what is posted to it and answers 200. Use it as a context."""

    def __init__(self) -> None:
        got: SimpleQueue[tuple[dict[str, str], bytes]] = SimpleQueue()

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                got.put((dict(self.headers.items()), self.rfile.read(int(self.headers["Content-Length"]))))
                self.send_response(HTTPStatus.OK)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Log nothing: the demo itself shows each request."""

        self._got = got
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/events"

    def __enter__(self) -> Self:
        Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def next(self) -> tuple[dict[str, str], bytes]:
        """Headers and body of the next request; DemoFailed when none comes."""
        try:
            return self._got.get(timeout=WITHIN)
        except Empty:
            raise DemoFailed(f"nothing was pushed to the receiver within {WITHIN:.0f} s") from None


def _posted(client: httpx.Client, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Post, and show both sides; returns what came back."""
    typer.echo(f"\nPOST {client.base_url.join(path)}\n{json.dumps(body, indent=2)}\n")
    answer = client.post(path, json=body)
    typer.echo(_told(answer))
    found: dict[str, Any] = answer.raise_for_status().json()
    return found


def _told(answer: httpx.Response) -> str:
    first = f"{answer.http_version} {answer.status_code} {answer.reason_phrase}"
    return _message(first, answer.headers, answer.text)


def _message(first: str, headers: Mapping[str, str], body: str) -> str:
    return "\n".join([first, *(f"{name}: {value}" for name, value in headers.items()), "", body])


def _wait(client: httpx.Client, path: str, found: Any) -> Any:
    give_up = time.monotonic() + WITHIN
    while time.monotonic() < give_up:
        if result := found(client.get(path).raise_for_status().json()):
            return result
        time.sleep(0.05)
    raise DemoFailed(f"{path} did not show the expected result within {WITHIN:.0f} s")
