"""The one file that knows OpenTelemetry, an optional extra: see engine/observability/tracing.py."""

from __future__ import annotations

import threading
from importlib.metadata import version
from typing import TYPE_CHECKING

from opentelemetry import context, trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from engine.observability import logs
from engine.observability.tracing import Span

if TYPE_CHECKING:
    from collections.abc import Mapping

CLOSE_WITHIN = 5.0  # seconds that sending the last spans may take: the end of the process waits for it
_W3C = TraceContextTextMapPropagator()


class Tracer:
    """Makes spans and sends them in batches, as the OTEL_* variables say; it starts a thread."""

    def __init__(self, process: str) -> None:
        about = {"service.name": "varsel", "service.version": version("varsel"), "varsel.process": process}
        resource = Resource.create().merge(Resource(about)).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        self._provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        self._tracer = self._provider.get_tracer("varsel", version("varsel"))

    def span(self, name: str, headers: Mapping[str, str], kind: str, attributes: Mapping[str, object]) -> Span:
        """A span of the trace that `headers` name, else the first of a new trace."""
        # With an empty context: the worker's own span at this moment is not the parent of this work.
        parent = _W3C.extract(headers, context.Context())
        started = _Running(self._tracer.start_span(name, parent, trace.SpanKind[kind.upper()]))
        started.set(**attributes)
        return started

    def current(self) -> str | None:
        """The traceparent of the span that runs now; None when that span is not sent."""
        running = trace.get_current_span()
        return _traceparent(running) if running.get_span_context().trace_flags.sampled else None

    def close(self) -> None:
        """Send what is left."""
        closing = threading.Thread(target=self._provider.shutdown, name="last spans", daemon=True)
        closing.start()
        closing.join(CLOSE_WITHIN)


class _Running(Span):
    """An OpenTelemetry span: the current one while its block runs, and bound to its log lines."""

    def __init__(self, span: trace.Span) -> None:
        self._span = span
        self.traceparent = _traceparent(span)
        self._bound = logs.bound(trace_id=trace.format_trace_id(span.get_span_context().trace_id))

    def set(self, **attributes: object) -> None:
        for name, value in attributes.items():
            if value is not None:
                self._span.set_attribute(f"varsel.{name}", value if isinstance(value, int) else str(value))

    def failed(self, reason: str) -> None:
        self._span.set_status(trace.StatusCode.ERROR, reason)

    def __enter__(self) -> Span:
        self._token = context.attach(trace.set_span_in_context(self._span))
        self._bound.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind:
            self.failed(kind.__name__)  # not its text, which may have addresses
        self._bound.__exit__()
        context.detach(self._token)
        self._span.end()


def _traceparent(span: trace.Span) -> str:
    """A span as the W3C's header names it."""
    found: dict[str, str] = {}
    _W3C.inject(found, trace.set_span_in_context(span))
    return found["traceparent"]
