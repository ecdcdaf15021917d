"""A PostgreSQL and a Redis that check passwords, rights and TLS, on ports of this machine."""

from __future__ import annotations

import subprocess
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Self

import redis

from tests.helpers.ports import free_port
from tests.helpers.processes import start
from tests.helpers.waiting import wait_for
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

PASSWORD = "s3cret-and-never-shown"
EVERYTHING = ("~varsel:*", "~dramatiq*", "+@all")


class StrictPostgres(Postgres):
    """Takes passwords over TCP, and never lets the user `stranger` in. No TLS."""

    def __init__(self) -> None:
        self.port = free_port()
        super().__init__("listen_addresses=127.0.0.1", f"port={self.port}")

    def start(self) -> None:
        lines = [
            "local all all trust",
            "host all stranger 127.0.0.1/32 reject",
            "host all all 127.0.0.1/32 scram-sha-256",
        ]
        (self._data / "pg_hba.conf").write_text("".join(f"{line}\n" for line in lines))
        super().start()
        with self._connect(self._administration) as connection:
            for role in ("app", "nologin", "stranger", "varsel"):
                made = f"{'ALTER' if role == 'varsel' else 'CREATE'} ROLE {role} LOGIN PASSWORD '{PASSWORD}'"
                connection.execute(made.encode())

    def url(self, database: str, user: str = "app", password: str = PASSWORD) -> str:
        return f"postgresql://{user}:{password}@127.0.0.1:{self.port}/{database}"

    def address(self, database: str) -> str:
        """The administrator's address of one of its databases."""
        return f"{super().address(database)}&port={self.port}"

    def run(self, database: str, *statements: str) -> None:
        """A superuser's connection to one of its databases."""
        with self._connect(self.address(database)) as connection:
            for statement in statements:
                connection.execute(statement.encode())


class StrictRedis:
    """Needs a password from everybody: without TLS at `port`, with TLS and the certificate at `tls_port`."""

    def __init__(self, folder: Path, certificate: Path, key: Path) -> None:
        self._folder = folder
        self._tls = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no"]
        self.port, self.tls_port = free_port(), free_port()

    def __enter__(self) -> Self:
        ports = ["--port", str(self.port), "--tls-port", str(self.tls_port), *self._tls]
        command = ["redis-server", *ports, "--requirepass", PASSWORD, "--save", "", "--bind", "127.0.0.1"]
        self._process = start(command, stdout=subprocess.DEVNULL, cwd=self._folder)
        wait_for(self._answers)
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()

    def url(self, user: str = "", password: str = PASSWORD) -> str:
        return f"redis://{user}:{password}@127.0.0.1:{self.port}/0"

    def user(self, name: str, *rights: str) -> str:
        """Make a user with these rights, and return its address."""
        self.run("ACL", "SETUSER", name, "reset", "on", f">{PASSWORD}", *rights)
        return self.url(name)

    def run(self, *words: Any) -> Any:
        with redis.Redis(port=self.port, password=PASSWORD) as client:
            return client.execute_command(*words)

    @contextmanager
    def set(self, name: str, value: str) -> Iterator[None]:
        """Change a setting while the block runs."""
        before = self.run("CONFIG", "GET", name)
        self.run("CONFIG", "SET", name, value)
        yield
        old = next(iter(before.values())) if isinstance(before, dict) else before[1]
        self.run("CONFIG", "SET", name, old)

    def _answers(self) -> bool:
        try:
            return bool(self.run("PING"))
        except redis.ConnectionError:
            return False
