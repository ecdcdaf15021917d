"""Rules of the routing file: who takes which relay, and what waits keeps nobody waiting."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.email import relays as module
from engine.email.outcomes import REFUSED_RETRY, RELAY_RETRY
from engine.models import EmailState
from engine.runtime import config_files
from tests.helpers.mails import log, rows
from tests.helpers.several_relays import MAILS, Worker, fill, got, hurry, own_relay, own_rule, servers, setting, states
from tests.servers.smtp_script import Close, Hang, Say, Slow

if TYPE_CHECKING:
    from pathlib import Path

    from engine.db.store import Store
    from tests.servers.smtp import ScriptedSMTP


def rule(server: ScriptedSMTP, whose: str, other: str = "") -> str:
    return f'[[route]]\n{whose}\nrelays = ["127.0.0.1:{server.port}"]\n{other}\n'


def test_creators_and_domains_take_relays_of_their_own(store: Store, tmp_path: Path) -> None:
    by_creator, by_domain = fill(store, 20, "skd"), fill(store, 20, domain="mail.example.com")
    others = fill(store, 20, "nav")
    with servers({}, {}, {}) as (usual, other, own):
        file = tmp_path / "routes.toml"
        file.write_text(
            own_relay(own)
            + own_rule('creators = ["skd"]')
            + rule(other, 'domains = ["*.example.com"]')
            + own_rule('creators = ["usual"]')
        )
        # `other` is one of the setting's, too, so the rest goes over both of these
        Worker(store, setting(usual, other), file).run()
    assert got(own) == sorted(by_creator)
    assert set(by_domain) <= set(got(other))
    assert got(usual, other) == sorted(by_domain + others)
    assert {line.relay for line in log(store)} >= {f"own (127.0.0.1:{own.port})"}


@pytest.mark.parametrize("whose", ['creators = ["skd"]', 'domains = ["example.com"]'])
def test_who_may_not_go_over_others_waits_and_keeps_nobody_waiting(store: Store, tmp_path: Path, whose: str) -> None:
    waiting, others = fill(store, 3 * MAILS, "skd", "example.com"), fill(store, MAILS)
    file = tmp_path / "routes.toml"
    with servers({}, {"connect": Close()}) as (usual, own):
        file.write_text(own_relay(own) + own_rule(whose))

        async def work(worker: Worker) -> None:
            await worker.deliver()
            assert got(usual) == sorted(others)
            trouble = worker.relays.trouble
            assert trouble
            whose_words = {'creators = ["skd"]': "of skd", 'domains = ["example.com"]': "to example.com"}[whose]
            assert trouble.text.startswith(f"e-mails {whose_words} wait for it; all others go over other relays (")
            own.script = {}
            worker.wait_no_more()
            hurry(store)
            await worker.deliver()
            hurry(store)
            await worker.deliver()

        Worker(store, usual.url, file).run(work)
    assert got(own) == sorted(waiting)
    assert states(store) == {EmailState.SUCCEEDED}
    assert {line.relay for line in log(store) if line.outcome == "deferred"} == {f"own (127.0.0.1:{own.port})"}


def test_who_may_go_over_others_does_while_the_own_is_down(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    addresses = fill(store, MAILS, "skd")
    file = tmp_path / "routes.toml"
    with servers({}, {"connect": Close()}) as (usual, own):
        file.write_text(own_relay(own) + own_rule('creators = ["skd"]', 'else = "default"'))
        Worker(store, usual.url, file).run()
    assert got(usual) == sorted(addresses)
    [told] = [each.getMessage() for each in caplog.records if "no connection" in each.getMessage()]
    assert f"Check [relays.own] in {file}" in told, "its address does not stand in VARSEL_SMTP_URL"


@pytest.mark.parametrize("whose", ['creators = ["skd"]', 'domains = ["example.com"]'])
def test_mail_for_a_slow_relay_blocks_nobody_elses(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, whose: str
) -> None:
    """All that a worker may have in hand waits for a relay that does not answer; the others' mail goes on."""
    monkeypatch.setattr(module, "BUSY", 20)
    monkeypatch.setattr(module, "FULL", 40)
    monkeypatch.setattr("engine.email.deliverer.BATCH", 20)
    slow, others = fill(store, 200, "skd", "example.com"), fill(store, 100)
    file = tmp_path / "routes.toml"
    with servers({}, {"dot": Hang()}) as (usual, own):
        file.write_text(own_relay(own) + own_rule(whose))

        async def work(worker: Worker) -> None:
            running = asyncio.create_task(worker.deliver())
            await asyncio.to_thread(usual.wait_for, lambda: len(usual.accepted) == len(others))
            assert not own.accepted
            own.script = {}
            own.release()
            await running
            while states(store) != {EmailState.SUCCEEDED}:
                hurry(store)
                await worker.deliver()

        Worker(store, usual.url, file).run(work)
    assert got(usual) == sorted(others)
    assert got(own) == sorted(slow)


def test_the_file_is_followed_while_mail_flows(store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_files, "CHECK", timedelta(0))
    file = tmp_path / "routes.toml"
    file.write_text("")
    with servers({"dot": Slow(0.005)}, {}) as (usual, own):

        async def work(worker: Worker) -> None:
            first = fill(store, 20, "skd")
            await worker.deliver()
            assert got(usual) == sorted(first)
            file.write_text(own_relay(own) + own_rule('creators = ["skd"]'))
            second = fill(store, 20, "skd", "example.com")
            await worker.deliver()
            assert got(own) == sorted(second)
            file.write_text("broken")
            third = fill(store, 20, "skd", "example.org")
            await worker.deliver()
            assert got(own) == sorted(second + third)
            file.write_text("")
            fourth = fill(store, 20, "skd", "example.net")
            await worker.deliver()
            assert got(usual) == sorted(first + fourth)

        Worker(store, usual.url, file).run(work)


def test_mail_for_a_relay_that_refuses_for_good_comes_again_when_that_is_tried(store: Store, tmp_path: Path) -> None:
    """Until then it is not due: nobody shall think that no worker takes it."""
    fill(store, 20, "skd")
    file = tmp_path / "routes.toml"
    with servers({}, {"connect": Say(554, "5.7.1 no", close=True)}) as (usual, own):
        file.write_text(own_relay(own) + own_rule('creators = ["skd"]'))
        Worker(store, usual.url, file).run()
    assert all(row.due_at - row.last_update > REFUSED_RETRY - 2 * RELAY_RETRY for row in rows(store).values())
