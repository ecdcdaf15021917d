"""How the whole suite runs: which tests stay together, which come first, and what its end reports."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import zlib
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import hypothesis
import pytest

from engine.runtime import garbage
from tests.helpers import compiled, sharing
from tests.helpers.waiting import patience

if TYPE_CHECKING:
    from collections.abc import Generator

    from _pytest.terminal import TerminalReporter

_FIRST = ("tests/e2e/browser/", "tests/e2e/", "tests/integration/", "tests/unit/")  # what takes long begins first
_VARIED = {"screen": 0, "database": 1, "below": 0}  # where whole installations are tried, and which comes first of it
_TOLD = "told"
_LAST: dict[str, pytest.Item] = {}  # of each group
_MEMORY = Path("/dev/shm")  # noqa: S108 only looked at: tempfile makes the folders in it
_ROOM = 8 << 30  # bytes, of which a whole run needs about a tenth


def _is_roomy(folder: Path) -> bool:
    if not folder.is_dir() or shutil.disk_usage(folder).free < _ROOM:
        return False
    return not os.statvfs(folder).f_flag & os.ST_NOEXEC  # tests write programs, too


garbage.collect_seldom()
compiled.share()
hypothesis.settings.register_profile("suite", deadline=None)  # no test needs a quick machine
hypothesis.settings.load_profile("suite")
signal.signal(
    signal.SIGINT, signal.default_int_handler
)  # whoever starts the tests may ignore it; programs inherit that
if "TMPDIR" not in os.environ and _is_roomy(_MEMORY):  # nothing here outlives the machine, and its disk may be busy
    os.environ["TMPDIR"] = tempfile.tempdir = str(_MEMORY)


def pytest_xdist_auto_num_workers() -> int:
    """Three processes for each processor: more than half of the tests wait."""
    return 3 * len(os.sched_getaffinity(0))


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> Generator[None]:
    """Give each test its group, which one process runs, and a time-out."""
    tried = Counter(_anywhere(item) for item in items)
    for item in items:
        if _is_variant(item, alone=tried[_anywhere(item)] == 1):
            item.add_marker(pytest.mark.variant)
        item.add_marker(pytest.mark.xdist_group(_group(item)))
        item.add_marker(pytest.mark.timeout(5 * patience()))
    yield  # pytest puts together what has the same parameters, and pytest-xdist appends the groups
    items.sort(key=lambda item: (_rank(item.nodeid), _database(item), _group(item)))  # few changes of the database
    garbage.set_aside()


def pytest_collection_finish(session: pytest.Session) -> None:
    """Refuse to run where pytest-xdist does not see the groups: each test would have an installation of its own."""
    _LAST.update((_group(item), item) for item in session.items)
    if getattr(session.config.option, "loadgroup", False):
        assert all(item.nodeid.endswith(f"@{_group(item)}") for item in session.items), "this pytest knows no groups"


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Remove the group that pytest-xdist appends to a test's name, where reports are collected."""
    if "PYTEST_XDIST_WORKER" not in os.environ and report.nodeid.rfind("@") > report.nodeid.rfind("]"):
        report.nodeid = report.nodeid.rpartition("@")[0]


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item) -> None:
    """End what a group of tests shared."""
    if item is _LAST[group := _group(item)]:
        sharing.end(group)


def pytest_terminal_summary(terminalreporter: TerminalReporter) -> None:
    """Print what failures lost and doubled, above the last line."""
    reports = [report for kind in ("passed", "failed") for report in terminalreporter.getreports(kind)]
    told = [text for report in reports for name, text in report.user_properties if name == _TOLD]
    if told:
        terminalreporter.section("What went wrong, and what became of it")
        terminalreporter.write("".join(f"{text}\n" for text in told))


def tell(item: pytest.Item, text: str) -> None:
    """Report this about a test at the end of the run."""
    item.user_properties.append((_TOLD, text))


def _rank(nodeid: str) -> int:
    return next(rank for rank, folder in enumerate(_FIRST) if nodeid.startswith(folder))


def _is_variant(item: pytest.Item, *, alone: bool) -> bool:
    """Whether another test tries the same in another place; of parts, half of the tests are tried on each database."""
    places = getattr(getattr(item, "callspec", None), "indices", {})
    if item.nodeid.startswith("tests/e2e/"):
        chosen = _VARIED | ({"screen": 1} if item.get_closest_marker("phone") else {})
        return any(places.get(name, first) != first for name, first in chosen.items())
    if alone or "database" not in places or item.get_closest_marker("dialects"):
        return False
    return bool(places["database"] != zlib.crc32(_anywhere(item).encode()) % 2)


def _anywhere(item: pytest.Item) -> str:
    """A test's name without its database."""
    database = _database(item)
    return item.nodeid.replace(database, "") if database else item.nodeid


def _database(item: pytest.Item) -> str:
    return str(getattr(getattr(item, "callspec", None), "params", {}).get("database", ""))


def _group(item: pytest.Item) -> str:
    """The group of tests that share costly fixtures: an installation, or a module's fixtures on one database."""
    module = item.nodeid.partition("::")[0]
    if module.startswith(_FIRST[0]):
        return "browser"
    if "installation" in getattr(item, "fixturenames", ()):
        return sharing.with_installation(_database(item))
    return f"{module} {_database(item)}".rstrip()
