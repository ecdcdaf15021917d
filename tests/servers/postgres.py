"""A real PostgreSQL in a test's folder, listening only on a unix socket."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from uuid import uuid4

import psycopg
from psycopg.conninfo import conninfo_to_dict

from tests.helpers.processes import freeze, start
from tests.helpers.waiting import patience, wait_for

if TYPE_CHECKING:
    from psycopg import Connection

_OPTIONS = ("listen_addresses=", "max_connections=200")
# What it has stored survives its own end, as everywhere, but not the machine's; and no table grows for long.
_HASTY = ("fsync=off", "full_page_writes=off", "autovacuum=off")
# Empties a database, and lets it count from 1 again.
_EMPTY = """
DO $$ DECLARE it record; BEGIN
  SET session_replication_role = replica;  -- foreign keys ask for no order
  FOR it IN SELECT oid::regclass AS name, relkind AS kind, pg_relation_size(oid) AS size
            FROM pg_class WHERE relnamespace = 'public'::regnamespace
            AND relname NOT IN ('alembic_version', 'compatibility') LOOP  -- what migrations write stays
    IF it.kind = 'S' THEN PERFORM setval(it.name, 1, false);
    ELSIF it.kind = 'r' AND it.size > 1000000 THEN EXECUTE format('TRUNCATE %s CASCADE', it.name);
    ELSIF it.kind = 'r' AND it.size > 0 THEN EXECUTE format('DELETE FROM %s', it.name);
    END IF;
  END LOOP;
END $$
"""
# What a test may have changed beside rows.
_SHAPE = """
SELECT md5(string_agg(line, '|' ORDER BY line)) FROM (
  SELECT concat_ws(' ', attrelid::regclass, attname, atttypid, attnotnull) FROM pg_attribute
    JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace = 'public'::regnamespace
  UNION ALL SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace
  UNION ALL SELECT tgname FROM pg_trigger WHERE NOT tgisinternal
  UNION ALL SELECT version_num FROM alembic_version
  UNION ALL SELECT oldest FROM compatibility
) AS all_of_it (line)
"""
_OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


class Postgres:
    """A server that lives as long as the context; `database()` makes an empty database and returns its URL.

    Measurements need one that is not `hasty`. `options`: settings such as port=5432.
    """

    def __init__(self, *options: str, hasty: bool = True) -> None:
        self._options = (*_OPTIONS, *(_HASTY if hasty else ()), *options)
        self._folder = Path(tempfile.mkdtemp(prefix="varsel-pg-"))
        self._as: dict[str, Any] = {"cwd": "/"}
        self._hung: list[int] = []
        self._free: defaultdict[str, list[str]] = defaultdict(list)  # URLs by template
        self._shapes: dict[str, object] = {}  # by template
        self._cleaners: dict[str, Connection] = {}  # by URL, of what is lent: a new one costs more than it does

    def __enter__(self) -> Self:
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            account = pwd.getpwnam("postgres")
            self._as |= {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}
            shutil.chown(self._folder, account.pw_uid)
        self._make()
        self.start()
        return self

    def _make(self) -> None:
        """Make its data."""
        self._perform("initdb", "-D", str(self._data), "-A", "trust", "-U", "varsel", "-E", "UTF8", "--no-sync")

    def _perform(self, name: str, *arguments: str) -> None:
        command = [program(name), *arguments]
        done = subprocess.run(command, **self._as, check=False, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def __exit__(self, *_: object) -> None:
        self.resume()
        for cleaner in self._cleaners.values():
            cleaner.close()
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        options = [word for option in self._options for word in ("-c", option)]
        command = [program("postgres"), "-D", str(self._data), "-k", str(self._folder), *options]
        with self._log.open("a") as log:
            self._process = start(command, signal.SIGQUIT, **self._as, stdout=log, stderr=log)
        wait_for(self._answers)

    def stop(self) -> None:
        """End it at once, as a crash does."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(patience())

    def kill(self) -> None:
        """SIGKILL its first process; the others end when they notice."""
        self._process.kill()
        self._process.wait(patience())

    @property
    def pid(self) -> int:
        return self._process.pid

    def hang(self) -> None:
        """Stop all its processes (SIGSTOP); the kernel still acknowledges what is sent to them."""
        self._hung = freeze(self._process.pid)

    def resume(self) -> None:
        """Let it go on after `hang`."""
        hung, self._hung = self._hung, []
        for pid in reversed(hung):  # the first buries the others that have ended
            os.kill(pid, signal.SIGCONT)

    def ask(self, question: str) -> list[tuple[Any, ...]]:
        """The rows of an answer of the whole server's."""
        with self._connect(self._administration) as connection:
            return connection.execute(question.encode()).fetchall()

    def tell(self, setting: str) -> None:
        """Change a setting (ALTER SYSTEM …) while it runs."""
        with self._connect(self._administration) as connection:
            connection.execute(setting.encode())
            connection.execute("SELECT pg_reload_conf()")

    def log(self) -> str:
        """What it has written so far."""
        return self._log.read_text()

    def database(self, template: str = "template0") -> str:
        """An empty database, or a copy of one that nobody is connected with."""
        name = f"varsel_{uuid4().hex}"
        with self._connect(self._administration) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return self.address(name)

    def borrow(self, template: str) -> str:
        """A copy of a database with tables and no rows: one that was given back, or else a new one, which is costly."""
        if self._free[template]:
            return self._free[template].pop()
        url = self.database(template)
        cleaner = self._cleaners[url] = self._connect(url)
        if template not in self._shapes:
            self._shapes[template] = cleaner.execute(_SHAPE).fetchone()
        return url

    def give_back(self, url: str, template: str) -> None:
        """Empty what was borrowed. It is lent again, unless its shape was changed or somebody is connected with it."""
        cleaner = self._cleaners[url]
        unchanged = cleaner.execute(_SHAPE).fetchone() == self._shapes[template]
        if unchanged and cleaner.execute(_OTHERS).fetchone() == (0,):
            cleaner.execute(_EMPTY)
            self._free[template].append(url)
        else:
            self._cleaners.pop(url).close()

    def _answers(self) -> bool:
        assert self._process.poll() is None, self.log()
        try:
            self._connect(self._administration).close()
        except psycopg.OperationalError:
            return False
        return True

    @staticmethod
    def _connect(url: str) -> Connection:
        return psycopg.connect(url, autocommit=True)

    @property
    def folder(self) -> str:
        """Where its socket is."""
        return str(self._folder)

    @property
    def _administration(self) -> str:
        return self.address("postgres")

    def address(self, database: str) -> str:
        port = "".join(f"&{option}" for option in self._options if option.startswith("port="))
        return f"postgresql://varsel@/{database}?host={self._folder}{port}"

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    @property
    def _data(self) -> Path:
        return self._folder / "data"


def name_of(url: str) -> str:
    """The name of the database at this address."""
    return str(conninfo_to_dict(url)["dbname"])


def program(name: str) -> str:
    """Where one of PostgreSQL's programs is, the newest version's."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: int(path.parts[-3]))
    path = found[-1] if found else shutil.which(name)
    assert path, f"{name} is missing: run `make test`, which installs it"
    return str(path)
