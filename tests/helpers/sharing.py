"""What a group of tests shares ends with the group, instead of taking its part of the processor until the last test."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_ENDS: list[Callable[[], None]] = []


def end_with_group(end: Callable[[], None]) -> None:
    """Call this after the last test of the group that runs."""
    _ENDS.append(end)


def end_group() -> None:
    """The last test of a group is over."""
    while _ENDS:
        _ENDS.pop()()
