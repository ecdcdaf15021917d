"""`varsel web --processes`: several processes at one port, of which each may end."""

from __future__ import annotations

import os
import re
import signal
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx
import pytest
from sqlalchemy import func, select

from engine.auth.tokens import DevelopmentKey
from engine.db.tables import orders, processes
from engine.runtime.proc import parent
from tests.helpers.client import ask
from tests.helpers.command import process
from tests.helpers.ports import free_port
from tests.helpers.processes import alive
from tests.helpers.single_process import SingleProcess
from tests.helpers.waiting import wait_for
from tests.servers.installation import API, order
from tests.servers.redis import Redis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.db.store import Store

NUMBER = 3
WEBHOOK_KEY = "a key of these tests, 32 characters"


@dataclass(frozen=True)
class Webs:
    """`varsel web --processes 3`."""

    process: SingleProcess
    url: str
    token: str

    def pid(self, number: int) -> int:
        """The newest process of that number."""
        return self.pids(number)[-1]

    def pids(self, number: int) -> list[int]:
        return [int(pid) for pid in re.findall(rf"started web {number} \(pid (\d+)\)", self.process.output)]

    def all(self) -> set[int]:
        return {self.pid(number + 1) for number in range(NUMBER)}

    def serving(self) -> int:
        """How many have begun to serve so far."""
        return self.process.output.count(" starts: web, at http://")

    def post(self) -> int:
        """Post an order over a new connection; returns the status."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return ask("POST", f"{self.url}{API}/orders/email", json=order(), headers=headers).status_code

    def counted(self) -> int:
        """How many orders /metrics tells of, whichever process answers."""
        found = re.search(r"^varsel_orders_total (\S+)$", ask("GET", f"{self.url}/metrics").text, re.MULTILINE)
        return int(float(found[1])) if found else 0


@contextmanager
def webs(folder: Path, database_url: str, *options: object) -> Iterator[Webs]:
    key = DevelopmentKey(folder / "keys")
    port = free_port()
    with (
        Redis(folder) as cache,
        SingleProcess(
            folder,
            *("web", "--port", port, "--processes", NUMBER, *options),
            database_url=database_url,
            redis_url=cache.url,
            jwks=str(key.jwks),
            webhook_key=WEBHOOK_KEY,
        ) as running,
    ):
        token = key.bearer("ttd", "altinn:notifications.create", timedelta(hours=1))
        found = Webs(running, f"http://127.0.0.1:{port}", token)
        wait_for(lambda: ended(running) or found.serving() == NUMBER)
        yield found


def ended(running: SingleProcess) -> bool:
    assert running.ended is None, running.output
    return False


def test_a_process_that_is_killed_is_missed_by_nobody_and_comes_back(
    database_url: str, store: Store, tmp_path: Path
) -> None:
    with webs(tmp_path, database_url) as found:
        posted = [found.post() for _ in range(10)]
        killed = found.pid(2)
        os.kill(killed, signal.SIGKILL)
        wait_for(lambda: not alive(killed))
        while found.serving() == NUMBER:
            posted.append(found.post())
        assert found.pid(2) != killed
        posted += [found.post() for _ in range(10)]
        assert set(posted) == {202}
        with store.read() as connection:
            assert connection.scalar(select(func.count()).select_from(orders)) == len(posted)
        assert {found.counted() for _ in range(10)} == {len(posted)}, "each tells of all, also of the one that is gone"

        def beating() -> set[int]:
            with store.read() as connection:
                return set(connection.scalars(select(processes.c.pid).where(processes.c.kind == "web")))

        wait_for(lambda: beating() >= found.all())


def test_a_process_that_is_asked_to_end_is_replaced(migrated_sqlite: str, tmp_path: Path) -> None:
    with webs(tmp_path, migrated_sqlite) as found:
        os.kill(found.pid(1), signal.SIGTERM)
        wait_for(lambda: ended(found.process) or found.serving() > NUMBER)
        assert len(found.pids(1)) == 2
        assert ask("GET", f"{found.url}/livez").status_code == 200


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_all_and_leaves_nothing_behind(
    number: signal.Signals, migrated_sqlite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    with webs(tmp_path, migrated_sqlite) as found:
        assert [*(tmp_path / "temporary").iterdir()]
        pids = found.all()
        os.kill(parent(found.pid(1)), number)
        assert wait_for(lambda: found.process.ended is not None)
        assert found.process.ended == 0
        assert not any(alive(pid) for pid in pids)
        with pytest.raises(httpx.ConnectError):
            ask("GET", f"{found.url}/livez")
    assert not [*(tmp_path / "temporary").iterdir()]


def test_all_go_on_taking_orders_while_they_say_that_they_are_ending(migrated_sqlite: str, tmp_path: Path) -> None:
    with webs(tmp_path, migrated_sqlite, "--shutdown-delay", 15) as found:
        pids = found.all()
        os.kill(parent(found.pid(1)), signal.SIGTERM)
        wait_for(lambda: {ask("GET", f"{found.url}/livez").status_code for _ in range(5)} == {503})
        assert {found.post() for _ in range(5)} == {202}
        for pid in pids:
            os.kill(pid, signal.SIGTERM)  # once more: at once
        assert wait_for(lambda: found.process.ended is not None)
        assert found.process.ended == 0


def test_all_end_when_their_parent_is_killed(migrated_sqlite: str, tmp_path: Path) -> None:
    with webs(tmp_path, migrated_sqlite) as found:
        pids = found.all()
        os.kill(parent(found.pid(1)), signal.SIGKILL)
        wait_for(lambda: not any(alive(pid) for pid in pids))


def test_processes_that_cannot_start_say_why_once_and_end_with_1(migrated_sqlite: str, tmp_path: Path) -> None:
    with Redis(tmp_path) as cache:
        done = process(
            *("web", "--processes", NUMBER),
            database_url=migrated_sqlite,
            redis_url=cache.url,
            jwks=str(DevelopmentKey(tmp_path / "keys").jwks),
            webhook_key=WEBHOOK_KEY,
            operators_file=str(tmp_path / "missing.toml"),
        )
    assert done.returncode == 1
    assert done.stderr.count("missing.toml") == 1
    assert done.stderr.splitlines()[-1].startswith("Error: `web` ended at its start")
    assert "Traceback" not in done.stderr


def test_they_refuse_a_port_that_is_in_use(migrated_sqlite: str, tmp_path: Path) -> None:
    with webs(tmp_path, migrated_sqlite) as found:
        port = found.url.rpartition(":")[2]
        done = process(
            *("web", "--port", port, "--processes", NUMBER),
            database_url=migrated_sqlite,
            redis_url=f"unix://{tmp_path}/redis.sock",
            webhook_key=WEBHOOK_KEY,
        )
        assert done.returncode == 1
        [line] = done.stderr.splitlines()
        assert f"port {port} cannot be used" in line


@pytest.fixture
def migrated_sqlite(tmp_path: Path) -> str:
    url = f"sqlite:///{tmp_path}/varsel.db"
    assert process("migrate", database_url=url).returncode == 0
    return url
