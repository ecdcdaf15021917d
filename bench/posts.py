"""Posting orders and events: the bodies, and a client that takes little CPU from the machine that it measures."""

from __future__ import annotations

import asyncio
import gc
import http.client
import json
import re
import time
from dataclasses import dataclass, field
from itertools import cycle
from typing import TYPE_CHECKING, Any

import uvloop

from engine.models import CloudEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import datetime

PATH = "/notifications/api/v1/orders/email"
EVENTS_PATH = "/events/api/v1/events"
APP_PATH = "/events/api/v1/app"
SMALL = {
    "subject": "Du har fått en melding",
    "body": "Hei! Logg inn for å lese meldingen.",
    "recipients": [{"emailAddress": "kari.nordmann@example.no"}],
    "sendersReference": "sak-2026-1",
}
APP_RESOURCE = "urn:altinn:resource:app_ttd_apps-test"
APP_TYPE = "app.instance.created"
_SOURCE = "https://ttd.apps.altinn.no/ttd/apps-test/instances/50019855/428a4575-2c04-4400-89a3-1aaadd2579cd"
_PARAGRAPH = "Du har mottatt et vedtak i saken din. Logg inn for å lese hele vedtaket og se hvilke frister som gjelder."
PARAGRAPHS = 6  # make a message of about 2.3 kB
PARAGRAPHS_ALONE = 16  # make as large a message without an HTML part
_LENGTH = re.compile(rb"content-length: *(\d+)", re.IGNORECASE)


def html(number: int) -> str:
    """A body, different for each number, whose message with its plain-text alternative has about 2.3 kB."""
    paragraphs = "".join(f'<p style="margin:0 0 16px">{_PARAGRAPH}</p>\n' for _ in range(PARAGRAPHS))
    return f"<html><body>\n<h1>Vedtak i sak {number}</h1>\n{paragraphs}</body></html>\n"


def text(number: int, paragraphs: int = PARAGRAPHS) -> str:
    """What the body says, as plain text."""
    return f"Vedtak i sak {number}\n\n" + f"{_PARAGRAPH}\n\n" * paragraphs


def html_order(number: int, recipients: Sequence[str], **members: Any) -> dict[str, Any]:
    """An order of that body."""
    addressed = [{"emailAddress": address} for address in recipients]
    subject = f"Vedtak i sak {number}"
    return {"subject": subject, "body": html(number), "contentType": "html", "recipients": addressed} | members


def text_order(number: int, recipients: Sequence[str]) -> dict[str, Any]:
    """An order whose message is as large, and is one part of plain text."""
    return html_order(number, recipients, contentType="Plain", body=text(number, PARAGRAPHS_ALONE))


def app_event(party: int = 50019855) -> str:
    """An app's event about an instance of this party, as JSON."""
    event = {"type": APP_TYPE, "source": _SOURCE, "subject": f"/party/{party}", "specversion": "1.0"}
    return json.dumps(event | {"alternativesubject": "/person/01017512345"})


def stored_event(number: int, subject: str, at: datetime, resource: str = APP_RESOURCE) -> CloudEvent:
    """An event with its own id, as it is stored and pushed."""
    about = {"source": _SOURCE, "type": APP_TYPE, "subject": subject, "resource": resource}
    given = {"id": f"0190f3c2-0000-7000-8000-{number:012}"} | about
    written = {"specversion": "1.0", "time": at.isoformat(), "alternativesubject": "/person/01017512345"}
    text = json.dumps(given | written, separators=(",", ":"))
    return CloudEvent(**given, alternative_subject=written["alternativesubject"], time=at, text=text)


def wire(orders: Iterable[dict[str, Any]], tokens: Sequence[str]) -> Iterator[bytes]:
    """Orders as requests; the tokens take turns."""
    for order, token in zip(orders, cycle(tokens), strict=False):
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
        yield request(PATH, headers, json.dumps(order, ensure_ascii=False))


