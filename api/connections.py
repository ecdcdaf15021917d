"""Connections of clients, below HTTP's meaning: how many there are, and what each may send and leave waiting.

uvicorn parses requests without end and waits for clients without end. This protocol adds the bounds, and refuses here
what never becomes a request; everything else goes on to the application as before.
"""

from __future__ import annotations

import resource
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from api.joined import Joined
from api.problems import document
from engine.errors import Misconfigured
from engine.observability import metrics

if TYPE_CHECKING:
    import asyncio

LINGER = 2.0  # seconds that a refused client has to read its answer, while what it still sends is dropped
PROGRESS = 16 * 1024  # bytes of a waiting answer that a client must take in each `stall_time`
DESCRIPTORS = 200  # files and connections of a process beside its clients', SPARE included
SPARE = 32  # connections that questions about health find when requests that are at work have all others
HEALTH = frozenset({b"/livez", b"/health", b"/readyz", b"/metrics"})


@dataclass(frozen=True, slots=True)
class Bounds:
    """What clients may take up; sizes in bytes, times in seconds."""

    connections: int = 800  # of all clients
    line: int = 20_000  # the target, or one header field: two of the largest tokens and the longest query fit a head
    head: int = 64 * 1024  # all of a head; as much, and once its own size, may stand around the chunks of a body
    fields: int = 100
    pipelined: int = 32  # requests that wait behind the one that is being answered
    head_time: float = 20.0  # for a head, from the connection or from its first byte on
    body_time: float = 30.0  # for a body, from its head on; as much again after the client had to wait for us
    stall_time: float = 30.0  # for PROGRESS of an answer


_DETAILS = {
    400: "This is no request of HTTP/1.1, or one that is not taken, such as one without Host.",
    408: "The request took too long to come in.",
    414: "The target of the request is too long.",
    431: "The head of the request has too many bytes or too many fields.",
    503: "All connections are in use; try again.",
}
_REASONS = {400: "malformed", 408: "too_slow", 414: "too_large", 431: "too_large", 503: "full"}


class _Trailers(list[tuple[bytes, bytes]]):
    """Where fields go that come behind a body: none is a header field (RFC 9110, 6.5.1), and no route reads them."""

    def append(self, _field: tuple[bytes, bytes]) -> None:
        """Forget it."""


_TRAILERS = _Trailers()
_FRAMING = (b"content-length", b"transfer-encoding")


