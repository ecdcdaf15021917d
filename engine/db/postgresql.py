"""PostgreSQL as a process uses it: on its connections, nobody waits without end.

A server that is stopped, or swapped out, still acknowledges packets, so no time-out of the network ends the wait: the
client must give up by itself.

Behind a pooler that lends a server's connection for one transaction (such as PgBouncer), nothing may stay with the
connection: each transaction makes its own settings, and no statement is prepared.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo, timeout_from_conninfo
from psycopg.pq import TransactionStatus
from sqlalchemy import create_engine, event, make_url

from engine.diagnosis.database import ENCODED
from engine.text.urls import with_hosts_behind

if TYPE_CHECKING:
    from collections.abc import Mapping

    from psycopg.abc import PQGen
    from sqlalchemy import URL, Connection, Dialect, Engine
    from sqlalchemy.engine import ExceptionContext

PORT = 5432  # where an address names none
CONNECT_WITHIN = 3  # seconds: without a database, the caller must get a 503 while it still waits
BEGIN_WITHIN = 3.0  # seconds for the begin of a transaction, which also shows whether an idle connection still works
ANSWER_WITHIN = 10.0  # seconds for a statement: each is for few rows
# Each transaction begins with this, in one message. The server gives up a little earlier, so that it does not go on
# with work that nobody waits for. On few rows, parallel workers and compiled plans never win back what they cost at the
# start.
_SETTINGS = (
    "SET LOCAL statement_timeout = 9000; SET LOCAL idle_in_transaction_session_timeout = 15000;"
    " SET LOCAL max_parallel_workers_per_gather = 0; SET LOCAL jit = off"
)
_NETWORK = {"tcp_user_timeout": 10_000, "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 3}

_TEXT = {"client_encoding": "UTF8"}  # regardless of the address, the user and the environment


class Unfit(psycopg.OperationalError):
    """A database that cannot store every text."""


class Bounded(psycopg.Connection[Any]):
    """A connection that closes itself, with an OperationalError, when the server does not answer in time."""

    patient = False  # a migration may take any time

    def wait(self, gen: PQGen[Any], *args: Any, **kwargs: Any) -> Any:
        """Wait for the server; for less time outside a transaction, where only its begin is sent."""
        if not self.patient:
            outside = self.pgconn.transaction_status == TransactionStatus.IDLE
            kwargs["timeout"] = BEGIN_WITHIN if outside else ANSWER_WITHIN
        try:
            return super().wait(gen, *args, **kwargs)
        except psycopg.errors._WaitTimeout:  # noqa: SLF001 it has no other name
            self.pgconn.finish()
            raise psycopg.OperationalError("the server did not answer in time") from None


def create(url: str, connections: int) -> Engine:
    """An engine whose pool may give out connections that have ended; ValueError for an unknown option.

    Its connections with the option `varsel_writes` are for writers, those with `varsel_bare` for statements that begin
    no transaction. The address's own options come first. Of several hosts, the one that takes writes is used, unless
    the address says otherwise.
    """
    given = address(url)
    wanted = {"connect_timeout": CONNECT_WITHIN, "autocommit": True, "prepare_threshold": None, **_NETWORK}
    engine = create_engine(
        given,
        pool_size=connections,
        max_overflow=0,
        pool_timeout=CONNECT_WITHIN,
        hide_parameters=True,  # an error in the log shows no recipient and no subject
        connect_args={name: value for name, value in wanted.items() if name not in given.query} | _TEXT,
    )
    event.listen(engine, "do_connect", _Connector().connect)
    event.listen(engine, "begin", _begin)
    event.listen(engine, "handle_error", _leave_if_read_only)
    _check_options(engine)
    return engine


def address(url: str) -> URL:
    """An address in parts; of several hosts, the one that takes writes is meant, unless it says otherwise."""
    given = make_url(with_hosts_behind(url)).set(drivername="postgresql+psycopg")
    several = isinstance(hosts := given.query.get("host", ""), tuple) or "," in hosts
    if several and "target_session_attrs" not in given.query:
        return given.update_query_dict({"target_session_attrs": "read-write"})
    return given


def written(parts: URL) -> str:
    """Such an address as a setting has it: without the spaces that SQLAlchemy leaves in names and passwords."""
    return parts.set(drivername="postgresql").render_as_string(hide_password=False).replace(" ", "%20")


def _check_options(engine: Engine) -> None:
    """ValueError for an unknown option in the address, or a malformed time: all connections would fail."""
    _, options = engine.dialect.create_connect_args(engine.url)
    options.pop("context", None)  # for psycopg itself
    try:
        timeout_from_conninfo(conninfo_to_dict(make_conninfo(**options)))
    except psycopg.ProgrammingError:
        msg = "an unknown option, or a malformed time"
        raise ValueError(msg) from None


def _begin(connection: Connection) -> None:
    options = connection.get_execution_options()
    if options.get("varsel_bare"):
        return
    of_one_moment = "" if options.get("varsel_writes") else " ISOLATION LEVEL REPEATABLE READ"
    connection.exec_driver_sql(f"BEGIN{of_one_moment}; {_SETTINGS}")


def _leave_if_read_only(context: ExceptionContext) -> None:
    """Give up all connections when their server takes no writes any more: the next ones look for who does."""
    if getattr(context.original_exception, "sqlstate", None) == psycopg.errors.ReadOnlySqlTransaction.sqlstate:
        context.is_disconnect = True


class _Connector:
    """Opens connections; of several hosts, it asks first at the one that was right the last time.

    Else each new connection would wait for a host that is gone.
    """

    def __init__(self) -> None:
        self._last: tuple[str, int] | None = None  # host and port

    def connect(self, _dialect: Dialect, _record: object, args: tuple[Any, ...], options: dict[str, Any]) -> Bounded:
        connection = Bounded.connect(*args, **options | self._in_order(options))
        encoding = connection.info.parameter_status("server_encoding")  # a pooler may not tell it
        if encoding not in (None, "UTF8"):
            connection.close()
            raise Unfit(f"{ENCODED}{encoding}")
        self._last = connection.info.host, connection.info.port
        return connection

    def _in_order(self, options: Mapping[str, Any]) -> dict[str, str]:
        hosts, ports = (str(options.get(name, "")).split(",") for name in ("host", "port"))
        places = list(zip(hosts, ports * len(hosts) if len(ports) == 1 else ports, strict=False))
        if len(places) == 1 or len(places) < len(hosts):  # the latter is an error, of which psycopg tells
            return {}
        places.sort(key=lambda place: (place[0], int(place[1] or PORT)) != self._last)
        return {"host": ",".join(host for host, _ in places), "port": ",".join(port for _, port in places)}
