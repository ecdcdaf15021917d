"""Rows by scraps of what names them, each answered by an index: the list's filters and the search box ask here.

Texts are found whole or by what they begin with, identifiers of version 7 as ranges. Nothing is found by its middle.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from uuid import UUID

from sqlalchemy import Text, and_, bindparam, cast, func, literal, or_, select, true

from engine.db.blocks import everywhere, newest_first
from engine.db.tables import EMAIL_FAILED, chains, email_attempts, emails, idempotency_keys, orders, wordings
from engine.models import OrderKind
from engine.text.addresses import spelled
from engine.text.language import N_, _

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Column, ColumnElement, Connection, Select, Table

RARE = 2_000  # rows: what has no more is read as a whole, and sorted
NEWEST, NEWEST_FAILED = 20_000, 10_000  # e-mails that are looked at for a domain, which no index has
FEWEST = 4  # hexadecimal digits of an identifier that are looked for
SHORTEST_END = 6  # such digits at its end, as pages show identifiers
NEWEST_ENDS = 10_000  # rows that are looked at for them, which no index has
BEGINS = "*"  # behind a reference, or an event's identifier or a queue id, that is meant as a beginning
CREATORS = 2_000  # whose idempotency keys are looked through, by name
TIGHT = 100  # binds its operands so that they get parentheses
_LAST = "\U0010ffff"  # no character is behind it
_HEX = re.compile(r"[0-9a-f]{4,32}")
_KINDS = tuple(OrderKind)
_NUMBERS = {9: emails.c.organization_number, 11: emails.c.national_identity_number}  # by how many digits they have


def id_range(text: str) -> tuple[UUID, UUID]:
    """The least and the greatest identifier that begin so; ValueError for what is no beginning of any."""
    digits = text.replace("-", "").lower()
    if not _HEX.fullmatch(digits):
        text = N_(
            "An identifier such as 019a3f0e-7c1b-7000-8000-1a2b3c4d5e6f, or its first letters, at least %(count)s."
        )
        msg = _(text, count=FEWEST)
        raise ValueError(msg)
    return UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))


def in_message_id(text: str) -> str:
    """What stands before the @ of a Message-ID: the e-mail's identifier, if the message is one of ours."""
    return text.strip("<>").partition("@")[0]


def begins(connection: Connection, column: ColumnElement[str], text: ColumnElement[str]) -> ColumnElement[bool]:
    """Whether a column begins with the text, byte by byte: see `by_beginning` of engine/db/tables/columns.py."""
    end = text.concat(_LAST)
    if connection.dialect.name == "postgresql":
        return and_(column.bool_op("~>=~")(text), column.bool_op("~<~", precedence=TIGHT)(end))
    return and_(column >= text, column < end)


def named(connection: Connection, column: ColumnElement[str], name: str) -> ColumnElement[bool]:
    """Whether a column is this name, or begins with what stands before its asterisk."""
    if name.endswith(BEGINS):
        return begins(connection, column, literal(name.removesuffix(BEGINS)))
    return column == name


def referred(connection: Connection, reference: str) -> ColumnElement[bool]:
    """Orders of this reference, or of one that begins so."""
    return and_(everywhere(connection, orders), named(connection, orders.c.senders_reference, reference))


def to(connection: Connection, recipient: str) -> ColumnElement[bool] | None:
    """E-mails to a recipient: an address or its beginning, or a number; None: no index answers it, as of a domain."""
    if recipient.startswith("@"):
        return None
    if recipient.isdigit() and len(recipient) in _NUMBERS:
        number = _NUMBERS[len(recipient)]
        return and_(everywhere(connection, emails), number.is_not(None), number == recipient)
    address, beginning = func.lower(emails.c.address), recipient.removesuffix(BEGINS)
    if beginning == recipient and is_recipient(recipient):
        return and_(everywhere(connection, emails), address == func.lower(recipient))
    return and_(everywhere(connection, emails), begins(connection, address, func.lower(beginning)))


def is_recipient(text: str) -> bool:
    """Whether it looks like a whole recipient: an address, or the number of a person or organisation."""
    return "." in text.partition("@")[2] or (text.isdigit() and len(text) in _NUMBERS)


def queued(connection: Connection, queue_id: str, most: int) -> list[int]:
    """The numbers of the newest e-mails that a relay calls so, or begins so to call; relays use their names again."""
    key, its = email_attempts.c.email_seq, named(connection, email_attempts.c.queue_id, queue_id)
    keys = _all_of_few(connection, key, and_(everywhere(connection, email_attempts), its), most)
    if keys is not None:
        return keys
    keys = []  # those that begin alike are mostly of one time, which may be long ago: the index of a block tells
    for by_index, in_order in newest_first(connection, email_attempts):
        left = most - len(keys)
        its_few = _all_of_few(connection, key, and_(by_index, its), left)
        keys += _newest_of(connection, key, its, in_order, left) if its_few is None else its_few
        if len(keys) == most:
            break
    return keys


def keyed(connection: Connection, key: str) -> Sequence[UUID]:
    """The orders that were posted with this idempotency key, by whomever."""
    its_chains = connection.scalars(_CHAINS_OF_KEY, {"key": key}).all()
    of_chains = select(orders.c.id).where(orders.c.chain_id.in_(its_chains))
    return [*connection.scalars(_ORDERS_OF_KEY, {"key": key}), *(connection.scalars(of_chains) if its_chains else ())]


