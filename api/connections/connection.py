"""One client's connection: uvicorn's protocol on httptools, with bounds on what a client sends, and by when."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any, cast

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from api.connections import heads, refusals
from api.connections.room import HEALTH, finds_room, finds_spare_room
from api.connections.taking import PROGRESS, Taking
from api.joined import Joined
from engine.observability import metrics

if TYPE_CHECKING:
    import asyncio

    from api.connections.bounds import Bounds

LINGER = 2.0  # seconds that a refused client has to read its answer, while what it still sends is dropped


class _Trailers(list[tuple[bytes, bytes]]):
    """Takes the fields that come after a body: they are no header fields (RFC 9110, 6.5.1), and no route reads them."""

    def append(self, _field: tuple[bytes, bytes]) -> None:
        """Forget it."""


_TRAILERS = _Trailers()


class Connection(HttpToolsProtocol):
    """One client's connection.

    A client that is refused gets an answer, unless an earlier request of the same connection is still being answered:
    then that answer is the last one.
    """

    def __init__(self, *arguments: Any, bounds: Bounds, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._bounds = bounds
        self._received = 0  # bytes of the head or body that is coming in, but for those that came with its beginning
        self._carried = 0  # bytes of that body itself
        self._carried_before = 0  # when its deadline was set
        self._fault = 400  # the status of what made the parser stop
        self._withheld = b""  # the framing of a body that the parser does not see, since its request has an Upgrade
        self._deaf = False  # nothing more is heard
        self.spare = False  # it is one of SPARE
        self.served = False  # at least one request was answered
        self.since = self.loop.time()  # when it was connected, or last answered
        self._deadline: asyncio.TimerHandle | None = None  # for the client to send
        self._held_up = False  # whether it could not send for a part of that time, since it had to wait for us
        self._idle: asyncio.TimerHandle | None = None  # until somebody looks whether the client still comes back
        self._idle_since: float | None = None  # when the last answer was given; None: something has come since
        self._answer: Joined | None = None  # what the newest answer is written to

    @property
    def keeps_waiting(self) -> bool:
        """Whether the next step is the client's, not ours."""
        cycle = self.cycle
        if self._deaf or self.flow.write_paused or cycle is None or cycle.response_complete or cycle.more_body:
            return True
        return self.rests

    @property
    def rests(self) -> bool:
        """Whether its answer is a stream that goes on when there is something new (`request.state.resting`)."""
        cycle = self.cycle
        return cycle is not None and not cycle.response_complete and bool(cycle.scope["state"].get("resting"))

    @property
    def _streams(self) -> bool:
        """Whether a body comes that may take any time, as long as it goes on (`scope["state"]["streams"]`)."""
        return self._in_body and bool(self.cycle.scope["state"].get("streams"))

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
        self._taking = Taking(transport, self.loop, self._bounds.stall_time)
        self._deadline = self.loop.call_later(self._bounds.head_time, self._late)
        if len(self.connections) > self._bounds.connections and not self._finds_room():
            self.spare = True
            if not finds_spare_room(self._others()):
                self._refuse(503)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._taking.stop()
        for timer in (self._deadline, self._idle):
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
            # A client that asks for another protocol goes on with this one (RFC 9110, 7.8).
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
        if self.spare:
            self._check_room()
        self._check_head()
        super().on_headers_complete()
        self.headers = _TRAILERS
        self._carried = self._carried_before = 0

    def on_body(self, body: bytes) -> None:
        self._carried += len(body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        if not self._withheld:
            super().on_message_complete()

    def on_response_complete(self) -> None:
        """What uvicorn does, without the timer that it starts and stops with each request: timers are expensive."""
        if self._answer is not None:
            self._answer.flush()  # after HEAD, no body follows that takes the head along
        self.server_state.total_requests += 1
        self.served, self.since = True, self.loop.time()
        if not self.transport.is_closing():
            self.flow.resume_reading()
            if self.pipeline:
                self._start_asgi_task(*self.pipeline.pop())
            else:
                self._idle_since = self.since
                if self._idle is None:
                    self._idle = self.loop.call_later(self.timeout_keep_alive, self._look_for_client)
        if self.cycle.response_complete and (self.cycle.more_body or self._in_head):
            self._await_client()
        if self.transport.get_write_buffer_size():
            self._taking.watch()

    def _start_asgi_task(self, cycle: Any, app: Any) -> None:
        self._answer = cycle.transport = Joined(self.transport, self.loop)
        super()._start_asgi_task(cycle, app)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._taking.watch()

    def _what_is_too_large(self) -> int:
        """The status for the head, its first line, or what stands around a body."""
        if self._in_head:
            return 431 if self.headers else 414
        return 431 if self.scope is None else 400

    def _check_head(self) -> None:
        if len(self.pipeline) >= self._bounds.pipelined:
            self._stop(400)
        if status := heads.fault(self.url, self.headers, self.parser, self._bounds):
            self._stop(status)
        # Behind an Upgrade or CONNECT the parser sees no body: it would be taken for the next request.
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                self._stop(400)
            self._withheld = heads.framing(self.headers)

    def _check_room(self) -> None:
        self.spare = not self._finds_room()
        if self.spare and self.url.partition(b"?")[0] not in HEALTH:
            self._stop(503)

    def _read_withheld(self) -> None:
        """Read the body of a request with an Upgrade by a parser that does not see the Upgrade, and then nothing more.

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
        """Read no more; answer with this status, unless that could be taken for the answer to another request."""
        metrics.CUT_CONNECTIONS.labels(refusals.REASONS[status]).inc()
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
        self.transport.write(refusals.answer(status, self.server_state.default_headers))
        self.transport.write_eof()
        self._deadline = self.loop.call_later(LINGER, self.transport.abort)

    def _await_client(self) -> None:
        """Give the client a deadline, unless it has one: bytes that come do not put it off."""
        if self._deadline is None:
            within = self._bounds.body_time if self._in_body else self._bounds.head_time
            self._deadline = self.loop.call_later(within, self._late)

    def _forget_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _late(self) -> None:
        self._deadline = None
        if self._streams and self._carried >= self._carried_before + PROGRESS:
            self._carried_before = self._carried
            self._await_client()
        elif self.flow.read_paused or self._held_up:
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

    def _finds_room(self) -> bool:
        return finds_room(self._others(), self._bounds.connections)

    def _others(self) -> list[Connection]:
        return [each for each in self.connections if isinstance(each, Connection) and each is not self]


class _Body:
    """What a parser of one request's body calls."""

    def __init__(self, connection: Connection) -> None:
        self.on_body = connection.on_body
        self.on_message_complete = connection.on_message_complete


def bounded(bounds: Bounds) -> type[asyncio.Protocol]:
    """What uvicorn's setting `http` takes."""
    return cast("type[asyncio.Protocol]", partial(Connection, bounds=bounds))
