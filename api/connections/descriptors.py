"""Files and connections that a process may have open: the system's limit is raised to what the settings need."""

from __future__ import annotations

import resource

from engine.errors import Misconfigured

DESCRIPTORS = 200  # files and connections of a process beside its clients', SPARE included


def reserve_descriptors(connections: int) -> None:
    """Let this process open so many connections, and what it needs itself; Misconfigured when the system forbids it."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = connections + DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= need:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
    except (ValueError, OSError):
        raise Misconfigured(
            f"VARSEL_MAX_CONNECTIONS is {connections}, and the system lets a process open {hard} files; raise that "
            f"limit (ulimit -n, LimitNOFILE=) to {need}, or set VARSEL_MAX_CONNECTIONS to {max(hard - DESCRIPTORS, 1)}"
        ) from None
