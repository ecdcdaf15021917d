"""Behind a pooler that lends a connection for one transaction: no state stays with a connection."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from sqlalchemy import Connection, select, text

from engine.db.migrations import Fit, fit, upgrade
from engine.db.readers import Readers
from engine.db.store import CONNECTIONS, Store
from engine.db.tables import contacts
from engine.errors import Misconfigured, Overrun, Unavailable
from tests.helpers.ports import free_port
from tests.helpers.steps import migrate
from tests.helpers.waiting import SHORT, wait_for
from tests.servers.pgbouncer import PgBouncer

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.servers.postgres import Postgres

pytestmark = pytest.mark.slow

SETTINGS = {
    "statement_timeout": "9s",
    "idle_in_transaction_session_timeout": "15s",
    "max_parallel_workers_per_gather": "0",
    "jit": "off",
}


@pytest.fixture(scope="module")
def direct(postgres: Postgres) -> str:
    return postgres.database()


@pytest.fixture(scope="module")
def pooler(direct: str) -> Iterator[PgBouncer]:
    with PgBouncer(direct, default_pool_size=3) as running:  # fewer than a process has: they go from hand to hand
        yield running


@pytest.fixture(scope="module")
def pooled(pooler: PgBouncer) -> Iterator[Store]:
    with closing(Store(pooler.url)) as store:
        upgrade(store)
        yield store


def in_force(connection: Connection) -> dict[str, str]:
    return {name: str(connection.execute(text(f"SHOW {name}")).scalar_one()) for name in SETTINGS}


def test_every_transaction_brings_its_settings_and_leaves_none(pooled: Store, direct: str) -> None:
    with pooled.read() as connection:
        assert in_force(connection) == SETTINGS
    with pooled.write() as connection:
        assert in_force(connection) == SETTINGS
    with pooled.write(patient=True) as connection:
        assert in_force(connection)["statement_timeout"] == "0"
    with psycopg.connect(pooled.engine.url.render_as_string().replace("+psycopg", ""), autocommit=True) as lent:
        [found] = lent.execute("SHOW statement_timeout").fetchone() or ("",)
    with psycopg.connect(direct) as own:
        assert own.execute("SHOW statement_timeout").fetchone() == (found,)


def test_the_schema_is_made_and_a_statement_that_comes_often_is_no_stranger_to_any_connection(pooled: Store) -> None:
    def work(number: int) -> None:
        with pooled.write() as connection:
            person = {"identity": f"{number:011}", "name": "Kari", "email": "kari@example.no", "is_reserved": False}
            connection.execute(contacts.insert().values(person))
        with pooled.read() as connection:
            assert connection.execute(select(contacts.c.name)).first() == ("Kari",)

    with pooled.read() as connection:
        assert fit(connection) is Fit.CURRENT
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(work, range(200)))
    with pooled.read() as connection:
        assert connection.execute(text("SELECT count(*) FROM contacts")).scalar_one() == 200
        assert connection.execute(text("SELECT count(*) FROM pg_prepared_statements")).scalar_one() == 0


def test_a_database_in_use_is_migrated_behind_a_pooler_too(postgres: Postgres) -> None:
    made = postgres.database()
    with closing(Store(made)) as before, before.write() as connection:
        migrate(connection, "0037")  # the next steps build indexes, which no transaction may do
    with PgBouncer(made, default_pool_size=2) as pooler:
        stores = [Store(pooler.url) for _ in range(2)]
        with ThreadPoolExecutor() as pool:
            assert set(pool.map(upgrade, stores)) == {Fit.BEHIND, Fit.CURRENT}
        for store in stores:
            store.close()


def test_a_read_sees_one_moment_and_goes_piece_by_piece(pooled: Store) -> None:
    with pooled.read() as connection:
        before = connection.execute(text("SELECT count(*) FROM contacts")).scalar_one()
        with pooled.write() as other:
            other.execute(contacts.insert().values(identity="1", name="Ola", email="", is_reserved=False))
        assert connection.execute(text("SELECT count(*) FROM contacts")).scalar_one() == before
        streamed = select(contacts).execution_options(stream_results=True, max_row_buffer=10)
        assert len(connection.execute(streamed).all()) == before


def test_a_read_that_takes_too_long_is_ended(pooler: PgBouncer, direct: str) -> None:
    async def read() -> None:
        readers = Readers(pooler.url, longest=SHORT)
        with pytest.raises(Overrun):
            await readers.read("anna", lambda connection: connection.execute(text("SELECT pg_sleep(8)")))
        await readers.close()

    asyncio.run(read())
    with psycopg.connect(direct, autocommit=True) as watching:  # a transaction sees what it saw at first
        asked = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
        wait_for(lambda: watching.execute(asked).fetchone() == (0,))


# What it refuses


def refusal(url: str) -> str:
    """The error of a store that is not let in."""
    with closing(Store(url)) as store, pytest.raises(Unavailable) as raised, store.read():
        pass
    assert str(raised.value) == "the database refuses the connection"
    return str(raised.value.told())


def test_a_refusal_is_told_in_the_servers_words_and_not_as_silence(
    postgres: Postgres, pooler: PgBouncer, direct: str
) -> None:
    assert "unsupported startup parameter: options" in refusal(f"{pooler.url}&options=-csearch_path%3Dpublic")
    assert 'database "missing" does not exist' in refusal(pooler.gone)
    assert 'role "nobody" does not exist' in refusal(direct.replace("varsel@", "nobody@"))
    assert 'database "missing" does not exist' in refusal(postgres.address("missing"))
    with psycopg.connect(direct, autocommit=True) as connection:
        connection.execute("ALTER DATABASE postgres ALLOW_CONNECTIONS false")
        try:
            assert "not currently accepting connections" in refusal(postgres.address("postgres"))
        finally:
            connection.execute("ALTER DATABASE postgres ALLOW_CONNECTIONS true")


def test_a_certificate_that_is_not_trusted_is_a_refusal(direct: str) -> None:
    port = free_port()
    with PgBouncer(direct, tls_port=port):
        url = f"postgresql://varsel@127.0.0.1:{port}/varsel"
        assert "SSL required" in refusal(f"{url}?sslmode=disable")
        assert "certificate verify failed" in refusal(f"{url}?sslmode=verify-full&sslrootcert=system")
        assert "root certificate file" in refusal(f"{url}?sslmode=verify-full&sslrootcert=/nowhere")


def test_nobody_at_the_address_is_silence() -> None:
    for place in ("127.0.0.1:1/varsel", "/varsel?host=/nowhere"):
        with (
            closing(Store(f"postgresql://varsel@{place}")) as store,
            pytest.raises(Unavailable, match="does not answer"),
            store.read(),
        ):
            pass


def test_options_in_the_address_are_kept(direct: str) -> None:
    with psycopg.connect(direct, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA IF NOT EXISTS apart")
    url = f"{direct}&options=-csearch_path%3Dapart&connect_timeout=7"
    with closing(Store(url)) as store:
        upgrade(store)
        with store.read() as connection:
            assert connection.execute(text("SELECT current_schema()")).scalar_one() == "apart"
            assert in_force(connection) == SETTINGS
            assert connection.execute(text("SELECT to_regclass('apart.orders')")).scalar_one()
            driver = connection.connection.driver_connection
            assert driver is not None
            assert driver.info.get_parameters()["connect_timeout"] == "7"
    with pytest.raises(Misconfigured):
        Store(f"{direct}&prepare_threshold=5")
