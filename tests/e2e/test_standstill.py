"""A Redis whose rights are too few: nothing is delivered, every part says so, and work goes on by itself later."""

from __future__ import annotations

from contextlib import ExitStack, closing
from datetime import timedelta
from typing import TYPE_CHECKING

import httpx

from engine.db.migrations import upgrade
from engine.db.store import Store
from tests.helpers.client import connect
from tests.helpers.command import varsel
from tests.helpers.ledger import Ledger
from tests.helpers.ports import free_port
from tests.helpers.rows import add_order
from tests.helpers.single_process import SingleProcess
from tests.helpers.waiting import wait_for
from tests.servers.smtp import ScriptedSMTP
from tests.servers.strict import EVERYTHING, StrictRedis

if TYPE_CHECKING:
    from pathlib import Path


def test_work_that_nobody_takes_is_told_and_goes_on_when_the_cause_is_gone(empty_url: str, tmp_path: Path) -> None:
    with closing(Store(empty_url)) as store:
        upgrade(store)
        with store.write() as connection:
            add_order(connection, due_in=-timedelta(minutes=10))
    with ExitStack() as stack:
        relay = stack.enter_context(ScriptedSMTP())
        tls = stack.enter_context(ScriptedSMTP(tls="starttls"))
        cache = stack.enter_context(StrictRedis(tmp_path, tls.ca_file, tls.ca_file.parent / "key.pem"))
        settings = {
            "database_url": empty_url,
            "redis_url": cache.user("app", "~varsel:*", "+@all"),
            "smtp_url": relay.url,
            "webhook_key": "a key of these tests, 32 characters",
        }
        port = free_port()
        web = stack.enter_context(SingleProcess(tmp_path, "web", "--port", port, **settings))
        worker = stack.enter_context(SingleProcess(tmp_path, "worker", **settings))
        scheduler = stack.enter_context(SingleProcess(tmp_path, "scheduler", **settings))
        client = stack.enter_context(connect(f"http://127.0.0.1:{port}"))

        def ready() -> dict[str, str]:
            try:
                answer = client.get("/readyz")
            except httpx.TransportError:
                return {}
            told: dict[str, str] = answer.json() | {"code": str(answer.status_code)}
            return told

        wait_for(ready)
        told = ready()
        assert told["code"] == "200"  # of web itself nothing is wrong
        assert (told["status"], told["delivery"]) == ("degraded", "stands still: orders")
        assert told["redis"] != "ok"
        for process in (web, worker, scheduler):
            assert "Redis does not let its user do what is needed" in process.await_line("Redis")
        wait_for(lambda: "1 scheduler, 1 web process, 1 worker run" in varsel("doctor", **settings).stdout)
        doctor = varsel("doctor", **settings)
        assert doctor.exit_code == 4
        assert "work stands still: ~dramatiq*" in doctor.stdout
        assert "Orders stand still" in doctor.stdout
        assert 'varsel_stalled_seconds{lane="orders"} 6' in client.get("/metrics").text

        cache.user("app", *EVERYTHING)
        with Ledger(empty_url) as ledger:
            wait_for(ledger.settled)
        wait_for(lambda: ready().get("status") == "ok")
        assert len(relay.messages) == 1
        assert "Traceback" not in web.output + worker.output + scheduler.output
