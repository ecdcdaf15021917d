"""The relay: senders wait in order for a session of the pool, send a message and get its outcome."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import deque
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.diagnosis import of_relay
from engine.email.smtp.envelope import Envelope
from engine.email.smtp.phases import Phase
from engine.email.smtp.pool import Pool
from engine.email.smtp.replies import Outcome, Rejected, Reply, is_crowded, judge
from engine.email.smtp.route import Route
from engine.email.smtp.session import Session
from engine.models import EmailState, Trouble
from engine.runtime.clock import steady
from engine.settings.relays import SETTING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path

log = logging.getLogger(__name__)

MESSAGES_PER_CONNECTION = 500  # relays end long sessions, some rudely; a new session now and then costs nothing
CONNECTION_AGE = timedelta(seconds=300)  # so that a relay's new address is found within minutes
IDLE = timedelta(seconds=30)  # relays and firewalls cut silent connections later than that

NOTHING = Reply(None, "no connection to the relay")
NO_SMTPUTF8 = Reply(None, "the address has non-ASCII characters before the @, and the relay does not offer SMTPUTF8")
TROUBLE_LASTS = 15.0  # seconds; while it is down, the relay is tried every few, so older trouble is out of date
LOOK_EVERY = 1.5  # seconds between two looks whether it is back
LOOK_SELDOM = 60.0  # likewise, where it refuses for good: it may lock out clients that insist


@dataclass(slots=True)
class Turn:
    """What a sender got: a session, or why there is none; `told`: another sender tried and told this one."""

    session: Session | None
    refusal: Reply | None = None
    told: bool = False
    counts: bool = True  # True: it is one of the senders at work


class Relay:
    """All connections of one event loop to one relay.

    `name`: as logs and attempts show it, HOST:PORT if it is empty. `written`: where its address stands, for operators.
    `url`: smtp:// (port 25), smtp+starttls:// (587, always with TLS) or smtps:// (465); USER:PASSWORD@ percent-encoded.
    `connect_timeout` bounds connecting as a whole and each command, `data_timeout` the reply to the final dot.
    `ca_file`: certificates trusted beside the system's; Misconfigured when it cannot be used.
    `pipelining`: say MAIL, RCPT and DATA at once where the relay offers that (RFC 2920).
    """

    def __init__(  # noqa: PLR0913  # what a relay is, and how long a connection to it may be used
        self,
        url: str,
        *,
        connections: int,
        name: str = "",
        written: str = SETTING,
        connect_timeout: timedelta,
        data_timeout: timedelta,
        ca_file: Path | None = None,
        pipelining: bool = True,
        messages_per_connection: int = MESSAGES_PER_CONNECTION,
        connection_age: timedelta = CONNECTION_AGE,
        idle: timedelta = IDLE,
    ) -> None:
        self._route = Route.of(url, ca_file, connect_timeout, data_timeout, pipelining=pipelining)
        self.name = name or f"{self._route.host}:{self._route.port}"
        self._written = written
        self._pool = Pool(
            self._route,
            connections,
            messages=messages_per_connection,
            age=connection_age.total_seconds(),
            rest=idle.total_seconds(),
        )
        self._working = 0  # senders that have a session or open one
        self._queue: deque[asyncio.Future[Session | Reply | None]] = deque()  # senders that wait for one
        self._trouble: Trouble | None = None
        self._refusal = NOTHING  # the newest
        self._refused_at = 0.0  # by the steady clock

    @property
    def connected(self) -> bool:
        """Whether connections are open."""
        return self._pool.established > 0

    @property
    def trouble(self) -> Trouble | None:
        """Why there is no connection, for operators; None: there is one, or nobody has tried lately."""
        if not self._pool.opening and steady() - self._refused_at > TROUBLE_LASTS:
            return None
        return self._trouble

    async def send(  # noqa: PLR0913, PLR0917  # what a message is, and whose turn it is
        self,
        sender: str,
        recipient: str,
        message: bytes,
        ours: Callable[[], bool] = lambda: True,
        turn: Turn | None = None,
        shared: bytes = b"",
    ) -> Outcome:
        """Hand one message over; errors of the network or the relay are outcomes, not exceptions.

        `ours` is asked as late as possible whether the message may still be sent; `turn`: the sender's own, if any.
        `shared` follows the message: see Envelope.
        """
        try:
            envelope = Envelope.of(sender, recipient, message, shared)
        except ValueError as error:
            never = timedelta()
            return Rejected(Reply.of(None, str(error)), Phase.CONNECT, never, EmailState.FAILED_INVALID_EMAIL_FORMAT)
        if turn is None:
            async with self.turn() as own:
                return await self._send(own, envelope, ours)
        return await self._send(turn, envelope, ours)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[Turn]:
        """A sender's turn with a connection, as soon as there is one; senders are served in order."""
        turn = await self._wait()
        try:
            yield turn
        finally:
            if turn.session:
                self._pool.rest_again(turn.session)
            self._end(turn)

    @property
    def shall_look(self) -> bool:
        """Whether it is down, and nobody has tried it for a while."""
        if self._trouble is None or self._pool.opening or self._refusal.crowded:
            return False
        for_good = (self._refusal.code or 0) // 100 == 5  # noqa: PLR2004  # 5yz (RFC 5321, 4.2.1)
        return steady() - self._refused_at >= (LOOK_SELDOM if for_good else LOOK_EVERY)

    async def look(self) -> bool:
        """Try whether there is a session to be had; nothing is sent over it."""
        opened = await Session.open(self._route)
        if isinstance(opened, Reply):
            self._refused_at, self._refusal = steady(), opened
            return False
        self._back()
        await opened.quit()
        return True

    async def close(self) -> None:
        """Say QUIT on all connections, when nobody sends any more."""
        await self._pool.close()

    async def _send(self, turn: Turn, envelope: Envelope, ours: Callable[[], bool]) -> Outcome:
        """Run one transaction; if the connection turns out to be dead or one too many, over another one."""
        started = time.monotonic()
        while turn.session:
            session, turn.session = turn.session, None
            reused = session.messages > 0
            outcome = await self._attempt(session, envelope, started, ours)
            crowded = not reused and is_crowded(outcome) and self._pool.established > 0
            if not crowded and not (reused and session.stale):
                return outcome
            if crowded:
                self._learn(outcome.reply)
            self._end(turn)
            again = await self._wait(first=True)
            turn.session, turn.refusal, turn.counts = again.session, again.refusal, again.counts
        return judge(turn.refusal or NOTHING, Phase.CONNECT, _since(started))

    def _end(self, turn: Turn) -> None:
        if turn.counts:
            turn.counts = False
            self._working -= 1
            self._next()

    async def _wait(self, *, first: bool = False) -> Turn:
        """Wait for a connection, ahead of all other senders (`first`) or behind them.

        If one is refused while others work, the sender waits on. If none works, all senders are told.
        """
        while True:
            place: asyncio.Future[Session | Reply | None] = asyncio.get_running_loop().create_future()
            self._queue.appendleft(place) if first else self._queue.append(place)
            self._next()
            try:
                given = await place
            except asyncio.CancelledError:
                self._decline(place)
                raise
            if isinstance(given, Session):
                return Turn(given)
            if given:
                return Turn(None, given, counts=False, told=True)
            opened = await self._open_one()
            if isinstance(opened, Session):
                return Turn(opened)
            if self._pool.established:
                self._learn(opened)
            elif not self._pool.opening:
                return self._give_up(opened)
            first = True

    async def _open_one(self) -> Session | Reply:
        """Open a session for a sender whose turn it is."""
        opened = None
        try:
            opened = await self._pool.open()
        finally:
            if isinstance(opened, Session):
                self._back()
            else:
                self._working -= 1
            if not isinstance(opened, Reply):
                self._next()
        return opened

    def _next(self) -> None:
        """Let the first sender go on, with a session that rests or by opening one."""
        while self._queue:
            if self._queue[0].done():  # its sender was cancelled
                self._queue.popleft()
                continue
            if self._working >= self._pool.limit:
                return
            session = self._pool.take()
            if session is None:
                if not self._pool.may_open:
                    return
                self._pool.reserve()
            self._working += 1
            self._queue.popleft().set_result(session)

    def _decline(self, place: asyncio.Future[Session | Reply | None]) -> None:
        """Take back what was given to a sender that was cancelled at the same moment."""
        if not place.done() or place.cancelled():
            return
        given = place.result()
        if isinstance(given, Reply):
            return
        self._working -= 1
        if given:
            self._pool.rest_again(given)
        else:
            self._pool.forgo()
        self._next()

    def _give_up(self, refusal: Reply) -> Turn:
        """Tell all waiting senders that there is no connection."""
        found = of_relay(refusal.code, refusal.text, self.name, self._written)
        if self._trouble is None:
            log.warning("no connection: %s", found)
        self._refused_at, self._refusal = steady(), refusal
        since = self._trouble.since if self._trouble else self._refused_at
        self._trouble = Trouble(since, refusal.text, said=found.text, advice=found.advice)
        for place in self._queue:
            if not place.done():
                place.set_result(refusal)
        self._queue.clear()
        return Turn(None, refusal, counts=False)

    def _learn(self, refusal: Reply) -> None:
        if self._pool.refused():
            log.info("the relay takes %d connections of this process at once: %s", self._pool.established, refusal.text)

    def _back(self) -> None:
        if self._trouble:
            log.info("the relay %s is back after %.0f s; e-mails go on", self.name, steady() - self._trouble.since)
            self._trouble = None

    async def _attempt(self, session: Session, envelope: Envelope, started: float, ours: Callable[[], bool]) -> Outcome:
        """Run one transaction; then give the session back, or drop it."""
        if envelope.utf8 and not session.utf8:
            self._pool.give_back(session)
            return Rejected(NO_SMTPUTF8, Phase.MAIL, _since(started), EmailState.FAILED_INVALID_EMAIL_FORMAT)
        try:
            reply = await session.deliver(envelope, ours)
        except BaseException:
            self._pool.drop(session)  # cancelled midway: the next reply would be to this message
            raise
        outcome = judge(reply, session.phase, _since(started))
        if session.in_step(reply) and not is_crowded(outcome):
            self._pool.give_back(session)
        else:
            self._pool.drop(session)
        return outcome


def _since(started: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - started)
