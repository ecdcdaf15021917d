"""What a group of tests shares ends with the group, instead of taking its part of the processor until the last test."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ENDS: defaultdict[str, list[Callable[[], None]]] = defaultdict(list)  # by group


def with_installation(database: str) -> str:
    """The name of the group of tests that share the installation on a database."""
    return f"installation {database}".rstrip()


def end_with(group: str, end: Callable[[], None]) -> None:
    """Call this after the last test of a group."""
    _ENDS[group].append(end)


def end(group: str) -> None:
    """The last test of a group is over."""
    while _ENDS[group]:
        _ENDS[group].pop()()