def _creators(table: Table) -> Select[Any]:
    """Who is in a table whose key begins with the creator: one look at the index for each."""
    least = func.min(table.c.creator)
    walk = select(least.label("creator")).cte(recursive=True)
    following = select(least).where(table.c.creator > walk.c.creator).scalar_subquery()
    walk = walk.union_all(select(following).where(walk.c.creator.is_not(None)))
    return select(walk.c.creator).where(walk.c.creator.is_not(None)).limit(CREATORS)


_ORDERS_OF_KEY = select(idempotency_keys.c.order_id).where(
    idempotency_keys.c.creator.in_(_creators(idempotency_keys)), idempotency_keys.c.key == bindparam("key")
)
_CHAINS_OF_KEY = select(chains.c.id).where(
    chains.c.creator.in_(_creators(chains)), chains.c.kind.in_(_KINDS), chains.c.idempotency_id == bindparam("key")
)


def is_rare(connection: Connection, table: Table, which: ColumnElement[bool]) -> bool:
    """Whether an index finds so few rows that all of them can be sorted."""
    few = select(table.c.seq).where(which).limit(RARE + 1).subquery()
    return connection.execute(select(func.count()).select_from(few)).scalar_one() <= RARE


def last(connection: Connection, key: Column[Any], ids: tuple[UUID, UUID], most: int) -> list[Any]:
    """The last of a range of identifiers, which are the newest, the newest first."""
    return list(connection.scalars(select(key).where(key.between(*ids)).order_by(key.desc()).limit(most)))


def ending(connection: Connection, key: Column[Any], text: str) -> list[UUID]:
    """The newest rows whose identifier ends so, among the NEWEST_ENDS newest; none for what is no end of any."""
    digits = text.removeprefix("…").replace("-", "").lower()
    if len(digits) < SHORTEST_END or not _HEX.fullmatch(digits):
        return []
    looked_at = select(key.label("key")).order_by(key.desc()).limit(NEWEST_ENDS).subquery()
    written = func.replace(cast(looked_at.c.key, Text), "-", "")
    chosen = select(looked_at.c.key).where(written.endswith(digits)).order_by(looked_at.c.key.desc())
    return list(connection.scalars(chosen))


def newest(connection: Connection, key: Column[Any], which: ColumnElement[bool], most: int) -> list[Any]:
    """The keys of the newest rows that an index finds, the newest first.

    What is rare is read as a whole. What is frequent is looked for in one block after the other, from the newest on.
    """
    keys = _all_of_few(connection, key, which, most)
    if keys is not None:
        return keys
    keys = []
    for _by_index, in_order in newest_first(connection, key.table):
        keys += _newest_of(connection, key, which, in_order, most - len(keys))
        if len(keys) == most:
            break
    return keys


def _all_of_few(connection: Connection, key: Column[Any], which: ColumnElement[bool], most: int) -> list[Any] | None:
    """The newest of what an index finds; None: that is more than RARE."""
    few = select(key.table.c.seq, key.label("key")).where(which).limit(RARE + 1).subquery()
    chosen = select(few.c.key, func.count().over().label("of")).order_by(few.c.seq.desc()).limit(most)
    found = connection.execute(chosen).all()
    return None if found and found[0].of > RARE else [row.key for row in found]


def _newest_of(
    connection: Connection, key: Column[Any], which: ColumnElement[bool], block: ColumnElement[bool], most: int
) -> Sequence[Any]:
    """The newest rows of a block, which is walked through: there are many in it."""
    among = select(key.table.c.seq, key.label("key"), which.label("matches")).where(block).subquery()
    chosen = select(among.c.key).where(among.c.matches).order_by(among.c.seq.desc())
    return connection.scalars(chosen.limit(most)).all()


def to_domain(connection: Connection, text: str, most: int) -> list[UUID]:
    """The newest e-mails to a domain, among the newest of all and the newest that failed."""
    found: set[UUID] = set()
    for among, size in ((true(), NEWEST), (EMAIL_FAILED, NEWEST_FAILED)):
        newest = emails.c.seq if among is not EMAIL_FAILED else emails.c.id  # as the index is ordered
        looked_at = select(emails.c.id, emails.c.address).where(among).order_by(newest.desc()).limit(size)
        its = looked_at.subquery()
        address = func.lower(its.c.address)
        ends = or_(*(address.endswith(f"@{each}", autoescape=True) for each in spelled(text.removeprefix("@"))))
        found |= {*connection.scalars(select(its.c.id).where(ends).order_by(its.c.id.desc()).limit(most))}
    return sorted(found, reverse=True)[:most]


def alike(
    connection: Connection, failure: str, ended: Sequence[ColumnElement[bool]], since: datetime | None
) -> tuple[ColumnElement[bool], bool]:
    """E-mails with an attempt that failed alike and `ended` so, and whether these are few since then."""
    c = email_attempts.c
    its = (c.failure == failure, *([c.at >= since] if since else []))
    return emails.c.seq.in_(select(c.email_seq).where(*its, *ended)), is_rare(connection, email_attempts, and_(*its))


def said(connection: Connection, failures: Collection[str]) -> Mapping[str, str]:
    """By a group's key, the words that its failures have in common; of some, they are not known any more."""
    found = connection.execute(select(wordings.c.key, wordings.c.text).where(wordings.c.key.in_(failures)))
    return {row.key: row.text for row in found}
