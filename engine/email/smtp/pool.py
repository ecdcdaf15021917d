"""The sessions with the relay: which of them work, rest or leave, and how many there may be."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from engine.email.smtp.concurrency import Concurrency
from engine.email.smtp.session import Session

if TYPE_CHECKING:
    from engine.email.smtp.replies import Reply
    from engine.email.smtp.route import Route

TURNS_TO_CLOSE = 3  # turns of the event loop until a connection whose TLS handshake failed is closed


class Pool:
    """Reused sessions: at most `connections` of them are open, and no more than the relay takes.

    A session carries at most `messages`, lives at most `age` seconds, and rests at most `rest` seconds.
    """

    def __init__(self, route: Route, connections: int, *, messages: int, age: float, rest: float) -> None:
        self.opening = 0  # sessions that are being opened
        self._route = route
        self._messages = messages
        self._age = age
        self._rest = rest
        self._concurrency = Concurrency(connections)
        self._open = 0  # sessions: at work, idle and leaving
        self._proven = 0  # sessions at work and idle that have carried a message: the relay takes so many
        self._idle: list[Session] = []  # the one used last is at the end, so that those not needed grow old and go
        self._leaving: set[asyncio.Task[None]] = set()  # sessions that say QUIT
        self._dropped: list[Session] = []  # aborted; the event loop may not have closed them yet
        self._sweeper: asyncio.TimerHandle | None = None

    @property
    def limit(self) -> int:
        """How many sessions may be at work now."""
        return self._concurrency.limit

    @property
    def established(self) -> int:
        """Sessions at work and at rest."""
        return self._open - len(self._leaving)

    @property
    def may_open(self) -> bool:
        """Open one at first, then as many at once as there are: a relay that takes few then refuses few."""
        return self.opening < max(1, self.established)

    def reserve(self) -> None:
        """Count a session that is going to be opened."""
        self.opening += 1

    def forgo(self) -> None:
        """No longer count a session that was reserved."""
        self.opening -= 1

    async def open(self) -> Session | Reply:
        """Open a session that is reserved, as soon as there is room beside those that are leaving."""
        try:
            while self._leaving and self._open + self.opening > self.limit:
                await asyncio.wait(self._leaving, return_when=asyncio.FIRST_COMPLETED)
            opened = await Session.open(self._route)
            self._open += isinstance(opened, Session)
            return opened
        finally:
            self.forgo()

    def take(self) -> Session | None:
        """Return the session that has rested least; None: none can be used."""
        while self._idle:
            session = self._idle.pop()
            if not session.connected:  # the relay hung up meanwhile
                self.drop(session)
            elif self._expired(session):
                self._retire(session)
            else:
                return session
        return None

    def give_back(self, session: Session) -> None:
        """Take a session back that has carried a message."""
        if not session.messages:
            self._proven += 1
            self._concurrency.taken(self._proven)
        session.messages += 1
        self.rest_again(session)

    def rest_again(self, session: Session) -> None:
        """Take a session back."""
        session.rested = session.loop.time()
        if self._expired(session):
            self._retire(session)
            return
        self._idle.append(session)
        if self._sweeper is None:
            self._sweeper = session.loop.call_later(self._rest, self._sweep, session.loop)

    def drop(self, session: Session) -> None:
        """End a session that cannot go on."""
        session.abort()
        self._open -= 1
        self._proven -= session.messages > 0
        self._dropped = [dropped for dropped in self._dropped if not dropped.closed] + [session]

    def refused(self) -> bool:
        """Learn that the relay takes no more sessions than there are; returns whether that is news."""
        return self._concurrency.refused(self.established)

    async def close(self) -> None:
        """Say QUIT on all connections, when nobody sends any more."""
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

    def _expired(self, session: Session) -> bool:
        now = session.loop.time()
        return (
            session.messages >= self._messages or now - session.born >= self._age or now - session.rested >= self._rest
        )

    def _sweep(self, loop: asyncio.AbstractEventLoop) -> None:
        """Retire sessions that have rested for too long, and come again while some are left."""
        rested = self._idle
        self._idle = [session for session in rested if not self._expired(session)]
        for session in rested:
            if session not in self._idle:
                self._retire(session)
        next_at = self._idle[0].rested + self._rest if self._idle else None
        self._sweeper = loop.call_at(next_at, self._sweep, loop) if next_at else None

    def _retire(self, session: Session) -> None:
        """Say QUIT in the background; the sender does not wait for it."""
        self._proven -= session.messages > 0
        task = session.loop.create_task(session.quit())
        self._leaving.add(task)
        task.add_done_callback(self._left)

    def _left(self, task: asyncio.Task[None]) -> None:
        self._leaving.discard(task)
        self._open -= 1
