"""An installation's database, as tests read it and move its times."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

from sqlalchemy import Row, func, select, update

from engine.models import EmailState, OrderState
from engine.store import Now, Store, after
from engine.tables import attempts_log, emails, orders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta
    from pathlib import Path

UNFINISHED = (OrderState.REGISTERED, OrderState.PROCESSING, OrderState.PROCESSED)


class Ledger:
    """What an installation has written down; `source` is its database's URL or, with embedded defaults, its folder."""

    def __init__(self, source: str | Path) -> None:
        self._store = Store(source if isinstance(source, str) else f"sqlite:///{source}/varsel.db")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._store.close()

    def orders(self) -> Sequence[Row[Any]]:
        """All orders, the oldest first."""
        with self._store.read() as connection:
            return connection.execute(select(orders).order_by(orders.c.seq)).all()

    def email(self, address: str) -> Row[Any]:
        """The only e-mail to an address."""
        with self._store.read() as connection:
            return connection.execute(select(emails).where(emails.c.address == address)).one()

    def emails(self, *states: EmailState) -> dict[str, Row[Any]]:
        """E-mails in one of these states (none given: all) by address."""
        chosen = select(emails).where(emails.c.state.in_(states or tuple(EmailState)))
        with self._store.read() as connection:
            return {row.address: row for row in connection.execute(chosen)}

    def attempts(self, *addresses: str) -> Sequence[Row[Any]]:
        """The attempts log of these addresses (none given: all), the oldest first; each line with its `address`."""
        chosen = select(attempts_log, emails.c.address).join(emails).order_by(attempts_log.c.seq)
        if addresses:
            chosen = chosen.where(emails.c.address.in_(addresses))
        with self._store.read() as connection:
            return connection.execute(chosen).all()

    def settled(self) -> bool:
        """Whether nothing is left to do: every order is finished, no e-mail is due at any time."""
        unfinished = select(func.count()).where(orders.c.state.in_(UNFINISHED))
        waiting = select(func.count()).where(emails.c.due_at.is_not(None))
        with self._store.read() as connection:
            return connection.scalars(unfinished).one() + connection.scalars(waiting).one() == 0

    def hurry(self) -> None:
        """Make due now what waits for its next attempt, in place of minutes of backoff."""
        with self._store.write() as connection:
            for table, state in ((emails, EmailState.NEW), (orders, OrderState.PROCESSING)):
                later = (table.c.state == state, table.c.unresolved == 0, table.c.due_at > Now())
                connection.execute(update(table).where(*later).values(due_at=Now()))

    def expire(self, address: str, ago: timedelta) -> None:
        """Move the end of an e-mail's 48 hours into the past."""
        with self._store.write() as connection:
            connection.execute(update(emails).where(emails.c.address == address).values(expires_at=after(-ago)))
