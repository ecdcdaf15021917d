"""The installation that a command works on, by its settings and --data: the way to its database, and who asks."""

from __future__ import annotations

import os
import pwd
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from engine.errors import Misconfigured

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from sqlalchemy import Connection

    from engine.db.store import Store
    from engine.doctor import Place
    from engine.settings import Settings


def who() -> str:
    """Who does it, for the audit log: the system's user, whatever the environment says."""
    try:
        return f"cli:{pwd.getpwuid(os.getuid()).pw_name}"
    except KeyError:
        return f"cli:{os.getuid()}"


def place(data: Path | None) -> Place:
    """What `varsel doctor` looks at, with the settings of processes that run on this machine; Misconfigured."""
    from engine import settings
    from engine.dev.data_folder import data_folder
    from engine.doctor import Place, ask
    from engine.settings.told import following
    from engine.text.urls import of_socket

    own = settings.load()
    folder, url = data_folder(own, data), _database_url(own, data)
    asked = ask(url)
    config = following(own, [each.settings for each in asked]) if asked else own
    redis_url = config.redis_url.get_secret_value() if config.redis_url else of_socket(folder / "redis.sock")
    embedded = data is not None or own.database_url is None
    return Place(config, folder, url, redis_url, embedded, asked, own)


def database_url(data: Path | None) -> str:
    """The address of the installation's database; Misconfigured when there is none."""
    from engine import settings

    return _database_url(settings.load(), data)


@contextmanager
def opened(data: Path | None) -> Iterator[Store]:
    """The database while the block runs; Misconfigured when there is none, or this program cannot work on it."""
    from engine.db.store import Store
    from engine.text.urls import file_of

    url = database_url(data)
    if (file := file_of(url)) and not file.exists():
        raise Misconfigured(f"there is no database {file}; `varsel up` or `varsel migrate` makes it")
    with closing(Store(url, _demand_schema)) as store:
        yield store


@contextmanager
def reading(data: Path | None) -> Iterator[Connection]:
    """A view of the database; see `opened`."""
    with opened(data) as store, store.read() as connection:
        yield connection


@contextmanager
def writing(data: Path | None) -> Iterator[Connection]:
    """A transaction; see `opened`. The clock finds within a tick what it makes due."""
    with opened(data) as store, store.write() as connection:
        yield connection


def _database_url(config: Settings, data: Path | None) -> str:
    """The database that is set or the embedded one, whose folder must be there."""
    from engine.dev.data_folder import data_folder, database_url

    folder = data_folder(config, data)
    if config.database_url is None and not folder.is_dir():
        advice = "name that of `varsel up` with --data, or set VARSEL_DATABASE_URL"
        raise Misconfigured(f"there is no folder {folder}; {advice}")
    return database_url(config, data)


def _demand_schema(connection: Connection) -> None:
    from engine.db.migrations import complaint

    if why := complaint(connection):
        raise Misconfigured(str(why))
