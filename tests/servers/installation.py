"""A whole installation, started as a person starts it: `varsel up` in a test's folder."""

from __future__ import annotations

import os
import re
import signal
import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Self

from engine.auth.tokens import DevelopmentKey
from engine.resources import SCOPE_COMPOSED, SCOPE_CREATE
from tests.helpers import migrated
from tests.helpers.client import ask, connect
from tests.helpers.forks import Fork
from tests.helpers.waiting import patience, wait_for

if TYPE_CHECKING:
    from pathlib import Path

    import httpx

API = "/notifications/api/v1"
ORDERING = f"{SCOPE_CREATE} {SCOPE_COMPOSED}"  # orders of every kind


class Installation:
    """`varsel up` on free ports; use it as a context. Settings are names without VARSEL_, in lower case."""

    def __init__(self, folder: Path, **settings: object) -> None:
        self.folder = folder
        self.key = DevelopmentKey(folder)
        self.output: list[str] = []
        self.address = ""
        self.settings = {f"VARSEL_{name.upper()}": str(value) for name, value in settings.items()}

    def __enter__(self) -> Self:
        its, theirs = os.pipe()
        if not ((database := self.folder / "varsel.db").exists() or "VARSEL_DATABASE_URL" in self.settings):
            migrated.copy_to(database)  # as its first start would make it, in half a second of the processor
        arguments = ["up", "--data", self.folder, "--port", 0, "--smtp-port", 0]
        with os.fdopen(theirs, "w") as output:
            self._process = Fork(arguments, self._others() | self.settings, output, output)
        self._reader = threading.Thread(target=self._read, args=(its,), daemon=True)
        self._reader.start()
        try:
            line = wait_for(lambda: self._process.poll() is not None or self._find(r"^ready (\S+)"))
            assert line is not True, "".join(self.output)
        except BaseException:
            self.stop()
            raise
        self.address = str(line)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._process.send_signal(signal.SIGINT)
        self._process.wait(patience())
        self._reader.join(patience())

    def pid(self, name: str) -> int:
        """The newest process of that name: redis, inbox, web, worker 1, worker 2, scheduler."""
        found = re.findall(rf"^started {name} \(pid (\d+)\)", "".join(self.output), re.MULTILINE)
        return int(found[-1])

    def environment(self) -> dict[str, str]:
        """The environment for one more process like those that it has started."""
        own = {
            "DATABASE_URL": f"sqlite:///{self.folder}/varsel.db",
            "REDIS_URL": f"unix://{self.folder}/redis.sock",
            "JWKS": str(self.key.jwks),
            "PLATFORM_KEYS": str(self.key.platform),
            "WEBHOOK_KEY": (self.folder / "keys" / "webhook.key").read_text(),
            "BASE_URL": self.address,
            "METRICS_DIR": str(self.folder / "metrics"),
        }
        return self._others() | {f"VARSEL_{name}": value for name, value in own.items()} | self.settings

    def _others(self) -> dict[str, str]:
        return {name: value for name, value in os.environ.items() if not name.startswith("VARSEL_")}

    def kill(self, name: str) -> None:
        """SIGKILL: the supervisor starts it again."""
        os.kill(self.pid(name), signal.SIGKILL)

    def client(self, org: str = "ttd", scope: str = "altinn:notifications.create") -> httpx.Client:
        """A client of the API with a token of this organisation."""
        token = self.key.bearer(org, scope, timedelta(hours=1))
        headers = {"Authorization": f"Bearer {token}"}
        return connect(self.address, headers=headers)

    def messages(self, to: str | None = None) -> list[dict[str, Any]]:
        """The messages in the development inbox."""
        asked = {"to": to} if to else {}
        answer = ask("GET", f"{self.address}/inbox/messages", params=asked)
        messages: list[dict[str, Any]] = answer.raise_for_status().json()["messages"]
        return messages

    def _read(self, its: int) -> None:
        with open(its) as lines:
            for line in lines:
                self.output.append(line)

    def _find(self, pattern: str) -> str | None:
        found = re.search(pattern, "".join(self.output), re.MULTILINE)
        return found[1] if found else None


def order(*addresses: str, **members: object) -> dict[str, object]:
    """A valid order to these addresses."""
    recipients = [{"emailAddress": address} for address in addresses or ("kari@example.no",)]
    return {"subject": "Hei", "body": "Hei, Kari!", "recipients": recipients} | members


OPEN = {"subject": "Hei", "body": "Hei!", "recipientsFollow": True}  # an order whose recipients follow it


def letter(address: str) -> dict[str, Any]:
    """What an address gets, as the second generation writes it."""
    return {"emailAddress": address, "emailSettings": {"subject": "Hei", "body": "Hei, Kari!"}}


def chain(first: str, *reminded: str, after: timedelta = timedelta(seconds=1), **members: object) -> dict[str, Any]:
    """A valid order to an address, with a reminder to each further one, all of them due after so long."""
    due = at(after)
    reminders = [{"requestedSendTime": due, "recipient": {"recipientEmail": letter(each)}} for each in reminded]
    return {"idempotencyId": first, "recipient": {"recipientEmail": letter(first)}, "reminders": reminders} | members


def instant(address: str) -> dict[str, object]:
    """A valid instant order to an address."""
    return {"idempotencyId": address, "recipientEmail": letter(address)}


def composed(address: str) -> dict[str, object]:
    """A valid e-mail with an attachment to an address."""
    file = {"filename": "vedtak.txt", "mimeType": "text/plain", "content": "SGVpLCBLYXJpIQo="}
    recipient = letter(address)
    settings = recipient["emailSettings"] | {"attachments": [file]}
    return {"idempotencyId": address, "recipient": recipient | {"emailSettings": settings}}


def at(delay: timedelta) -> str:
    """A time so long from now, as an order writes it."""
    return (datetime.now(UTC) + delay).isoformat()
