"""Children that are started again when they end: `varsel up` has some, and `varsel web --processes`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from engine.runtime.children import Child

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

LOOK_EVERY = 1.0  # seconds between two looks whether all children run; the end of one is looked at when it comes
LOOK_SOON = 0.1  # likewise, while one is about to be started again
FIRST_WAIT = 0.5  # seconds before a child that ended is started again; twice as many after each further end
LONGEST_WAIT = 30.0
SOUND_AFTER = 60.0  # seconds: a child that has lived for so long begins with FIRST_WAIT again


@dataclass(slots=True)
class _Supervised:
    child: Child
    started: float = 0.0
    wait: float = FIRST_WAIT
    again: float | None = None  # when it starts again; None: it runs, or nobody has seen its end yet


class Supervisor:
    """Keeps children alive, by name. `tell` takes what happens to them, in words."""

    def __init__(self, tell: Callable[[str], None]) -> None:
        self._tell = tell
        self._all: dict[str, _Supervised] = {}

    def start(
        self, name: str, work: Callable[[], object], environment: Mapping[str, str], *, quiet: bool = False
    ) -> None:
        """Start a child that does `work` in this environment, and keep it."""
        self._all[name] = _Supervised(Child(name, work, dict(environment), quiet=quiet))
        self._start(name)

    def ended(self) -> dict[str, int]:
        """Those that do not run, with their exit codes."""
        codes = {name: each.child.exit_code for name, each in self._all.items()}
        return {name: code for name, code in codes.items() if code is not None}

    @property
    def look_in(self) -> float:
        """Seconds until `look` is to be called, unless a child ends (SIGCHLD) before."""
        return LOOK_SOON if self.ended() else LOOK_EVERY

    def look(self) -> list[str]:
        """Start again whose wait is over; returns those that have ended since the last look."""
        now = time.monotonic()
        new = [name for name in self.ended() if self._all[name].again is None]
        for name in new:
            self._await(name, self._all[name], now)
        for name, each in self._all.items():
            if each.again is not None and each.again <= now:
                self._start(name)
        return new

    def end(self, within: float, but: Iterable[str] = ()) -> None:
        """Ask all to end, except these; kill those that have not after so many seconds."""
        ending = [each.child for name, each in self._all.items() if name not in but]
        for child in ending:
            child.end()
        give_up = time.monotonic() + within
        for child in ending:
            if child.wait(max(0.1, give_up - time.monotonic())) is None:
                child.kill()

    def _start(self, name: str) -> None:
        each = self._all[name]
        each.child.start()
        each.started, each.again = time.monotonic(), None
        self._tell(f"started {name} (pid {each.child.pid})")

    def _await(self, name: str, each: _Supervised, now: float) -> None:
        if now - each.started > SOUND_AFTER:
            each.wait = FIRST_WAIT
        self._tell(f"{name} ended (exit code {each.child.exit_code}); starting it again in {each.wait:g} s")
        each.again = now + each.wait
        each.wait = min(2 * each.wait, LONGEST_WAIT)
