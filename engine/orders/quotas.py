"""Quotas: how many recipients each creator may order in a minute and in a day, by a file that is followed."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, TypeGuard

from engine.errors import Misconfigured
from engine.models import is_test
from engine.runtime.config_files import Contents, read_toml

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime
    from pathlib import Path

LARGEST = 1_000_000_000  # recipients
LONGEST_NAME = 100  # characters of a creator's


class Excess(StrEnum):
    """What becomes of an order that exceeds a quota."""

    REFUSE = "refuse"  # 429: the client sends it again later
    PACE = "pace"  # it is taken in, and due when the quota allows


@dataclass(frozen=True, slots=True)
class Quota:
    """How many recipients a creator may order in a minute and in a day (UTC); None: any number."""

    per_minute: int | None = None
    per_day: int | None = None
    exceeded: Excess = Excess.REFUSE

    @property
    def limits(self) -> bool:
        """Whether it limits anything."""
        return bool(self.per_minute or self.per_day)


@dataclass(frozen=True, slots=True)
class QuotaUse:
    """How many recipients of a creator's orders count in the newest minute and day."""

    creator: str
    minute: datetime
    in_minute: int
    day: datetime
    in_day: int


class Quotas:
    """The quotas of a TOML file, which is followed while it changes; None: nobody has one.

    Misconfigured when the file cannot be used at the start.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = Contents(file, _read, "quotas") if file else None

    def find(self, creators: Collection[str]) -> dict[str, Quota]:
        """The quotas of those creators that have one; tests have none."""
        if not self._file:
            return {}
        default, named = self._file.now
        found = {creator: named.get(creator, default) for creator in creators if not is_test(creator)}
        return {creator: quota for creator, quota in found.items() if quota.limits}

    @property
    def names(self) -> Collection[str]:
        """The creators that the file names."""
        return self._file.now[1].keys() if self._file else ()


def _read(file: Path) -> tuple[Quota, dict[str, Quota]]:
    document = read_toml(file)
    default, named = document.pop("default", {}), document.pop("creators", {})
    if document or not isinstance(named, dict):
        what = ", ".join(map(repr, sorted(document))) or "'creators' in this form"
        raise Misconfigured(f"{file}: knows no {what}; write [default] or [creators.NAME] above quotas")
    for name in named:
        if not 0 < len(name) <= LONGEST_NAME:
            raise Misconfigured(f"{file}: creators.{name[:LONGEST_NAME]!r}: no creator has such a name")
    quotas = {name: _quota(given, f"{file}: creators.{name!r}") for name, given in named.items()}
    return _quota(default, f"{file}: default"), quotas


def _quota(given: object, place: str) -> Quota:
    if not isinstance(given, dict):
        raise Misconfigured(f"{place}: is no table; write [default] or [creators.NAME] above quotas")
    if unknown := given.keys() - {"per_minute", "per_day", "exceeded"}:
        names = ", ".join(map(repr, sorted(unknown)))
        raise Misconfigured(f"{place}: knows no {names}; there are per_minute, per_day and exceeded")
    for key in ("per_minute", "per_day"):
        if key in given and not _is_count(given[key]):
            raise Misconfigured(f"{place}: {key} must be a number of recipients from 1 to {LARGEST:,}")
    exceeded = given.get("exceeded", Excess.REFUSE)
    if exceeded not in tuple(Excess):
        raise Misconfigured(f"{place}: exceeded must be one of {', '.join(Excess)}, in quotes")
    return Quota(given.get("per_minute"), given.get("per_day"), Excess(exceeded))


def _is_count(value: object) -> TypeGuard[int]:
    return type(value) is int and 1 <= value <= LARGEST  # a bool is an int, too
