"""How a database is copied and restored for a drill, whichever kind it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from sqlalchemy import Dialect

    from engine.drills.census import Ask, Census

    Progress = Callable[[int, int], None]  # how much is done, and of how much


class Copying(Protocol):
    """A copy on its way; as a context, which leaves nothing of it. All methods raise Misconfigured, and say why."""

    dialect: Dialect
    bytes: int  # of the copy, once there is one

    def copy(self, counted: Progress, copied: Progress) -> Census:
        """Copy the original, which is only read; returns what was in it at the moment of the copy."""

    def restore(self, progress: Progress) -> str:
        """Restore the copy elsewhere, its lanes paused; returns the address of that database."""

    def asking(self) -> AbstractContextManager[Ask]:
        """A connection with the restored database."""

    def faults(self, ask: Ask) -> list[str]:
        """What the database itself finds wrong with the restored copy."""
