"""The basis of failure tests: an installation, its relay, its ledger, and a client."""

from __future__ import annotations

import fcntl
import os
import signal
import sys
import time
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Self

from api.recipients import NDJSON
from engine.runtime.proc import connections, opened, parent
from tests.helpers.counting import Count, count
from tests.helpers.ledger import Ledger
from tests.helpers.processes import alive, descendants, start, stop
from tests.helpers.waiting import patience, wait_for
from tests.servers.installation import API, OPEN, ORDERING, Installation, chain, composed, instant, order
from tests.servers.smtp import ScriptedSMTP

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from tests.servers.smtp_script import Script

FLAWLESS = Count(lost=[], doubled=[], renamed=[], unordered=[])


class Site:
    """Use it as a context, whose end checks that Ctrl-C leaves no process behind.

    Settings are those of Installation; `smtp_url` names a relay of the test's own.
    """

    def __init__(self, folder: Path, script: Script | None = None, **settings: object) -> None:
        self.relay = ScriptedSMTP(script)
        self._folder = folder
        self._settings = settings

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            stack.enter_context(self.relay)
            settings = {"smtp_url": self.relay.url} | self._settings
            self.varsel = stack.enter_context(Installation(self._folder, **settings))
            self.up = parent(self.varsel.pid("web"))
            self.client = stack.enter_context(self.varsel.client(scope=ORDERING))
            self.ledger = stack.enter_context(Ledger(str(self._settings.get("database_url", "")) or self._folder))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self.relay.release()  # a worker that ends waits for its replies
        processes = self.processes()
        self._stack.close()
        wait_for(lambda: not any(alive(pid) for pid in processes))

    def post(self, *to: str, **members: object) -> str:
        """Order a mail to each address; returns the order's URL."""
        answer = self.client.post(f"{API}/orders/email", json=order(*to, **members))
        assert answer.status_code == 202, answer.text
        return str(answer.headers["location"])

    def follow(self, *to: str) -> str:
        """Open an order to these addresses, which follow it; returns the order's URL."""
        its = f"{API}/orders/{self.client.post(f'{API}/orders/email', json=OPEN).json()['orderId']}"
        lines = b"".join(b'{"emailAddress":"%s"}\n' % address.encode() for address in to)
        answer = self.client.post(f"{its}/recipients", content=lines, headers={"Content-Type": NDJSON})
        assert answer.json()["valid"] == len(to)
        return its

    def post_chain(self, first: str, *reminded: str, after: timedelta = timedelta(seconds=1)) -> None:
        """Order a mail to an address, and reminders to others, which are due after so long."""
        answer = self.client.post(f"{API}/future/orders", json=chain(first, *reminded, after=after))
        assert answer.status_code == 201, answer.text

    def post_instant(self, to: str) -> None:
        """Order an instant mail."""
        answer = self.client.post(f"{API}/future/orders/instant/email", json=instant(to))
        assert answer.status_code == 201, answer.text

    def post_composed(self, to: str) -> None:
        """Order a mail with an attachment."""
        answer = self.client.post(f"{API}/future/orders/composed-email", json=composed(to))
        assert answer.status_code == 201, answer.text

    def post_each_kind(self, to: Sequence[str]) -> None:
        """Of each five addresses, one gets an order, one an instant, one a composed one, two one with a reminder."""
        for begin in range(0, len(to), 5):
            single, urgent, large, *others = to[begin : begin + 5]
            self.post(single)
            self.post_instant(urgent)
            self.post_composed(large)
            self.post_chain(*others)

    def processing_status(self, location: str) -> str:
        """The order's state in the API."""
        return str(self.client.get(f"{location}/status").raise_for_status().json()["processingStatus"]["status"])

    def send_statuses(self, location: str) -> dict[str, str]:
        """The state of each address in the API."""
        answer: dict[str, Any] = self.client.get(f"{location}/notifications/email").raise_for_status().json()
        return {entry["recipient"]["emailAddress"]: entry["sendStatus"]["status"] for entry in answer["notifications"]}

    def await_copies(self, number: int) -> None:
        """Return when the relay has got so many mails."""
        wait_for(lambda: len(self.relay.messages) >= number)

    def await_mails(self, *to: str) -> None:
        """Return when the relay has got one for each of these, however often it got others."""
        wait_for(lambda: not self.count(to).lost)

    def settle(self, *, hurried: bool = False) -> None:
        """Return when nothing is left to do; `hurried`: without the minutes between an e-mail's attempts."""

        def settled() -> bool:
            if hurried:
                self.ledger.hurry()
            return self.ledger.settled()

        wait_for(settled)

    def processes(self) -> set[int]:
        """`varsel up` and all that it has started."""
        return {self.up} | descendants(self.up)

    @contextmanager
    def another(self, command: str, **variables: str) -> Iterator[int]:
        """A further worker or scheduler, like the site's own except for these variables; gives its process id."""
        its = self.varsel.environment()
        process = start([sys.executable, "-m", "engine", command], env=its | variables)
        try:
            yield process.pid
        finally:
            process.terminate()
            process.wait(patience())

    def restart(self, name: str) -> None:
        """SIGKILL a process; return when its supervisor has started the next one of that name."""
        killed = self.varsel.pid(name)
        self.varsel.kill(name)
        wait_for(lambda: self.varsel.pid(name) != killed)

    def busiest(self, port: int) -> str:
        """The worker that has the most connections to a port of this machine."""
        workers = self._settings.get("worker_processes", 2)
        names = [f"worker {number}" for number in range(1, int(str(workers)) + 1)]
        return max(names, key=lambda name: connections(self.varsel.pid(name), port))

    def count(self, to: Iterable[str]) -> Count:
        """Compare every copy that the relay got with what was ordered."""
        return count(self.relay.messages, to)


def addresses(number: int, name: str = "kari") -> list[str]:
    """Make so many different addresses."""
    return [f"{name}.{n}@example.no" for n in range(number)]


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Stop a process (SIGSTOP) while the block runs: its supervisor does not notice.

    It is not stopped while it writes to an SQLite file: then nobody else could write until the end of the block.
    """
    while not _stop(pid):
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.01)  # it goes on with its transaction
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def _stop(pid: int) -> bool:
    """Stop a process; returns whether the gates that it has opened are free (docs/decisions/0002)."""
    gates = {path for path in opened(stop(pid)) if path.suffix == ".gate"}
    return all(map(_is_free, gates))


def _is_free(gate: Path) -> bool:
    with gate.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True
