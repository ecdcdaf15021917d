"""PostgreSQL as a process uses it: connections on which nobody waits without end.

A server that is stopped, or swapped out, still acknowledges what the network brings, so no time-out of the network's
ends the wait: the client must give up by itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import create_engine, event

if TYPE_CHECKING:
    from psycopg.abc import PQGen
    from sqlalchemy import Dialect, Engine

CONNECT_WITHIN = 3  # seconds: a database that is gone must become a 503 while the caller still waits
PING_WITHIN = 3.0  # seconds for the pool's question whether an idle connection still works
ANSWER_WITHIN = 10.0  # seconds for a statement: every one is for few rows, but its caller may have none to spare
# The server gives up a little earlier, so that it does not go on with what nobody waits for. What parallel workers and
# compiled plans cost before they begin is never won back on few rows.
_OPTIONS = (
    "-c statement_timeout=9000 -c idle_in_transaction_session_timeout=15000"
    " -c max_parallel_workers_per_gather=0 -c jit=off"
)
_NETWORK = {"tcp_user_timeout": 10_000, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}


class Bounded(psycopg.Connection[Any]):
    """A connection that is closed, with an OperationalError, when the server does not answer in time."""

    patient = False  # a migration takes the time that it takes

    def wait(self, gen: PQGen[Any], *args: Any, **kwargs: Any) -> Any:
        """Wait for the server; in autocommit, which only the pool's ping is, less long."""
        if not self.patient:
            kwargs["timeout"] = PING_WITHIN if self.autocommit else ANSWER_WITHIN
        try:
            return super().wait(gen, *args, **kwargs)
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 it has no other name
            self.pgconn.finish()
            raise psycopg.OperationalError("the server did not answer in time") from None


def create(url: str, connections: int) -> Engine:
    """An engine whose pool gives out connections that were alive a moment ago; ValueError for an unknown option."""
    engine = create_engine(
        url.replace("postgresql://", "postgresql+psycopg://", 1),
        pool_size=connections,
        max_overflow=0,
        pool_timeout=CONNECT_WITHIN,
        pool_pre_ping=True,
        hide_parameters=True,  # an error in the log shows no recipient and no subject
        connect_args={"connect_timeout": CONNECT_WITHIN, "options": _OPTIONS, **_NETWORK},
    )
    event.listen(engine, "do_connect", _connect)
    _check_options(engine)
    return engine


def _check_options(engine: Engine) -> None:
    """ValueError for an option in the address that there is not: each connection would fail by it."""
    _, options = engine.dialect.create_connect_args(engine.url)
    options.pop("context", None)  # for psycopg itself
    try:
        make_conninfo(**options)
    except psycopg.ProgrammingError:
        msg = "unknown option"
        raise ValueError(msg) from None


def _connect(_dialect: Dialect, _record: object, args: tuple[Any, ...], options: dict[str, Any]) -> Bounded:
    return Bounded.connect(*args, **options)