class Connection(HttpToolsProtocol):
    """One client's connection.

    Whoever is refused gets an answer, unless an earlier request of the same connection is still being answered: then
    that answer is the last one.
    """

    def __init__(self, *arguments: Any, bounds: Bounds, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._bounds = bounds
        self._received = 0  # bytes of the head or body that is coming in, but for those that came with its beginning
        self._carried = 0  # bytes of that body itself
        self._fault = 400  # the status of what made the parser stop
        self._withheld = b""  # the framing of a body that the parser does not see, since its request has an Upgrade
        self._deaf = False  # nothing more is heard
        self._spare = False  # it is one of SPARE
        self._served = False  # at least one request was answered
        self._since = self.loop.time()  # when it was connected, or last answered
        self._deadline: asyncio.TimerHandle | None = None  # for the client to send
        self._held_up = False  # whether it could not send for a part of that time, since it had to wait for us
        self._idle: asyncio.TimerHandle | None = None  # until somebody looks whether the client still comes back
        self._idle_since: float | None = None  # when the last answer was given; None: something has come since
        self._stall: asyncio.TimerHandle | None = None  # for the client to take
        self._untaken = 0  # bytes it had not taken when that began
        self._answer: Joined | None = None  # what the newest answer is written to

    @property
    def keeps_waiting(self) -> bool:
        """Whether the next step is the client's, not ours."""
        cycle = self.cycle
        if self._deaf or self.flow.write_paused or cycle is None or cycle.response_complete or cycle.more_body:
            return True
        return self._rests

    @property
    def _rests(self) -> bool:
        """Whether its answer is a stream that goes on when there is something new (`request.state.resting`)."""
        cycle = self.cycle
        return cycle is not None and not cycle.response_complete and bool(cycle.scope["state"].get("resting"))

    @property
    def _in_head(self) -> bool:
        """Whether a request has begun and is not passed on yet: only then has the newest one another scope."""
        return self.scope is not None and (self.cycle is None or self.cycle.scope is not self.scope)

    @property
    def _in_body(self) -> bool:
        """Whether a request is passed on whose body is still to come, and that is not answered yet."""
        cycle = self.cycle
        return cycle is not None and cycle.more_body and not cycle.response_complete

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn has it
        super().connection_made(transport)
        self._deadline = self.loop.call_later(self._bounds.head_time, self._late)
        if len(self.connections) > self._bounds.connections and not self._finds_room():
            self._spare = True
            spare = [each for each in self._others() if each._spare]  # noqa: SLF001 one of its own kind
            if len(spare) >= SPARE and not _end_longest(spare):
                self._refuse(503)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._deadline, self._idle, self._stall):
            if timer is not None:
                timer.cancel()

    def data_received(self, data: bytes) -> None:
        if self._deaf:
            return
        self._unset_keepalive_if_required()
        scope, cycle = self.scope, self.cycle
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            # Whoever wishes to speak another protocol goes on in this one (RFC 9110, 7.8).
            if self._withheld:
                self._read_withheld()
            self.data_received(data[upgrade.args[0] :])
            return
        except httptools.HttpParserError:
            self._refuse(self._fault)
            return
        if scope is self.scope and cycle is self.cycle:  # all of the data were of one head, or of one body
            self._received += len(data)
            if self._received > self._bounds.head + (0 if self._in_head else 2 * self._carried):
                self._refuse(self._what_is_too_large())
                return
        else:
            self._received = 0
            self._forget_deadline()
        cycle = self.cycle
        if cycle is None or cycle.response_complete or cycle.more_body:
            self._await_client()
        elif self._deadline is not None:
            self._forget_deadline()

    def on_headers_complete(self) -> None:
        if self._spare:
            self._check_room()
        self._check_head()
        super().on_headers_complete()
        self.headers = _TRAILERS
        self._carried = 0

    def on_body(self, body: bytes) -> None:
        self._carried += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._withheld:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """What uvicorn does, without the timer that it starts and stops with each request: timers are dear."""
        if self._answer is not None:
            self._answer.flush()  # to HEAD no body takes the head along
        self.server_state.total_requests += 1
        self._served, self._since = True, self.loop.time()
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())
            else:
                self._idle_since = self._since
                if self._idle is None:
                    self._idle = self.loop.call_later(self.timeout_keep_alive, self._look_for_client)
        if self.cycle.response_complete and (self.cycle.more_body or self._in_head):
            self._await_client()
        if self.transport.get_write_buffer_size():
            self._watch_taking()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answer = cycle.transport = Joined(self.transport, self.loop)
        super()._start_asgi_task(cycle, app)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._watch_taking()

    def _what_is_too_large(self) -> int:
        """The status for the head, its first line, or what stands around a body."""
        if self._in_head:
            return 431 if self.headers else 414
        return 431 if self.scope is None else 400

    def _check_head(self) -> None:
        headers, bounds = self.headers, self._bounds
        if len(self.pipeline) >= bounds.pipelined:
            self._stop(400)
        if len(self.url) > bounds.line:
            self._stop(414)
        sizes = [len(name) + len(value) for name, value in headers]
        if len(headers) > bounds.fields or sum(sizes) > bounds.head or max(sizes, default=0) > bounds.line:
            self._stop(431)
        names = [name for name, _ in headers]
        hosts = names.count(b"host")
        if hosts != 1 or b"transfer-encoding" in names:
            self._check_framing(hosts, [value.lower() for name, value in headers if name == b"transfer-encoding"])
        # Behind an Upgrade or CONNECT the parser sees no body: it would be taken for the next request.
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._stop(400)
            self._withheld = b"".join(b"%b: %b\r\n" % field for field in headers if field[0] in _FRAMING)

    def _check_room(self) -> None:
        self._spare = not self._finds_room()
        if self._spare and self.url.partition(b"?")[0] not in HEALTH:
            self._stop(503)

    def _check_framing(self, hosts: int, codings: list[bytes]) -> None:
        old = self.parser.get_http_version() == "1.0"
        if hosts > 1 or (not hosts and not old):  # RFC 9112, 3.2
            self._stop(400)
        if codings and (old or any(coding != b"chunked" for coding in codings)):  # RFC 9112, 6.1
            self._stop(400)

    def _read_withheld(self) -> None:
        """Hear the body of a request with an Upgrade by a parser that sees no Upgrade, and then nothing more.

        Clients such as Java's ask for h2c with every first request, those with a body included.
        """
        self.cycle.keep_alive = False
        framing, self._withheld = self._withheld, b""
        self.parser = httptools.HttpRequestParser(_Body(self))
        self.parser.feed_data(b"POST / HTTP/1.1\r\n" + framing + b"\r\n")

    def _stop(self, status: int) -> None:
        """Called by the parser's callbacks: make it stop."""
        self._fault = status
        raise ValueError(status)

    def _refuse(self, status: int) -> None:
        """Hear no more; answer so, where that cannot be taken for the answer to something else."""
        metrics.CUT_CONNECTIONS.labels(_REASONS[status]).inc()
        self._deaf = True
        self._forget_deadline()
        cycle = self.cycle
        if self._answer is not None:
            self._answer.flush()
        if cycle is not None:
            cycle.waiting_for_100_continue = False  # nothing more is written behind what is written here
        if self._in_head or cycle is None:
            if cycle is not None and not cycle.response_complete:
                cycle.keep_alive = False
                return
        elif self.pipeline or cycle.response_started:
            self.transport.abort()
            return
        else:
            cycle.disconnected = True
            cycle.message_event.set()
        body = document(status, _DETAILS[status])
        fields = [
            *self.server_state.default_headers,
            (b"content-type", b"application/problem+json; charset=utf-8"),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
        ]
        head = b"".join(b"%b: %b\r\n" % field for field in fields)
        self.transport.write(STATUS_LINE[status] + head + b"\r\n" + body)
        self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER, self.transport.abort)

    def _await_client(self) -> None:
        """Give it until the deadline, which no byte on the way puts off."""
        if self._deadline is None:
            within = self._bounds.body_time if self._in_body else self._bounds.head_time
            self._deadline = self.loop.call_later(within, self._late)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self.flow.read_paused or self._held_up:
            self._held_up = self.flow.read_paused
            self._await_client()
        elif self._in_head or self._in_body:
            self._refuse(408)
        else:  # it has said nothing, or goes on with a body that was answered
            metrics.CUT_CONNECTIONS.labels("too_slow").inc()
            self.transport.close()

    def _unset_keepalive_if_required(self) -> None:
        self._idle_since = None

    def _look_for_client(self) -> None:
        """End the connection if nothing has come for so long since the last answer; else look again when it may be."""
        self._idle = None
        if self._idle_since is not None:
            left = self._idle_since + self.timeout_keep_alive - self.loop.time()
            if left > 0:
                self._idle = self.loop.call_later(left, self._look_for_client)
            else:
                self.timeout_keep_alive_handler()

    def _watch_taking(self) -> None:
        """From now on, the client must take what waits for it."""
        if self._stall is not None:
            self._stall.cancel()
        self._untaken = self.transport.get_write_buffer_size()
        self._stall = self.loop.call_later(self._bounds.stall_time, self._look) if self._untaken else None

    def _look(self) -> None:
        if 0 < self.transport.get_write_buffer_size() > self._untaken - PROGRESS:
            metrics.CUT_CONNECTIONS.labels("too_slow").inc()
            self.transport.abort()
        else:
            self._watch_taking()

    def _finds_room(self) -> bool:
        """Whether this can be one of the usual connections, another of which may end for it."""
        usual = [each for each in self._others() if not each._spare]  # noqa: SLF001 one of its own kind
        return len(usual) < self._bounds.connections or _end_longest(usual)

    def _others(self) -> list[Connection]:
        return [each for each in self.connections if isinstance(each, Connection) and each is not self]

    def _rank(self) -> tuple[bool, bool, float]:
        """Who is to end first: whoever never got an answer, then who rests, then who has kept us waiting longest."""
        return self._served, not self._rests, self._since


