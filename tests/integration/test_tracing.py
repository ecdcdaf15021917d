"""Traces: from the request through the workers to the relay's reply, as a collector gets them."""

from __future__ import annotations

import asyncio
import logging
import os
import subprocess
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from engine.db.tables import orders
from engine.errors import Misconfigured
from engine.events.storing import persist
from engine.observability import tracing
from engine.outbound import Guard, Outbound
from engine.settings import Settings
from engine.subscriptions.signing import Signer
from engine.templating.own import Own
from engine.webhooks.call import Courier
from engine.webhooks.mail_sink import MailSink
from tests.helpers.log import logging_as
from tests.helpers.pushing import Pushing
from tests.helpers.rows import add_subscription, an_event
from tests.helpers.waiting import wait_for
from tests.servers.http import Receiver
from tests.servers.http import Say as Answer
from tests.servers.installation import API, Installation, order
from tests.servers.smtp import ScriptedSMTP
from tests.servers.smtp_script import Say
from tests.servers.traces import Collector

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from engine.db.store import Store
    from tests.servers.smtp_script import Step

TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
SAMPLED = {"traceparent": f"00-{TRACE}-{CALLER}-01"}


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    """A collector to which this process sends traces."""
    with Collector() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        tracing.configure(Settings(tracing=True), "worker")
        yield collector
        tracing.close()


class Traced:
    """An installation that sends traces to a collector; its relay refuses Ola."""

    def __init__(self, collector: Collector, installation: Installation) -> None:
        self.collector = collector
        self.client = installation.client()

    def post(self, to: str, headers: dict[str, str] | None = None) -> str:
        """Order a mail; returns the order's id."""
        answer = self.client.post(f"{API}/orders/email", json=order(to), headers=headers)
        assert answer.status_code == 202
        return str(answer.json()["orderId"])

    def trace_of(self, order_id: str) -> str:
        """The trace that the order belongs to, as soon as its e-mail's step is there."""

        def found() -> str | None:
            spans = [span for span in self.collector.spans if span.name == "send e-mail"]
            return next((span.trace for span in spans if span.attributes["varsel.order_id"] == order_id), None)

        return str(wait_for(found))


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Traced]:
    def refuse_ola(step: Step) -> Say | None:
        return Say(550, "5.1.1 no ola@example.no here") if step.phase == "rcpt" and "ola@" in step.argument else None

    with Collector() as collector, ScriptedSMTP(refuse_ola) as relay, pytest.MonkeyPatch.context() as environment:
        environment.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        environment.setenv("OTEL_BSP_SCHEDULE_DELAY", "100")
        settings: dict[str, Any] = {
            "tracing": "true",
            "smtp_url": relay.url,
            "log_format": "json",
            "worker_processes": 1,
        }
        with Installation(tmp_path_factory.mktemp("traced"), **settings) as installation:
            found = Traced(collector, installation)
            yield found
            found.client.close()


def test_one_trace_holds_request_processing_and_the_relays_reply(traced: Traced) -> None:
    order_id = traced.post("kari@example.no", SAMPLED)
    assert traced.trace_of(order_id) == TRACE
    wait_for(lambda: len(traced.collector.of(TRACE)) >= 3)
    spans = traced.collector.of(TRACE)
    request, processing, sending = spans["POST"], spans["process order"], spans["send e-mail"]
    assert (request.process, request.parent) == ("web", CALLER)
    assert request.attributes["varsel.route"] == f"{API}/orders/email"
    assert request.attributes["varsel.status"] == 202
    assert (processing.process, processing.parent) == ("worker", request.id)
    assert (sending.process, sending.parent) == ("worker", request.id)
    known = {name.removeprefix("varsel."): value for name, value in sending.attributes.items()}
    assert (known["outcome"], known["phase"], known["code"]) == ("accepted", "dot", 250)
    assert processing.attributes["varsel.order_id"] == known["order_id"] == order_id
    assert not any(span.failed for span in spans.values())


def test_a_refused_mail_is_a_failed_step_that_names_nobody(traced: Traced) -> None:
    trace = traced.trace_of(traced.post("ola@example.no"))
    sending = traced.collector.of(trace)["send e-mail"]
    assert sending.failed
    assert (sending.attributes["varsel.phase"], sending.attributes["varsel.code"]) == ("rcpt", 550)
    assert not [value for span in traced.collector.spans for value in span.attributes.values() if "@" in str(value)]


