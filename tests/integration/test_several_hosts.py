"""An address of the database that names several hosts: the one that takes writes is found, and found again."""

from __future__ import annotations

import socket
import threading
from contextlib import closing
from typing import TYPE_CHECKING, Self

import pytest
from sqlalchemy import text

import engine.db.postgresql
from engine.db.store import CONNECTIONS, Store
from engine.errors import Unavailable
from tests.helpers.ports import free_port
from tests.helpers.waiting import wait_for
from tests.servers.postgres import Postgres, name_of
from tests.servers.standby import Standby

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection

pytestmark = pytest.mark.slow


class Silent:
    """A host that takes connections and never says anything."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self.taken: list[socket.socket] = []

    def __enter__(self) -> Self:
        threading.Thread(target=self._take, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for each in self.taken:
            each.close()

    def _take(self) -> None:
        try:
            while True:
                self.taken.append(self._listener.accept()[0])
        except OSError:
            return


@pytest.fixture
def servers() -> Iterator[tuple[Postgres, Standby]]:
    with Postgres() as primary, Standby(primary, synchronous=False) as standby:
        yield primary, standby


def test_each_new_connection_asks_first_where_the_last_one_was_right(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine.db.postgresql, "CONNECT_WITHIN", 2)  # libpq's least
    port = free_port()
    with Silent() as silent, Postgres("listen_addresses=127.0.0.1", f"port={port}") as server:
        url = f"postgresql://varsel@127.0.0.1:{silent.port},127.0.0.1:{port}/{name_of(server.database())}"
        with closing(Store(url)) as store:
            for left in range(CONNECTIONS, 0, -1):
                hold(store, left)
            assert len(silent.taken) == 1


def hold(store: Store, connections: int) -> None:
    """Use so many connections at once."""
    with store.read():
        if connections > 1:
            hold(store, connections - 1)


def test_the_standby_is_not_used_until_it_is_promoted(servers: tuple[Postgres, Standby]) -> None:
    primary, standby = servers
    url = standby.both(primary.database()).replace("host=", "host=/nowhere,")
    wait_for(lambda: standby.ask(f"SELECT 1 FROM pg_database WHERE datname = '{name_of(url)}'"))
    with closing(Store(url)) as store:
        assert is_primary(store)
        primary.kill()
        with pytest.raises(Unavailable):  # on the connection that it had
            is_primary(store)
        with pytest.raises(Unavailable) as raised:
            is_primary(store)
        assert "promote one that lives" in str(raised.value.told())
        standby.promote()
        assert is_primary(store)


def test_a_server_that_takes_no_writes_any_more_is_left(servers: tuple[Postgres, Standby]) -> None:
    primary, standby = servers
    with closing(Store(standby.both(primary.database()))) as store:
        with store.write() as connection:
            assert where(connection) == primary.folder
        standby.promote()
        primary.tell("ALTER SYSTEM SET default_transaction_read_only = on")
        wait_for(lambda: is_refused(store))  # its connection hears of the setting when it can
        with store.write() as connection:
            connection.execute(text("CREATE TABLE one (number int)"))
            assert where(connection) == standby.folder


def is_primary(store: Store) -> bool:
    with store.read() as connection:
        return not connection.execute(text("SELECT pg_is_in_recovery()")).scalar_one()


def is_refused(store: Store) -> bool:
    """Whether the store's connection takes no write."""
    try:
        with store.write() as connection:
            connection.execute(text("CREATE TABLE IF NOT EXISTS another (number int)"))
    except Unavailable:
        return True
    return False


def where(connection: Connection) -> str:
    return str(connection.execute(text("SHOW unix_socket_directories")).scalar_one())
