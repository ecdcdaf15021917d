"""A real PostgreSQL that follows another one by streaming replication, and can take its place."""

from __future__ import annotations

from typing import Self

import psycopg

from tests.helpers.waiting import wait_for
from tests.servers.postgres import Postgres

NAME = "standby"


class Standby(Postgres):
    """Follows `primary` from its start on; use it as a context. `synchronous`: each commit waits for it."""

    def __init__(self, primary: Postgres, *, synchronous: bool) -> None:
        super().__init__()
        self._primary = primary
        self._synchronous = synchronous

    def __enter__(self) -> Self:
        super().__enter__()
        self._primary.tell(f"ALTER SYSTEM SET synchronous_standby_names = '{NAME if self._synchronous else ''}'")
        state = "sync" if self._synchronous else "async"
        wait_for(lambda: self._primary.ask("SELECT sync_state FROM pg_stat_replication") == [(state,)])
        return self

    def _make(self) -> None:
        where = f"{self._primary.address('postgres')}&application_name={NAME}"
        self._perform("pg_basebackup", "-D", str(self._data), "-d", where, "-R", "--checkpoint=fast", "--no-sync")

    def cut_off(self) -> None:
        """Let nothing from the primary arrive any more."""
        self.tell("ALTER SYSTEM SET primary_conninfo = 'host=/nowhere'")
        wait_for(lambda: not self.ask("SELECT 1 FROM pg_stat_wal_receiver"))

    def await_replayed(self) -> None:
        """Return when it has replayed all that came from a primary that was killed.

        It looks for that primary again when it has read all that it has, whose end may be half a record.
        """
        wait_for(lambda: "could not connect to the primary server" in self.log())

    def promote(self) -> None:
        """Become the primary."""
        self._perform("pg_ctl", "promote", "-D", str(self._data))

    def both(self, url: str) -> str:
        """The address of a database on whichever of the two is the primary."""
        its = psycopg.conninfo.conninfo_to_dict(url)
        return f"postgresql://varsel@/{its['dbname']}?host={its['host']},{self._folder}"