def request(path: str, headers: Mapping[str, str], body: str) -> bytes:
    """A POST as it goes over the connection."""
    content = body.encode()
    lines = [f"{name}: {value}\r\n" for name, value in headers.items()]
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{''.join(lines)}Content-Length: {len(content)}\r\n\r\n"
    return head.encode() + content


class Client:
    """Posts one order after another over one connection."""

    def __init__(self, port: int, token: str) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        self._headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}

    def post(self, order: Mapping[str, Any]) -> None:
        """Post an order; RuntimeError when it is not accepted."""
        self._connection.request("POST", PATH, json.dumps(order), self._headers)
        answer = self._connection.getresponse()
        body = answer.read()
        if answer.status != 202:
            raise RuntimeError(f"not answered with 202: {answer.status} {body!r}")


def post_all(port: int, requests: Iterable[bytes], *, connections: int, rate: float | None = None) -> list[float]:
    """Post every request and return how long each took, in seconds; RuntimeError when an answer is not 2xx.

    Without a rate, each connection sends the next request when the last one is answered. With a rate (per second), each
    request has its time, whether or not earlier ones are answered, and is measured from that time.
    """
    gc.collect()
    gc.disable()  # its passes would look like the server's time
    try:
        return uvloop.run(_post_all(port, iter(requests), connections, rate))
    finally:
        gc.enable()


async def _post_all(port: int, requests: Iterator[bytes], connections: int, rate: float | None) -> list[float]:
    posting = _Posting(requests, rate)
    loop = asyncio.get_running_loop()
    for _ in range(connections):
        await loop.create_connection(lambda: _Connection(posting), "127.0.0.1", port)
    posting.started = time.perf_counter()
    while not posting.exhausted:
        posting.send_due()
        await asyncio.sleep(0.001 if rate else 0.05)
    await asyncio.wait_for(posting.all_answered.wait(), 60)
    for connection in posting.idle:
        connection.transport.close()
    if posting.refused:
        raise RuntimeError(f"{posting.refused} requests were not answered with 2xx; one got: {posting.example!r}")
    return posting.took


@dataclass
class _Posting:
    requests: Iterator[bytes]
    rate: float | None
    started: float = 0.0
    sent: int = 0
    exhausted: bool = False
    refused: int = 0
    example: bytes = b""
    took: list[float] = field(default_factory=list)
    idle: list[_Connection] = field(default_factory=list)
    all_answered: asyncio.Event = field(default_factory=asyncio.Event)

    def send_due(self) -> None:
        """Send what is due on the connections that are free."""
        while self.idle and not self.exhausted:
            now = time.perf_counter()
            due = self.started + self.sent / self.rate if self.rate else now
            if due > now:
                return
            request = next(self.requests, None)
            if request is None:
                self.exhausted = True
                self._finish()
                return
            self.sent += 1
            self.idle.pop().send(request, due)

    def answered(self, connection: _Connection, answer: bytes) -> None:
        """Note an answer, and send on."""
        self.took.append(time.perf_counter() - connection.due)
        if not answer.startswith(b"HTTP/1.1 2"):
            self.refused += 1
            self.example = answer
        self.idle.append(connection)
        self.send_due()
        self._finish()

    def _finish(self) -> None:
        if self.exhausted and len(self.took) == self.sent:
            self.all_answered.set()


class _Connection(asyncio.Protocol):
    def __init__(self, posting: _Posting) -> None:
        self._posting = posting
        self._answer = b""
        self.due = 0.0

    def connection_made(self, transport: Any) -> None:
        self.transport = transport
        self._posting.idle.append(self)

    def send(self, request: bytes, due: float) -> None:
        self.due = due
        self.transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        head, end, body = self._answer.partition(b"\r\n\r\n")
        length = _LENGTH.search(head)
        if end and len(body) >= (int(length[1]) if length else 0):
            answer, self._answer = self._answer, b""
            self._posting.answered(self, answer)
