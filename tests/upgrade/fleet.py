"""Two of each process, of any release, which are replaced one by one."""

from __future__ import annotations

import os
import signal
import subprocess
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import httpx

from tests.helpers.client import ask
from tests.helpers.ports import free_port
from tests.helpers.processes import start
from tests.helpers.waiting import patience, wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from tests.upgrade.releases import Release

ROLES = ("worker", "web", "scheduler")  # in the order in which they are replaced
EACH = 2
ENDS = {"web": -signal.SIGTERM, "worker": 0, "scheduler": 0}  # a process that ends in order


@dataclass
class Member:
    """A place in the fleet, and the process that fills it; a `web` keeps its port."""

    role: str
    port: int
    process: subprocess.Popen[Any]
    log: Path


class Fleet:
    """Started as a context, which ends all of it."""

    def __init__(self, folder: Path, settings: Mapping[str, object], release: Release) -> None:
        self._folder = folder
        others = {name: value for name, value in os.environ.items() if not name.startswith("VARSEL_")}
        self._environment = others | {f"VARSEL_{name.upper()}": str(value) for name, value in settings.items()}
        self._release = release
        self._members: list[Member] = []
        self.logs: list[Path] = []

    def __enter__(self) -> Self:
        self._members = [self._started(role, self._release, free_port()) for role in ROLES for _ in range(EACH)]
        self._await_ready(*self._members)
        return self

    def __exit__(self, *_: object) -> None:
        for each in self._members:
            self._end(each)

    @property
    def addresses(self) -> list[str]:
        """Where the API is served."""
        return [_address(each.port) for each in self._members if each.role == "web"]

    def run(self, release: Release, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of a release."""
        command = [str(release.varsel), *arguments]
        return subprocess.run(command, env=self._environment, check=True, capture_output=True, text=True)

    def replace(self, release: Release) -> None:
        """Put a process of a release into each place, one after the other; a `web` needs its port first."""
        for place, old in enumerate(self._members):
            if old.role == "web":
                self._end(old)
            new = self._members[place] = self._started(old.role, release, old.port)
            self._await_ready(new)
            if old.role != "web":
                self._end(old)

    def _started(self, role: str, release: Release, port: int) -> Member:
        log = self._folder / f"{len(self.logs):02}-{role}.log"
        self.logs.append(log)
        command = [str(release.varsel), role, *(("--port", str(port)) if role == "web" else ())]
        with log.open("w") as output:
            process = start(command, env=self._environment, stdout=output, stderr=output)
        return Member(role, port, process, log)

    @staticmethod
    def _await_ready(*members: Member) -> None:
        for each in members:
            wait_for(lambda each=each: _is_ready(each))  # type: ignore[misc]

    @staticmethod
    def _end(member: Member) -> None:
        member.process.terminate()
        code = member.process.wait(patience())
        assert code == ENDS[member.role], f"{member.role} ended with {code}: {member.log.read_text()}"


def _address(port: int) -> str:
    return f"http://127.0.0.1:{port}"


def _is_ready(member: Member) -> bool:
    assert member.process.poll() is None, member.log.read_text()
    if member.role != "web":
        return " starts: " in member.log.read_text()
    try:
        return ask("GET", f"{_address(member.port)}/readyz").status_code == httpx.codes.OK
    except httpx.ConnectError:
        return False
