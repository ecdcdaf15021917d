"""The zone of the times that a command prints and reads: this machine's, or with --utc UTC."""

from __future__ import annotations

from contextvars import ContextVar
from datetime import UTC
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo

OPTION = "--utc"
_chosen: ContextVar[tzinfo | None] = ContextVar("zone", default=None)


def choose(utc: bool) -> None:
    """For the command that runs."""
    _chosen.set(UTC if utc else None)


def zone() -> tzinfo | None:
    """None: this machine's, with its changes of the clock."""
    return _chosen.get()
