"""Processes of this machine, as Linux shows them (proc(5)). Of one that has ended, or is another user's, nothing."""

from __future__ import annotations

from pathlib import Path

_LISTENS = "0A"  # the state of a socket in net/tcp


def parent(pid: int) -> int:
    """The parent of a process; 0: it has ended, or it is the first."""
    fields = stat(pid)
    return int(fields[1]) if fields else 0


def stat(pid: int) -> list[str]:
    """The fields of `stat` after the name: the state, the parent and so on."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    except OSError:
        return []


def name(pid: int) -> str:
    """The name of a process, which ps and top show."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def children(pid: int) -> set[int]:
    """A process's children."""
    all_of_them = (int(folder.name) for folder in Path("/proc").glob("[0-9]*"))
    return {each for each in all_of_them if parent(each) == pid}


def opened(pid: int) -> set[Path]:
    """A process's open files, and other descriptors by names such as socket:[1]."""
    found = set()
    try:
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            try:
                found.add(descriptor.readlink())
            except FileNotFoundError:
                continue  # closed meanwhile
    except OSError:
        return set()
    return found


def connections(pid: int, port: int) -> int:
    """How many TCP connections over IPv4 a process has to a port of this machine."""
    return _sockets(pid, port, 2)


def listens(pid: int, port: int) -> bool:
    """Whether a process listens at a port, over IPv4."""
    return bool(_sockets(pid, port, 1, _LISTENS))


def _sockets(pid: int, port: int, column: int, state: str = "") -> int:
    mine = opened(pid)
    lines = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    fitting = (line for line in lines if line[column].endswith(f":{port:04X}") and state in ("", line[3]))
    return sum(Path(f"socket:[{line[9]}]") in mine for line in fitting)
