"""The programs that a benchmark runs, on loopback only; their CPU time and memory are read from /proc."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

ROOT = Path(__file__).parent.parent
WITHIN = 60.0  # seconds that a program may take to start, and to end
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


def wait_until(condition: Callable[[], object], what: str, within: float = WITHIN, every: float = 0.02) -> None:
    """Return when the condition holds; TimeoutError when it does not hold in time."""
    give_up = time.monotonic() + within
    while not condition():
        if time.monotonic() > give_up:
            raise TimeoutError(f"{what}: not within {within:.0f} s")
        time.sleep(every)


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        number: int = probe.getsockname()[1]
    return number


def listens(port: int) -> bool:
    """Whether somebody accepts connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Program:
    """A running program; it and its children end with the context."""

    def __init__(
        self, name: str, command: Sequence[str], settings: Mapping[str, str] | None = None, output: Path | None = None
    ) -> None:
        self.name = name
        self._command = command
        self._environment = {k: v for k, v in os.environ.items() if not k.startswith("VARSEL_")} | dict(settings or {})
        self._output = output

    def __enter__(self) -> Self:
        with Path(self._output or os.devnull).open("wb") as output:
            self._process = subprocess.Popen(
                self._command, env=self._environment, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=output
            )
        self.pid = self._process.pid
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        try:
            self._process.wait(WITHIN)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ended(self) -> bool:
        """Whether it is gone."""
        return self._process.poll() is not None

    def cpu(self) -> float:
        """CPU time so far, of all its processes and threads, in seconds."""
        return sum(_cpu(pid) for pid in _family(self.pid))

    def cpu_each(self) -> dict[str, float]:
        """The same of each process, by its name in the system; the program itself has ours."""
        others = _family(self.pid) - {self.pid}
        named = {Path(f"/proc/{pid}/comm").read_text().strip(): _cpu(pid) for pid in sorted(others)}
        return {self.name: _cpu(self.pid)} | named

    def memory(self) -> int:
        """Private memory of its processes, in bytes: mapped pages of a file belong to the system's cache."""
        texts = [Path(f"/proc/{pid}/status").read_text() for pid in _family(self.pid)]
        return sum(int(found[1]) * 1024 for text in texts if (found := re.search(r"RssAnon:\s+(\d+) kB", text)))


class Redis(Program):
    """A Redis with the persistence of `varsel up`, on a unix socket in `folder`."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._socket = folder / "redis.sock"
        self.url = f"unix://{self._socket}"
        command = ["redis-server", "--port", "0", "--unixsocket", str(self._socket), "--dir", str(folder)]
        command += ["--appendonly", "yes", "--appendfsync", "everysec", "--save", "", "--loglevel", "warning"]
        super().__init__("redis", command)

    def __enter__(self) -> Self:
        super().__enter__()
        wait_until(self._socket.exists, "Redis")
        return self


class Sink(Program):
    """smtp-sink: takes every mail and counts."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._counts = folder / "counts"
        self.port = free_port()
        self.url = f"smtp://127.0.0.1:{self.port}"
        user = ["-u", "nobody"] if os.geteuid() == 0 else []
        command = [_program("smtp-sink"), *user, "-c", "-m", "1000", f"127.0.0.1:{self.port}", "1000"]
        super().__init__("smtp-sink", command, output=self._counts)

    def __enter__(self) -> Self:
        super().__enter__()
        wait_until(lambda: listens(self.port), "smtp-sink")
        return self

    def count(self) -> int:
        """Mails taken so far."""
        with self._counts.open("rb") as counts:
            counts.seek(max(0, counts.seek(0, os.SEEK_END) - 200))
            found = re.findall(rb"mesg=(\d+)\r", counts.read())
        return int(found[-1]) if found else 0

    def wait_for(self, count: int, within: float) -> float:
        """Wait for so many mails; returns when (on the monotonic clock) the last one arrived."""
        wait_until(lambda: self.count() >= count, f"{count} mails in the sink", within, every=0.005)
        return time.monotonic()


class Stamps(Program):
    """A relay that takes every mail, and remembers when it took the one for each address; it answers after `delay`."""

    def __init__(self, folder: Path, delay: float = 0.0) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        file = folder / "stamps"
        file.touch()
        self.port = free_port()
        self.url = f"smtp://127.0.0.1:{self.port}"
        self._lines = file.open("rb")
        self._rest = b""
        self._arrived: dict[str, float] = {}
        super().__init__("relay", [sys.executable, "-m", "bench.stamps", str(self.port), str(file), str(delay)])

    def __enter__(self) -> Self:
        super().__enter__()
        wait_until(lambda: listens(self.port), "the relay")
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self._lines.close()

    def arrived(self) -> Mapping[str, float]:
        """When (Unix time) the mail for each address was taken, so far."""
        *lines, self._rest = (self._rest + self._lines.read()).split(b"\n")
        for line in lines:
            at, _, address = line.partition(b" ")
            self._arrived[address.decode()] = float(at)
        return self._arrived


class Receiver(Program):
    """A receiver of webhooks: takes every POST, except to /hang, and remembers when it came."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        super().__init__("receiver", [sys.executable, "-m", "bench.receiver", str(self.port)])

    def __enter__(self) -> Self:
        super().__enter__()
        wait_until(lambda: listens(self.port), "the receiver")
        return self

    def count(self) -> tuple[int, float]:
        """Requests taken so far, and when (Unix time) the last one came."""
        answer = self._get("/count")
        return answer["count"], answer["last"]

    def arrivals(self) -> dict[str, list[float]]:
        """When (Unix time) the requests for each path came."""
        answer: dict[str, list[float]] = self._get("/arrivals")
        return answer

    def wait_for(self, count: int, within: float) -> float:
        """Wait for so many requests; returns when (Unix time) the last one came."""
        wait_until(lambda: self.count()[0] >= count, f"{count} requests at the receiver", within, every=0.05)
        return self.count()[1]

    def _get(self, path: str) -> Any:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as answer:
            return json.load(answer)


def smtp_source(port: int, mails: int, size: int) -> float:
    """Mails per second of Postfix's own generator, 16 sessions, one connection each."""
    started = time.monotonic()
    source = [_program("smtp-source"), "-d", "-s", "16", "-m", str(mails), "-l", str(size)]
    source += ["-f", "avsender@example.no", "-t", "kari@example.no", f"127.0.0.1:{port}"]
    subprocess.run(source, check=True, timeout=WITHIN)
    return mails / (time.monotonic() - started)


def _program(name: str) -> str:
    """The path of a program; Debian keeps Postfix's where not every PATH looks."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin:/usr/lib/postfix/sbin")
    if not found:
        raise FileNotFoundError(f"{name} is missing: `make bench` installs it")
    return found


def cpu_of(pid: int) -> float:
    """CPU time so far of a process, its descendants, and its children that have ended, in seconds."""
    fields = _stat(pid)
    ended = (int(fields[13]) + int(fields[14])) / _TICK
    return ended + sum(_cpu(each) for each in _family(pid))


def _cpu(pid: int) -> float:
    fields = _stat(pid)
    return (int(fields[11]) + int(fields[12])) / _TICK if fields else 0.0


def _family(root: int) -> set[int]:
    """A process and all its descendants."""
    parents = {int(path.name): _stat(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()}
    family = {root}
    while found := {pid for pid, fields in parents.items() if fields and int(fields[1]) in family} - family:
        family |= found
    return family


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat after the name (proc(5)): state, parent, …; empty when it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return []
