"""The relays: whether they can be used, what became of e-mails lately, and how fast they go, as living workers tell."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.admin.effects import of_effect, of_trouble
from engine.admin.failures import of_relays
from engine.db.living import LIVES
from engine.db.tables import processes
from engine.diagnosis.relay import spoken as advice_spoken
from engine.text.language import _, translated

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from sqlalchemy import Connection, Row

    from engine.admin.slowness import Slowness

UP, REFUSING, DOWN = "up", "refusing", "down"
_WORSE = (UP, REFUSING, DOWN)


@dataclass(frozen=True, slots=True)
class RelayFigures:
    """A relay as all workers see it together: one that is down for one of them is down."""

    name: str
    state: str = UP
    since: datetime | None = None  # since when it is not up
    said: str = ""  # why, in a sentence without its full stop
    advice: str = ""
    effect: str = ""  # what becomes of its e-mails
    workers: int = 1  # that use it
    accepted: int = 0  # e-mails in the last hour
    again: int = 0  # attempts in the last hour, after which an e-mail is tried again
    failed: int = 0  # e-mails in the last hour
    pace: str = ""  # how fast e-mails go, in a sentence without its full stop; "": nothing limits them


def relays(connection: Connection, slow: Sequence[Slowness]) -> Sequence[RelayFigures]:
    """All that living workers use, by name; `slow`: where e-mails go slowly."""
    found: dict[str, RelayFigures] = {}
    living = (processes.c.relay.is_not(None), LIVES)
    for row in connection.execute(select(processes).where(*living)):
        for new in _told(row):
            known = found.get(new.name)
            found[new.name] = _both(known, new) if known else new
    sums = of_relays(connection) if found else {}
    paces = {each.name: each.text for each in slow if each.kind == "relay"}
    figures = []
    for name in sorted(found):
        accepted, again, failed = sums.get(name, (0, 0, 0))
        pace = paces.get(name, "")
        figures.append(replace(found[name], accepted=accepted, again=again, failed=failed, pace=pace))
    return figures


def all_down(found: Sequence[RelayFigures]) -> bool:
    """Whether no e-mail can go anywhere."""
    return bool(found) and all(relay.state == DOWN for relay in found)


def _told(row: Row[tuple[object, ...]]) -> Iterator[RelayFigures]:
    """What one process says of its relays; one of an older version only names them all, or those with trouble."""
    if row.relays is None:
        state = DOWN if row.trouble else UP
        said = of_trouble(row.trouble or "")
        if said:
            said = _("the relay %(relay)s cannot be used: %(trouble)s", relay=row.relay, trouble=said)
        yield RelayFigures(row.relay, state, row.trouble_since, said)
        return
    for each in json.loads(row.relays):
        since = each.pop("since")
        told = RelayFigures(**each, since=since and datetime.fromisoformat(since))
        said, advice = _spoken(told.name, told.said), advice_spoken(told.advice)
        yield replace(told, said=said, advice=advice, effect=of_effect(told.effect))


def _spoken(name: str, said: str) -> str:
    """What a worker says of a relay in English, in the reader's language; the relay's own words stay."""
    begin = f"the relay {name} "
    if not said.startswith(begin):
        return said
    fault, bracket, words = said.removeprefix(begin).partition(" (")
    return _("the relay %(relay)s %(fault)s", relay=name, fault=translated(fault)) + bracket + words


def _both(one: RelayFigures, other: RelayFigures) -> RelayFigures:
    """The worse of what two workers say, since the earlier time."""
    worse, better = sorted((one, other), key=lambda each: _WORSE.index(each.state), reverse=True)
    since = min(filter(None, (one.since, other.since)), default=None) if worse.state == better.state else worse.since
    return replace(worse, since=since, workers=one.workers + other.workers)
