"""Machines as network namespaces on a bridge in one more namespace: nothing of their traffic is outside.

with Network(("m1", "db")) as network:
    with network.on("db"):
        ...                      # what is started here, threads included, is on that machine
    with network.cut("m1", "db"):
        ...                      # what m1 sends to db is dropped
"""

from __future__ import annotations

import ctypes
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Self

from tests.deploy.podman import run

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PREFIX = "vp-"
BRIDGE = f"{PREFIX}bridge"
NETWORK = "10.77.5"
_NEW_NETWORK = 0x40000000  # CLONE_NEWNET, sched.h
_LIBRARY = ctypes.CDLL(None, use_errno=True)


class Network:
    """Use it as a context; it needs root."""

    def __init__(self, machines: Sequence[str]) -> None:
        self._machines = machines

    def __enter__(self) -> Self:
        self._remove()
        run("ip", "netns", "add", BRIDGE)
        run("ip", "-n", BRIDGE, "link", "add", "bridge", "type", "bridge")
        run("ip", "-n", BRIDGE, "link", "set", "bridge", "up")
        for machine in self._machines:
            name = f"{PREFIX}{machine}"
            run("ip", "netns", "add", name)
            peer = ("type", "veth", "peer", "name", machine, "netns", BRIDGE)
            run("ip", "link", "add", "eth0", "netns", name, *peer)
            run("ip", "-n", BRIDGE, "link", "set", machine, "master", "bridge", "up")
            run("ip", "-n", name, "address", "add", f"{self.address(machine)}/24", "dev", "eth0")
            for device in ("lo", "eth0"):
                run("ip", "-n", name, "link", "set", device, "up")
        return self

    def __exit__(self, *_: object) -> None:
        self._remove()

    def address(self, machine: str) -> str:
        return f"{NETWORK}.{self._machines.index(machine) + 1}"

    @contextmanager
    def on(self, machine: str) -> Iterator[None]:
        """What this thread opens and starts while the block runs is on that machine."""
        with Path("/proc/thread-self/ns/net").open() as back, Path(f"/run/netns/{PREFIX}{machine}").open() as there:
            _enter(there.fileno())
            try:
                yield
            finally:
                _enter(back.fileno())

    @contextmanager
    def cut(self, *ways: tuple[str, str]) -> Iterator[None]:
        """Drop what goes these ways, from one machine to another."""
        for way in ways:
            self._drop("-A", *way)
        try:
            yield
        finally:
            for way in ways:
                self._drop("-D", *way)

    def _drop(self, act: str, sender: str, receiver: str) -> None:
        rule = (act, "INPUT", "-s", self.address(sender), "-j", "DROP")  # there, the sender learns nothing of it
        run("ip", "netns", "exec", f"{PREFIX}{receiver}", "iptables", "-w", *rule)

    def _remove(self) -> None:
        for name in (BRIDGE, *(f"{PREFIX}{machine}" for machine in self._machines)):
            run("ip", "netns", "delete", name, check=False)


def _enter(namespace: int) -> None:
    if _LIBRARY.setns(namespace, _NEW_NETWORK):
        raise OSError(ctypes.get_errno(), "setns")
