"""Who may order beside those who have a token, and who messages are from."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, Index, String, Table, Text

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

senders = Table(  # identities: the From addresses that a creator's orders may have
    "senders",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),  # operators see it
    Column("creator", String(100), nullable=False),
    Column("address", Text, nullable=False),
    Column("compared", Text, nullable=False),  # the address as it is looked up
    Column("name", Text),  # beside the address in From; NULL: none
    Column("reply_to", Text),  # NULL: answers go to the address
    Column("is_default", Boolean, nullable=False),  # for orders that name none; one of a creator's is
    Column("created", Instant, nullable=False),
    Column("who", String(200), nullable=False),  # made it
    sqlite_autoincrement=True,  # the audit log names identities by number
)
Index("uq_senders_creator", senders.c.creator, senders.c.compared, unique=True)
