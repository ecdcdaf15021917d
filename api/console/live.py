"""Live pages of the console: how many of them are kept, of one operator and in all."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    import anyio

OF_ONE = 16  # live pages of one operator; a browser keeps six connections to one server
IN_ALL = 128  # of a process, of the connections that its clients may have


@dataclass(eq=False, slots=True)
class LivePage:
    """A page that follows what happens until `ending` is set: by the server that stops, or by a newer page."""

    ending: anyio.Event
    displaced: bool = False


class LivePages:
    """All live pages of one process.

    When there are too many, the oldest page of one operator ends: of the one who has too many, or who has the most.
    """

    def __init__(self) -> None:
        self._open: dict[str, list[LivePage]] = {}  # by operator, the oldest first

    @contextmanager
    def opened(self, operator: str, ending: anyio.Event) -> Iterator[LivePage]:
        """A page for the block."""
        page = LivePage(ending)
        own = self._open.setdefault(operator, [])
        own.append(page)
        if len(own) > OF_ONE:
            self._displace(own)
        elif sum(map(len, self._open.values())) > IN_ALL:
            self._displace(max(self._open.values(), key=len))
        try:
            yield page
        finally:
            if not page.displaced:
                own.remove(page)
            if not own:
                self._open.pop(operator, None)

    def _displace(self, pages: list[LivePage]) -> None:
        page = pages.pop(0)
        page.displaced = True
        page.ending.set()
