"""An order and an event, through whatever was put up; and requests while it is restarted."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING

import httpx

from tests.deploy.podman import podman, say
from tests.helpers.waiting import patience, wait_for

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterable

SCOPES = ("altinn:notifications.create", "altinn:events.publish", "altinn:events.subscribe")
ORDER = {"subject": "Hei", "body": "Hei, Kari!", "recipients": [{"emailAddress": "kari@example.no"}]}
EVENT = {
    "specversion": "1.0",
    "id": "1",
    "type": "no.example.happened",
    "source": "https://example.no/case/1",
    "resource": "urn:altinn:resource:example",
}


def is_ready(url: str, trust: ssl.SSLContext | None) -> bool:
    try:
        return bool(httpx.get(f"{url}/readyz", verify=trust or True, timeout=5).json()["status"] == "ok")
    except (httpx.HTTPError, ValueError):
        return False


def within(container: str) -> Callable[..., str]:
    """Varsel's commands, run in a container."""
    return lambda *arguments: podman("exec", container, "varsel", *arguments)


def send(
    what: str, url: str, varsel: Callable[..., str], trust: ssl.SSLContext | None = None, token: str | None = None
) -> str:
    """Wait until it is ready; then an order is sent and an event stored, or the test ends here.

    `varsel` runs a command of Varsel's there. Without a token, it makes an API key. Returns what it came with.
    """
    wait_for(lambda: is_ready(url, trust))
    scopes = [word for scope in SCOPES for word in ("--scope", scope)]
    key = token or varsel("keys", "create", "--creator", "ttd", "--name", "test", *scopes).split()[0]
    headers = {"Authorization": f"Bearer {key}"}
    with httpx.Client(base_url=url, verify=trust or True, headers=headers, timeout=patience()) as client:
        began = time.monotonic()
        ordered = client.post("/notifications/api/v1/orders/email", json=ORDER)
        assert ordered.status_code == 202, ordered.text
        content = {"Content-Type": "application/cloudevents+json"}
        published = client.post("/events/api/v1/events", content=json.dumps(EVENT), headers=content)
        assert published.status_code == 200, published.text
        status = f"/notifications/api/v1/orders/{ordered.json()['orderId']}/notifications/email"

        wait_for(lambda: client.get(status).raise_for_status().json()["succeeded"] == 1)
    events = json.loads(varsel("events", "list", "--json"))["items"]
    assert EVENT["type"] in {event["type"] for event in events}
    say(f"{what}: an e-mail was sent and an event stored within {time.monotonic() - began:.1f} s")
    return key


def restart(what: str, url: str, trust: ssl.SSLContext, restarts: Iterable[Callable[[], object]]) -> None:
    """Restart one `web` after the other while requests come; none is refused."""
    done = Event()

    def ask() -> list[int]:
        answers = []
        while not done.is_set():
            # No health check: that of a `web` that is ending says so.
            answers.append(httpx.get(f"{url}/openapi.json", verify=trust, timeout=patience()).status_code)
        return answers

    with ThreadPoolExecutor() as pool:
        asking = pool.submit(ask)
        try:
            for one in restarts:
                one()
        finally:
            done.set()
        answers = asking.result()
    assert set(answers) == {200}, answers
    say(f"{what}: {len(answers)} requests meanwhile, none refused")
