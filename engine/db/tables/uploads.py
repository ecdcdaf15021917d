"""Recipients that follow their order: what has come, and what is not made into e-mails yet."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Integer, LargeBinary, Table, Text

from engine.db.tables.columns import Instant, metadata

uploads = Table(  # what has come of an order's recipients: see engine/orders/uploads.py
    "uploads",
    metadata,
    Column("order_seq", ForeignKey("orders.seq", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("duplicates_kept", Boolean, nullable=False),
    Column("salt", LargeBinary, nullable=False),  # of the digests in `portions`
    Column("lines", Integer, nullable=False, server_default="0"),  # taken so far, of whatever kind
    Column("checksum", BigInteger, nullable=False, server_default="0"),  # of these lines
    Column("bytes", BigInteger, nullable=False, server_default="0"),  # of the recipients, as they are stored
    Column("valid", Integer, nullable=False, server_default="0"),  # recipients that get the e-mail
    Column("invalid", Integer, nullable=False, server_default="0"),
    Column("duplicate", Integer, nullable=False, server_default="0"),
    Column("portions", Integer, nullable=False, server_default="0"),  # how many were stored
    Column("report", Text, nullable=False, server_default="[]"),  # JSON: what is wrong with the first invalid lines
    Column("last_update", Instant, nullable=False),
    Column("closed", Instant),  # NULL: it is open, or was never closed
)

portions = Table(  # recipients whose e-mails are not made yet
    "portions",
    metadata,
    Column("order_seq", ForeignKey("orders.seq", ondelete="CASCADE"), primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),  # from 1
    Column("first", Integer, nullable=False),  # the place of its first recipient among all of the order's, from 0
    Column("recipients", Text, nullable=False),  # JSON, as in `orders`
    Column("digests", LargeBinary, nullable=False),  # of those who are in it: see engine/orders/digests.py
)