def test_a_caller_who_is_not_sampled_is_not_traced_by_the_workers_either(traced: Traced) -> None:
    first = traced.post("kari@example.no", {"traceparent": f"00-{'a' * 32}-{CALLER}-00"})
    traced.trace_of(traced.post("kari@example.no"))  # sent later than the first
    assert not traced.collector.of("a" * 32)
    assert first not in {span.attributes.get("varsel.order_id") for span in traced.collector.spans}


def test_an_error_answer_names_the_trace_that_it_is_in(traced: Traced) -> None:
    answer = traced.client.post(f"{API}/orders/email", json={}, headers={"traceparent": f"00-{'b' * 32}-{CALLER}-01"})
    _, trace, span_id, flags = answer.json()["traceId"].split("-")
    wait_for(lambda: traced.collector.of("b" * 32))
    request = traced.collector.of("b" * 32)["POST"]
    assert (trace, span_id, flags) == (request.trace, request.id, "01")


def test_what_machines_ask_every_few_seconds_is_not_traced(traced: Traced) -> None:
    for path in ("/livez", "/readyz", "/metrics"):
        traced.client.get(path, headers={"traceparent": f"00-{'c' * 32}-{CALLER}-01"})
    traced.trace_of(traced.post("kari@example.no"))
    assert not traced.collector.of("c" * 32)


def test_a_step_is_in_the_log_lines_of_its_block(collector: Collector, capsys: pytest.CaptureFixture[str]) -> None:
    log = logging.getLogger("engine.test")
    with logging_as("json"):
        with tracing.span("work", SAMPLED["traceparent"]) as span:
            log.info("at work")
            assert tracing.current() == span.traceparent
        log.info("at rest")
    lines = capsys.readouterr().err.splitlines()
    first, second = (line for line in lines if '"logger": "engine.test"' in line)  # other threads may log, too
    assert f'"trace_id": "{TRACE}"' in first
    assert "trace_id" not in second
    assert tracing.current() is None
    tracing.close()
    assert [span.trace for span in collector.spans] == [TRACE]


def test_what_is_left_is_sent_when_the_process_ends(collector: Collector) -> None:
    with pytest.raises(ValueError, match="kari"), tracing.span("work", SAMPLED["traceparent"]):
        raise ValueError("kari@example.no")
    tracing.close()
    [span] = collector.spans
    assert (span.name, span.parent, span.failed) == ("work", CALLER, True)


def test_an_event_that_is_mailed_is_one_trace_with_its_order(store: Store, collector: Collector) -> None:
    with Receiver(Answer(500)) as receiver:
        with store.write() as connection:
            add_subscription(connection, receiver.url)
            add_subscription(connection, "mailto:kari@example.no", template="event", creator="ttd")
            persist(connection, [an_event(id="1")])

        async def push() -> None:
            outbound = Outbound(Guard(allow_private=True))
            courier = Courier(outbound, Signer(b"the key of these tests, long enough"), "http://127.0.0.1")
            mail_sink = MailSink(Own(None), "noreply@varsel.example")
            await Pushing(store, courier, mail_sink, timedelta(seconds=30)).run()
            await outbound.close()

        asyncio.run(push())
    tracing.close()
    refused, mailed = sorted(collector.spans, key=lambda span: span.attributes["varsel.outcome"], reverse=True)
    assert (refused.name, mailed.name) == ("push event", "push event")
    assert (refused.attributes["varsel.status"], refused.attributes["varsel.event_id"]) == (500, "1")
    with store.read() as connection:
        trace = connection.scalars(select(orders.c.trace)).one()
    assert trace.startswith(f"00-{mailed.trace}-{mailed.id}-")
    assert mailed.trace != refused.trace


def test_without_a_parent_there_is_no_step(collector: Collector) -> None:
    with tracing.span("work", None) as span:
        assert span.traceparent is None
    tracing.close()
    assert not collector.spans


def test_tracing_without_the_extra_says_what_to_install(tmp_path: Path) -> None:
    (tmp_path / "opentelemetry.py").write_text("")  # as Python sees it that has no package of that name
    start = "from engine.settings import load; from engine.observability.tracing import configure"
    code = f"{start}; configure(load(), 'web')"
    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{os.getcwd()}", "VARSEL_TRACING": "true"}  # noqa: PTH109
    ended = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False)
    assert f"{Misconfigured.__name__}: VARSEL_TRACING is on" in ended.stderr
    assert "pip install 'varsel[tracing]'" in ended.stderr
