"""The relay: a pool of reused sessions, of which never more than a set number are open."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.clock import steady
from engine.models import EmailState
from engine.smtp.replies import Outcome, Phase, Rejected, Reply, judge
from engine.smtp.session import Envelope, Route, Session

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

MESSAGES_PER_CONNECTION = 500  # relays end long sessions, some rudely; a new one every so often costs nothing
CONNECTION_AGE = timedelta(seconds=300)  # so that a relay's new address or balancer is found within minutes
IDLE = timedelta(seconds=30)  # below the least that relays and firewalls wait before they cut a silent connection

NO_SMTPUTF8 = Reply(None, "the address has non-ASCII characters before the @, and the relay does not offer SMTPUTF8")
TURNS_TO_CLOSE = 3  # of the event loop, that a connection takes to close whose TLS handshake failed


@dataclass(frozen=True, slots=True)
class Trouble:
    """No connection to the relay can be had: since when, by the steady clock, and why."""

    since: float
    text: str


class Relay:
    """All connections of one event loop to one relay.

    `url`: smtp:// (port 25), smtp+starttls:// (587, always with TLS) or smtps:// (465); USER:PASSWORD@ percent-encoded.
    `connect_timeout` bounds connecting as a whole and each command, `data_timeout` the reply to the final dot.
    `ca_file`: certificates trusted beside the system's; Misconfigured when it cannot be used.
    """

    def __init__(  # noqa: PLR0913  # what a relay is, and how long a connection to it may be used
        self,
        url: str,
        *,
        connections: int,
        connect_timeout: timedelta,
        data_timeout: timedelta,
        ca_file: Path | None = None,
        messages_per_connection: int = MESSAGES_PER_CONNECTION,
        connection_age: timedelta = CONNECTION_AGE,
        idle: timedelta = IDLE,
    ) -> None:
        self._route = Route.of(url, ca_file, connect_timeout, data_timeout)
        self._messages_per_connection = messages_per_connection
        self._age = connection_age.total_seconds()
        self._rest = idle.total_seconds()
        self._connections = connections
        self._open = 0  # sessions: at work, idle and leaving
        self._permits = asyncio.Semaphore(connections)  # one per sender at work; those who wait are served in order
        self._idle: list[Session] = []  # the one used last is on top, so that the surplus ages and goes
        self._leaving: set[asyncio.Task[None]] = set()  # sessions that say QUIT
        self._dropped: list[Session] = []  # aborted; the event loop may not have closed them yet
        self._sweeper: asyncio.TimerHandle | None = None
        self.trouble: Trouble | None = None  # for operators

    @property
    def name(self) -> str:
        """The relay as the attempts log shows it."""
        return f"{self._route.host}:{self._route.port}"

    async def send(
        self, sender: str, recipient: str, message: bytes, ours: Callable[[], bool] = lambda: True
    ) -> Outcome:
        """Hand one message over; nothing that the network or the relay does raises.

        `ours` is asked as late as can be whether the message may still be sent.
        """
        try:
            envelope = Envelope.of(sender, recipient, message)
        except ValueError as error:
            never = timedelta()
            return Rejected(Reply.of(None, str(error)), Phase.CONNECT, never, EmailState.FAILED_INVALID_EMAIL_FORMAT)
        async with self._permits:
            started = time.monotonic()
            session = self._take()
            if session:
                outcome = await self._attempt(session, envelope, started, ours)
                if not session.stale:
                    return outcome
            opened = await self._connect()
            if isinstance(opened, Reply):
                self.trouble = Trouble(self.trouble.since if self.trouble else steady(), opened.text)
                return judge(opened, Phase.CONNECT, _since(started))
            self.trouble = None
            return await self._attempt(opened, envelope, started, ours)

    async def close(self) -> None:
        """Say goodbye on all connections; for when nobody sends any more."""
        if self._sweeper:
            self._sweeper.cancel()
        while self._idle:
            self._retire(self._idle.pop())
        while self._leaving:
            await asyncio.wait(self._leaving)
        for session in self._dropped:
            await session.gone()
        for _ in range(TURNS_TO_CLOSE):
            await asyncio.sleep(0)

    async def _connect(self) -> Session | Reply:
        """Open a session, as soon as there is room beside those that are leaving."""
        while self._leaving and self._open >= self._connections:
            await asyncio.wait(self._leaving, return_when=asyncio.FIRST_COMPLETED)
        self._open += 1
        opened = None
        try:
            opened = await Session.open(self._route)
        finally:
            if not isinstance(opened, Session):
                self._open -= 1
        return opened

    async def _attempt(self, session: Session, envelope: Envelope, started: float, ours: Callable[[], bool]) -> Outcome:
        """Run one transaction, and see to the session afterwards."""
        if envelope.utf8 and not session.utf8:
            self._give_back(session)
            return Rejected(NO_SMTPUTF8, Phase.MAIL, _since(started), EmailState.FAILED_INVALID_EMAIL_FORMAT)
        try:
            reply = await session.deliver(envelope, ours)
        except BaseException:
            self._drop(session)  # cancelled in mid-conversation: the next reply would be to this message
            raise
        self._give_back(session) if session.in_step(reply) else self._drop(session)
        return judge(reply, session.phase, _since(started))

    def _take(self) -> Session | None:
        """Return the session that rested least, None when there is none that can be used."""
        while self._idle:
            session = self._idle.pop()
            if not session.connected:  # the relay hung up meanwhile
                self._drop(session)
            elif self._worn(session):
                self._retire(session)
            else:
                return session
        return None

    def _give_back(self, session: Session) -> None:
        session.rested = session.loop.time()
        session.messages += 1
        if self._worn(session):
            self._retire(session)
            return
        self._idle.append(session)
        if self._sweeper is None:
            self._sweeper = session.loop.call_later(self._rest, self._sweep, session.loop)

    def _worn(self, session: Session) -> bool:
        now = session.loop.time()
        return (
            session.messages >= self._messages_per_connection
            or now - session.born >= self._age
            or now - session.rested >= self._rest
        )

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Retire what nobody has used for a while, and come again while there is anything left."""
        rested = self._idle
        self._idle = [session for session in rested if not self._worn(session)]
        for session in rested:
            if session not in self._idle:
                self._retire(session)
        next_at = self._idle[0].rested + self._rest if self._idle else None
        self._sweeper = loop.call_at(next_at, self._sweep, loop) if next_at else None

    def _retire(self, session: Session) -> None:
        """Say QUIT in the background; the sender does not wait for it."""
        task = session.loop.create_task(session.quit())
        self._leaving.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._leaving.discard(task)
        self._open -= 1

    def _drop(self, session: Session) -> None:
        session.abort()
        self._open -= 1
        self._dropped = [dropped for dropped in self._dropped if not dropped.closed] + [session]


def _since(started: float) -> timedelta:
    return timedelta(seconds=time.monotonic() - started)
