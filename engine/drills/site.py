"""The installation whose processes a drill may kill: one of `varsel up`, whose mail goes to its development inbox.

Whatever cannot be known is refused: real people may stand behind any other relay, and others' work behind any other
process. Processes are known by their heartbeats, by their parent and by the lock file that it hands on to them.
"""

from __future__ import annotations

import socket
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from sqlalchemy import select

from engine.db.living import LIVES
from engine.db.store import Store
from engine.db.tables import processes
from engine.dev.data_folder import data_folder
from engine.dev.embedded import LOCK
from engine.dev.inbox import LOCK as INBOX_LOCK
from engine.doctor.asking import living
from engine.errors import Conflict
from engine.runtime import proc
from engine.settings.told import following
from engine.text.urls import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.doctor.asking import Asked
    from engine.settings import Settings

KINDS = ("worker", "scheduler", "web", "redis")
REDIS = "redis-server"  # the name of its process
_ONLY = "the drill kills only processes of `varsel up` with its development inbox, so that nobody gets mail"


@dataclass(frozen=True, slots=True)
class Site:
    """An installation of `varsel up`; `up`: its process, `url`: of the API, `port`: of the development inbox."""

    folder: Path
    up: int
    url: str
    inbox: Path
    port: int
    lease: float  # seconds
    processes: Sequence[Asked]

    def victim(self, kind: str) -> int:
        """The process to kill: of several, the one that has most connections to the inbox. Conflict: there is none."""
        if kind == "redis":
            found = [each for each in proc.children(self.up) if proc.name(each) == REDIS]
        else:
            its = proc.children(self.up)  # the number of one that has ended may be another's by now
            found = [each.pid for each in self.processes if each.kind == kind and each.pid in its]
        if not found:
            raise Conflict(f"no {kind} of {self.folder} runs here")
        return max(found, key=lambda pid: proc.connections(pid, self.port))

    def successor(self, victim: int, name: str, before: set[int]) -> int | None:
        """The process that `varsel up` has started in place of the victim; None: none yet."""
        new = proc.children(self.up) - before - {victim}
        return next((each for each in new if proc.name(each) == name), None)


def find(config: Settings, data: Path | None, database_url: str) -> Site:
    """The installation; Conflict where anything of it is not what the drill may touch, or cannot be known."""
    folder = data_folder(config, data)
    found = living(database_url)
    if not found:
        raise Conflict(f"nothing of this installation runs on {socket.gethostname()}: start `varsel up`")
    if elsewhere := _elsewhere(database_url):
        raise Conflict(f"processes of this installation run on {', '.join(elsewhere)}, too; {_ONLY}")
    here = [each.pid for each in found if proc.stat(each.pid)]  # others were killed, and are not forgotten yet
    parents = {proc.parent(pid) for pid in here}
    locked = all(folder / LOCK in proc.opened(pid) for pid in here)
    if len(parents) != 1 or not locked:
        raise Conflict(f"not all processes are those of `varsel up` in {folder}; {_ONLY}")
    [up] = parents
    told = [each.settings for each in found]
    relays = {its.get("smtp_url", "") for its in told}
    port = _port(relays.pop()) if len(relays) == 1 else None
    inboxes = {its.get("inbox", "") for its in told}
    if not port or len(inboxes) != 1 or "" in inboxes or any("routes_file" in its for its in told):
        raise Conflict(f"its relay is not the development inbox; {_ONLY}")
    inbox = Path(inboxes.pop())
    if not any(_receives(each, port, inbox) for each in proc.children(up)):
        raise Conflict(f"at port {port}, nobody known receives mail for {inbox}; {_ONLY}")
    urls = {its.get("base_url", "") for its in told}
    if len(urls) != 1 or "" in urls:
        raise Conflict(f"its processes do not tell one address of the API; {_ONLY}")
    lease = following(config, told).lease
    return Site(folder, up, urls.pop(), inbox, port, lease, found)


def _port(relay: str) -> int | None:
    """The port of a relay on this machine, as `varsel up` writes its inbox's; None: it is no such address."""
    with suppress(ValueError):  # of several, one reads as an impossible port
        parts = urlsplit(relay)
        return parts.port if parts.scheme == "smtp" and parts.hostname in LOOPBACK else None
    return None


def _elsewhere(database_url: str) -> Sequence[str]:
    """Other machines on which processes of the installation run."""
    others = (LIVES, processes.c.host != socket.gethostname())
    with closing(Store(database_url)) as store, store.read() as connection:
        return connection.scalars(select(processes.c.host).where(*others).distinct()).all()


def _receives(pid: int, port: int, inbox: Path) -> bool:
    """Whether a process is the development inbox at this port, with this folder."""
    return proc.listens(pid, port) and inbox.resolve() / INBOX_LOCK in proc.opened(pid)
