"""What the processes of this machine were started with: they tell it with their heartbeats."""

from __future__ import annotations

import json
import socket
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from engine.db.living import LIVES
from engine.db.store import Store
from engine.db.tables import processes
from engine.errors import VarselError
from engine.text.urls import file_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


@dataclass(frozen=True, slots=True)
class Asked:
    """A process that runs on this machine, and what it told: by name, the settings that it was given."""

    kind: str
    pid: int
    settings: Mapping[str, str]

    def __str__(self) -> str:
        return f"{self.kind} {self.pid}"


def ask(database_url: str) -> Sequence[Asked]:
    """Those that live and tell their settings; none if the database cannot be asked: its own check says why."""
    try:
        return living(database_url)
    except (VarselError, DBAPIError):
        return ()


def living(database_url: str) -> Sequence[Asked]:
    """Likewise; VarselError or DBAPIError if the database cannot be asked."""
    if (file := file_of(database_url)) and not file.exists():
        return ()
    lives = (LIVES, processes.c.host == socket.gethostname())
    chosen = select(processes.c.kind, processes.c.pid, processes.c.settings).where(
        *lives, processes.c.settings.is_not(None)
    )
    with closing(Store(database_url)) as store, store.read() as connection:
        rows = connection.execute(chosen.order_by(processes.c.kind, processes.c.pid)).all()
    return [Asked(kind, pid, json.loads(told)) for kind, pid, told in rows]
