"""What a check says, and the installation that it looks at."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from engine.errors import Misconfigured
from engine.settings import naming

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime
    from pathlib import Path

    from engine.diagnosis import Diagnosis
    from engine.doctor.asking import Asked
    from engine.settings import Settings


WEB = "`web` does not start without it"


class Level(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"  # it works, but something may be lost, late or refused one day
    PROBLEM = "problem"  # it does not work, or not for long


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found, and what to do about it (empty: nothing). Texts may be those of other servers."""

    name: str  # of the part
    level: Level
    text: str
    advice: str = ""
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Place:
    """An installation: its settings, the folder of its embedded parts, and where the database and Redis are.

    `embedded`: it is one of `varsel up`, which has a default for everything that is not set. `asked`: its processes on
    this machine, whose settings these are; `own`: those of this command (None: the same).
    """

    config: Settings
    folder: Path
    database_url: str
    redis_url: str
    embedded: bool = True
    asked: Sequence[Asked] = ()
    own: Settings | None = None


def ok(name: str, text: str) -> Finding:
    """All is well."""
    return Finding(name, Level.OK, text)


def warning(name: str, text: str, advice: str) -> Finding:
    """It works for now."""
    return Finding(name, Level.WARNING, text, advice)


def problem(name: str, text: str, advice: str) -> Finding:
    """It does not work."""
    return Finding(name, Level.PROBLEM, text, advice)


def wrong(name: str, diagnosis: Diagnosis) -> Finding:
    """A fault, in the words that processes use for it."""
    return problem(name, diagnosis.text, diagnosis.advice)


def usable(name: str, what: str, load: Callable[[], object], without: str = WEB, setting: str = "") -> Finding:
    """Load a file as the processes do, by the setting that names it; `without`: what happens to them if that fails."""
    try:
        with naming(setting) if setting else nullcontext():
            load()
    except Misconfigured as error:
        return problem(name, str(error), f"Correct it: {without}.")
    return ok(name, f"{what} can be used")


def unset(place: Place, setting: str, who: str) -> Finding:
    """A setting without which processes do not start is missing; `who` names these, with their verb."""
    advice = f"Set it: {who} not start without it. To check an installation of `varsel up`, use --data."
    try:
        place.config.need(setting)
    except Misconfigured as error:
        return problem("settings", str(error), advice)
    return ok("settings", f"{setting} is set")


def skewed(name: str, seconds: float) -> Finding:
    """How far another machine's clock differs from this one's; positive: it is ahead."""
    text = f"its clock and this machine's are {abs(seconds):.1f} s apart"
    if abs(seconds) > MUCH:
        return problem(name, text, "Let both follow the same time servers (chrony, systemd-timesyncd).")
    if abs(seconds) > SOME:
        return warning(name, text, "Let both follow the same time servers (chrony, systemd-timesyncd).")
    return ok(name, text)


SOME, MUCH = 1.0, 30.0  # seconds that clocks are apart: send times look early or late; tokens are refused
