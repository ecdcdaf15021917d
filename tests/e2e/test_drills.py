"""Crashes as a person tries them: a process of `varsel up` is killed in the middle of orders."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from contextlib import closing
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from engine.db.store import Store
from engine.db.tables import subscriptions
from engine.doctor.asking import living
from tests.helpers.command import command, environment, process
from tests.helpers.processes import start
from tests.helpers.waiting import LEASE, patience, wait_for
from tests.servers.installation import Installation

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Installation]:
    """With the development inbox; all of its processes have shown themselves."""
    with Installation(tmp_path_factory.mktemp("site"), lease=LEASE) as running:
        url = running.environment()["VARSEL_DATABASE_URL"]
        wait_for(lambda: {each.kind for each in living(url)} == {"web", "worker", "instant", "scheduler"})
        yield running


def killed(site: Installation) -> list[str]:
    """Those that its supervisor has seen killed, in order."""
    return re.findall(r"^(\w+).* ended \(exit code -9\)", "".join(site.output), re.MULTILINE)


@pytest.mark.parametrize("victim", ["worker", "scheduler", "redis", "web"])
def test_nothing_that_was_accepted_is_lost_when_a_process_is_killed(victim: str, site: Installation) -> None:
    before = killed(site)
    done = process("drill", "kill", victim, "--orders", 60, "--yes", "--json", data=str(site.folder))
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert (report["orders"], report["events"], report["arrived"]) == (60, 6, 66)
    assert (report["lost"], report["other_message_id"]) == ([], [])
    assert None not in (report["started_again"], report["next_mail"], report["settled"])
    assert killed(site) == [*before, victim]


def test_a_drill_that_is_ended_takes_its_subscription_back(site: Installation) -> None:
    with closing(Store(site.environment()["VARSEL_DATABASE_URL"])) as store:

        def subscribed() -> int:
            with store.read() as connection:
                kept = select(func.count()).where(subscriptions.c.removed.is_(None))
                return connection.scalar(kept) or 0

        before = subscribed()
        words = command("drill", "kill", "worker", "--orders", 5_000, "--yes", "--data", site.folder)
        drill = start(words, env=environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for(lambda: subscribed() > before)
        drill.terminate()
        assert drill.wait(patience()) == -signal.SIGTERM
        assert subscribed() == before