def _end_longest(connections: list[Connection]) -> bool:
    """End the one of them that has kept us waiting longest; False: all are at work."""
    waiting = [each for each in connections if each.keeps_waiting]
    if not waiting:
        return False
    longest = min(waiting, key=Connection._rank)  # noqa: SLF001 of this module
    metrics.CUT_CONNECTIONS.labels("full").inc()
    longest.connections.discard(longest)
    longest.transport.abort()
    return True


class _Body:
    """What a parser calls that hears the body of one request."""

    def __init__(self, connection: Connection) -> None:
        self.on_body = connection.on_body
        self.on_message_complete = connection.on_message_complete


def bounded(bounds: Bounds) -> type[asyncio.Protocol]:
    """What uvicorn's setting `http` takes."""
    return cast("type[asyncio.Protocol]", partial(Connection, bounds=bounds))


def reserve_descriptors(connections: int) -> None:
    """Let this process open so many connections, and what it needs itself; Misconfigured where the system does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    need = connections + DESCRIPTORS
    if soft == resource.RLIM_INFINITY or soft >= need:
        return
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (need, hard))
    except (ValueError, OSError):
        raise Misconfigured(
            f"VARSEL_MAX_CONNECTIONS is {connections}, and the system lets a process open {hard} files; raise that "
            f"limit (ulimit -n, LimitNOFILE=) to {need}, or set VARSEL_MAX_CONNECTIONS to {max(hard - DESCRIPTORS, 1)}"
        ) from None
