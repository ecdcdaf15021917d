"""Sessions of the console that ended before their time; their signed cookies cannot show that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.db.dialects import after, insert_new
from engine.db.tables import ended_sessions

if TYPE_CHECKING:
    from datetime import timedelta

    from sqlalchemy import Connection


def end(connection: Connection, session: str, kept: timedelta) -> None:
    """Let nobody in with this session again. `kept`: the longest time for which its cookie could be used."""
    line = {"session": session, "forgotten": after(kept)}
    connection.execute(insert_new(connection.dialect.name, ended_sessions).values(line))


def has_ended(connection: Connection, session: str) -> bool:
    """Whether this session ended before its time: one look at the primary key."""
    chosen = select(ended_sessions.c.session).where(ended_sessions.c.session == session)
    return connection.execute(chosen).first() is not None
