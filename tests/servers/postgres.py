"""A real PostgreSQL of this machine's, in a folder of the test's, listening on a unix socket only."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import Self
from uuid import uuid4

import psycopg

from tests.servers.processes import descendants


class Postgres:
    """A server that lives as long as the context; `database()` makes an empty database and returns its URL."""

    def __init__(self) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="varsel-pg-"))
        self._as: list[str] = []
        self._hung: list[int] = []

    def __enter__(self) -> Self:
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            self._as = ["runuser", "-u", "postgres", "--"]
            shutil.chown(self._folder, pwd.getpwnam("postgres").pw_uid)
        self._run("initdb", "-D", str(self._data), "-A", "trust", "-U", "varsel", "-E", "UTF8", "--no-sync")
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.resume()
        self.stop()
        shutil.rmtree(self._folder)

    def start(self) -> None:
        options = f"-k {self._folder} -c listen_addresses='' -c max_connections=200"
        self._run("pg_ctl", "-D", str(self._data), "-w", "-l", str(self._folder / "log"), "-o", options, "start")

    def stop(self) -> None:
        self._run("pg_ctl", "-D", str(self._data), "-w", "-m", "immediate", "stop")

    def hang(self) -> None:
        """Stop all its processes where they are; what is sent to them is still acknowledged."""
        main = int((self._data / "postmaster.pid").read_text().split()[0])
        self._hung = [main]
        os.kill(main, signal.SIGSTOP)  # first: from here on there are no new ones
        for child in descendants(main):
            self._hung.append(child)
            os.kill(child, signal.SIGSTOP)

    def resume(self) -> None:
        """Let it go on after `hang`."""
        hung, self._hung = self._hung, []
        for pid in hung:
            os.kill(pid, signal.SIGCONT)

    def database(self, template: str = "template0") -> str:
        """An empty database, or a copy of one that nobody is connected with."""
        name = f"varsel_{uuid4().hex}"
        with psycopg.connect(f"host={self._folder} user=varsel dbname=postgres", autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}"'.encode())
        return f"postgresql://varsel@/{name}?host={self._folder}"

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, program: str, *arguments: str) -> None:
        path = self._programs() / program
        done = subprocess.run(
            [*self._as, str(path), *arguments], cwd="/", check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert done.returncode == 0, f"{program}: {done.stderr.decode()}"

    @staticmethod
    def _programs() -> Path:
        found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
        on_path = shutil.which("initdb")
        assert found or on_path, "PostgreSQL's programs are missing: run `make test`, which installs them"
        return found[-1] if found else Path(str(on_path)).resolve().parent
