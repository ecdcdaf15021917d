"""The database's clock decides, except in the places listed here with their reasons."""

from __future__ import annotations

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from engine.runtime.clock import SLOW, Clock, steady

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)

WALL = {  # all that reads the machine's wall clock, by the names under which it is called
    *("datetime.now", "datetime.utcnow", "datetime.today", "date.today"),
    *("time.time", "time.time_ns", "time.gmtime", "time.localtime", "time.ctime", "time.asctime", "time.strftime"),
    *("formatdate", "utils.formatdate", "utils.localtime", "make_msgid", "utils.make_msgid"),
    *("uuid1", "uuid6", "uuid7", "uuid.uuid1", "uuid.uuid6", "uuid.uuid7"),
}
MAY = {
    # The clock itself: what it shows before the database has told its time, and how far the two are apart.
    "engine/runtime/clock.py Clock.at": "the database has not answered yet",
    "engine/runtime/clock.py Clock.skew": "this is what is measured",
    "engine/doctor/broker.py _told": "this is what is measured",
    "engine/doctor/database.py _postgresql": "this is what is measured",
    # Tokens and sessions are looked at without the database, which may be away; issuers' clocks are others' anyway,
    # and the verifier allows them to be off by some seconds.
    "engine/auth/tokens/verifier.py _verify": "a token's lifetime; no request waits for the database",
    "engine/auth/tokens/verifier.py Memory.get": "the same, of a token that was verified before",
    "engine/auth/tokens/development.py DevelopmentKey._sign": "a token's lifetime",
    "api/console/sessions.py begin": "a session's lifetime, in a cookie that only this application reads",
    "api/console/sessions.py _signed_in": "a session's lifetime",
    # Things of this machine alone.
    "engine/doctor/relay.py _tls": "TLS compares certificates with the machine's clock, too",
    "engine/dev/demo.py _chain": "a send time as a client of the API chooses it",
    "engine/drills/load.py Load.__post_init__": "likewise",
    "engine/dev/inbox.py _Keeper.handle_DATA": "names of files in their order, of a tool without a database",
    "engine/observability/logs.py _Text": "the times of log lines, which nobody decides by",
    "engine/observability/repeats.py OnceAMinute._tell": "likewise",
    "scheduler/steps.py _watch": "whether it was set is what is asked; APScheduler runs by it",
    "scheduler/jobs.py wake": "APScheduler runs by the machine's clock; what is added to it is the database's",
    "scheduler/jobs.py _run_in": "likewise; what is added is a span of time",
}


def test_no_code_reads_the_wall_clock_but_what_is_listed_with_its_reason() -> None:
    found = {use for folder in ("engine", "api", "scheduler") for use in _uses(ROOT / folder)}
    assert found - MAY.keys() == set(), "decide by the database's time: Store.clock, Store.now, dialects.now or Now()"
    assert MAY.keys() - found == set(), "listed, but no longer there"


def test_every_way_to_read_the_wall_clock_is_found() -> None:
    source = """
from time import time
from datetime import datetime as d
import time as t
class A:
    def f(self): return datetime.datetime.now(tz=UTC), time.time_ns
    async def g(self): return email.utils.formatdate()
"""
    assert sorted(_reads(ast.parse(source))) == ["", "", "", "A.f", "A.f", "A.g"]


def test_the_clock_carries_the_databases_time_along() -> None:
    clock = Clock()
    before = clock.known
    assert abs(clock.now() - datetime.now(UTC)) < timedelta(seconds=10)
    asked = steady()
    clock.tell(NOON, asked)
    assert (before, clock.known) == (False, True)
    assert clock.at(asked + 90) == NOON + timedelta(seconds=90)
    assert clock.now() >= NOON
    assert abs(clock.skew() - (datetime.now(UTC) - NOON)) < timedelta(seconds=10)


def test_an_answer_that_was_long_under_way_does_not_move_a_known_clock() -> None:
    """The thread that asked may have been stopped in between: the answer could be old or new."""
    clock = Clock()
    clock.tell(NOON, steady() - 60)
    first = clock.at(1000)
    clock.tell(NOON, steady() - SLOW)
    assert clock.at(1000) == first
    clock.tell(NOON, steady())
    assert clock.at(1000) != first


def _uses(folder: Path) -> Iterator[str]:
    for path in folder.rglob("*.py"):
        for place in _reads(ast.parse(path.read_text())):
            yield f"{path.relative_to(ROOT)} {place}"


def _reads(tree: ast.AST, inside: tuple[str, ...] = ()) -> Iterator[str]:
    """Where the wall clock is read, or a name is imported that could read it."""
    for node in ast.iter_child_nodes(tree):
        within = inside
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            within = (*inside, node.name)
        name = ast.unparse(node) if isinstance(node, ast.Attribute | ast.Name) else ""
        if name in WALL or ".".join(name.split(".")[-2:]) in WALL:
            yield ".".join(inside)
            continue
        if isinstance(node, ast.ImportFrom):
            hidden = (
                f"{node.module}.{each.name}" in WALL or (each.asname and each.name in _CLOCKS) for each in node.names
            )
            yield from (".".join(inside) for each in hidden if each)
        if isinstance(node, ast.Import):
            yield from (".".join(inside) for each in node.names if each.asname and each.name in _CLOCKS)
        yield from _reads(node, within)


_CLOCKS = {name.split(".")[0] for name in WALL}
