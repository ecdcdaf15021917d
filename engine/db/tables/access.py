"""Who may order, beside those who have a token."""

from __future__ import annotations

from sqlalchemy import Column, Index, String, Table, Text

from engine.db.tables.columns import SEQUENCE, Instant, metadata

api_keys = Table(
    "api_keys",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),  # operators see it
    Column("hash", String(64), nullable=False),  # SHA-256 of the key, which is not kept
    Column("kind", String(10), nullable=False),  # live, team, test
    Column("creator", String(100), nullable=False),
    Column("name", String(100), nullable=False),  # what operators call the system that has it
    Column("scopes", Text, nullable=False),  # separated by spaces
    Column("guests", Text, nullable=False),  # of a team key: to whom it may send; separated by spaces
    Column("created", Instant, nullable=False),
    Column("who", String(200), nullable=False),  # made it
    Column("expires", Instant),  # NULL: never
    Column("last_used", Instant),  # to the minute
    Column("revoked", Instant),
    sqlite_autoincrement=True,  # the audit log names keys by number
)
Index("uq_api_keys_hash", api_keys.c.hash, unique=True)
