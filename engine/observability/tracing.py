"""Traces: one from the request through the workers to the relay's reply.

If tracing is off, a span costs one look at a variable. If it is on (VARSEL_TRACING, with the extra `tracing`), spans go
by OTLP over HTTP to the address in the standard OTEL_* variables. From one process to the next, a trace travels as a
W3C traceparent (orders.trace). An attribute is never somebody's address or text.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from engine.runtime.extras import demand

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.observability.spans import Tracer
    from engine.settings import Settings


class Span(AbstractContextManager["Span"]):
    """A step of a trace while its block runs: this one does nothing, as when tracing is off."""

    traceparent: str | None = None

    def set(self, **attributes: object) -> None:
        """Add attributes, named `varsel.…`; None is left out."""

    def failed(self, reason: str) -> None:
        """Mark the step as one that did not succeed."""

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """End it, as failed when an exception went through it."""


_NOTHING = Span()
_tracer: Tracer | None = None


def configure(config: Settings, process: str) -> None:
    """Begin to trace in this process (web, worker), if that is set; Misconfigured without the extra."""
    global _tracer  # noqa: PLW0603 there is one in a process, as there is one log
    if not config.tracing:
        return
    check(config)
    from engine.observability.spans import Tracer  # noqa: PLC0415 needs the extra, and a tenth of a second

    _tracer = Tracer(process)


def check(config: Settings) -> None:
    """Raise Misconfigured if tracing is on without its extra."""
    if config.tracing:
        demand("opentelemetry.sdk", "tracing", "VARSEL_TRACING is on, but OpenTelemetry is not installed")


def close() -> None:
    """Send the remaining spans; a collector that does not answer delays the end only shortly."""
    global _tracer  # noqa: PLW0603 likewise
    if _tracer is not None:
        _tracer.close()
        _tracer = None


def span(name: str, parent: str | None, kind: str = "internal", **attributes: object) -> Span:
    """A step of the trace that the traceparent `parent` belongs to; nothing without one.

    `kind` is OpenTelemetry's: internal, server, client, consumer.
    """
    if _tracer is None or parent is None:
        return _NOTHING
    return _tracer.span(name, {"traceparent": parent}, kind, attributes)


def first_span(name: str, headers: Mapping[str, str], kind: str, **attributes: object) -> Span:
    """The first step here: of the trace that the caller's headers name, else of a new one."""
    if _tracer is None:
        return _NOTHING
    return _tracer.span(name, headers, kind, attributes)


def current() -> str | None:
    """The traceparent of the step that runs now, to be stored with its results; None when nothing is traced."""
    return None if _tracer is None else _tracer.current()
