"""Limits of how many e-mails go to a relay or a recipients' domain, from a TOML file of the operator's."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from engine.email.pressure import Kind
from engine.errors import Misconfigured
from engine.runtime.config_files import Contents, read_toml
from engine.text.addresses import compared

if TYPE_CHECKING:
    from pathlib import Path
    from types import UnionType

SLOWEST, MOST = 0.01, 1_000_000
_PARTS = re.compile(r"[^ ()]+")
WRITE = 'write [domain."example.no"] or [relay."smtp.example.no:587"], and below it rate = 10'


class Limit(NamedTuple):
    """Of the whole installation; None: no limit."""

    rate: float | None = None  # e-mails a second
    connections: int | None = None  # e-mails on their way at once


NONE = Limit()


class Limits:
    """The limits of the file, which is followed while it changes; without a file there are none.

    Misconfigured when the file cannot be used at the start.
    """

    def __init__(self, file: Path | None = None) -> None:
        self._file = Contents(file, _read, "limits") if file else None

    @property
    def given(self) -> bool:
        """Whether there is a file, which may have limits by now."""
        return self._file is not None

    def of(self, kind: Kind, name: str) -> Limit:
        """The limit of a domain, or of a relay: by all of its name, or by one part, as in "bulk (HOST:PORT)"."""
        if not self._file:
            return NONE
        found = self._file.now
        names = [name.lower(), *_PARTS.findall(name.lower())] if kind is Kind.RELAY else [name]
        return next((found[kind, each] for each in names if (kind, each) in found), NONE)


def _read(file: Path) -> dict[tuple[Kind, str], Limit]:
    document = read_toml(file)
    strange = document.keys() - set(Kind)
    if strange:
        raise Misconfigured(f"{file}: knows no {', '.join(map(repr, sorted(strange)))}; {WRITE}")
    found = {}
    for kind, tables in document.items():
        if not isinstance(tables, dict):
            raise Misconfigured(f"{file}: {kind} is no table; {WRITE}")
        for name, given in tables.items():
            if "*" in name:
                raise Misconfigured(f"{file}: {kind}.{name!r}: a limit is for one {kind}, without *; {WRITE}")
            found[Kind(kind), compared(name)] = _limit(Kind(kind), given, f"{file}: {kind}.{name!r}")
    return found


def _limit(kind: Kind, given: object, place: str) -> Limit:
    known = {"rate"} if kind is Kind.RELAY else {"rate", "connections"}
    if not isinstance(given, dict) or not given or given.keys() - known:
        raise Misconfigured(f"{place}: must have {' or '.join(sorted(known, reverse=True))} and nothing else; {WRITE}")
    rate, connections = given.get("rate"), given.get("connections")
    if rate is not None and not (_is_number(rate, int | float) and SLOWEST <= rate <= MOST):
        raise Misconfigured(f"{place}: rate must be a number from {SLOWEST} to {MOST:,}: e-mails a second")
    if connections is not None and not (_is_number(connections, int) and 1 <= connections <= MOST):
        raise Misconfigured(f"{place}: connections must be a whole number from 1 to {MOST:,}")
    return Limit(rate, connections)


def _is_number(given: object, kind: type | UnionType) -> bool:
    return isinstance(given, kind) and not isinstance(given, bool)
