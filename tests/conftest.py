"""What tests share: both databases, an installation on each, and both kinds of relay."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from engine.db.store import Store
from tests.helpers import migrated, sharing
from tests.helpers.waiting import LEASE, await_same_day
from tests.servers.installation import Installation
from tests.servers.postgres import Postgres, name_of
from tests.servers.smtp import EXTENSIONS

if TYPE_CHECKING:
    from collections.abc import Iterator


pytest_plugins = ["tests.helpers.suite"]


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """At its end, it has seen no deadlock: such a test passes by luck, since whoever lost tries again."""
    with Postgres() as server:
        yield server
        assert "; blocked by process" not in server.log()  # what is said of a real one


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest) -> str:
    """The database that the test runs on; `make test` tries a test on one, unless they differ (mark `dialects`)."""
    return str(request.param)


@pytest.fixture
def empty_url(database: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An empty database."""
    if database == "sqlite":
        return f"sqlite:///{tmp_path_factory.mktemp('database')}/varsel.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.database()


@pytest.fixture(scope="session")
def template(postgres: Postgres) -> str:
    """The name of a database with the newest schema, to make copies of."""
    from engine.db.migrations import upgrade  # noqa: PLC0415 only tests of the store need it

    store = Store(url := postgres.database())
    upgrade(store)
    store.close()
    return name_of(url)


@pytest.fixture
def database_url(
    database: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """A database with the newest schema, and nothing in it."""
    if database == "sqlite":
        path = tmp_path_factory.mktemp("database") / "varsel.db"
        migrated.copy_to(path)
        yield f"sqlite:///{path}"
        return
    server: Postgres = request.getfixturevalue("postgres")
    template: str = request.getfixturevalue("template")
    url = server.borrow(template)
    yield url
    server.give_back(url, template)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """An empty database with the newest schema."""
    store = Store(database_url)
    yield store
    store.close()


@pytest.fixture
def same_day() -> None:
    """The test begins and ends on the same day (UTC)."""
    await_same_day()


@pytest.fixture(params=["pipelined", "one by one"])
def pipelining(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether scripted relays offer PIPELINING: tests that use this run in both ways."""
    if request.param == "one by one":
        monkeypatch.setattr("tests.servers.smtp.EXTENSIONS", tuple(each for each in EXTENSIONS if each != "PIPELINING"))
    return bool(request.param == "pipelined")


@pytest.fixture(scope="session")
def installation(
    database: str, request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Installation]:
    """A running installation with the development inbox, shared by tests that break nothing."""
    settings: dict[str, object] = {"lease": LEASE, "allow_private_endpoints": "true", "worker_processes": 1}
    if database == "postgresql":
        settings["database_url"] = request.getfixturevalue("postgres").database()
    with ExitStack() as stack:
        running = stack.enter_context(Installation(tmp_path_factory.mktemp("installation"), **settings))
        sharing.end_with(sharing.with_installation(database), stack.close)
        yield running
