"""Uploads: recipients that come after their order, line by line, until the order is closed.

They are stored in portions, each with what makes the next lines go on from there in one transaction. So whatever breaks
off, the upload tells which line is next. An order that nobody adds to, or closes, for OPEN_FOR is cancelled: it is
claimed then, as everything that waits, by engine/orders/portions.py.
"""

from __future__ import annotations

import secrets
from array import array
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, case, func, insert, literal, select, update

from engine.db.dialects import Now, now
from engine.db.dialects import after as later
from engine.db.records import columns, first
from engine.db.tables import Instant, orders, portions, uploads
from engine.errors import Conflict, Invalid, NotFound, QuotaExceeded
from engine.models import Duplicates, OrderState
from engine.orders import budget
from engine.orders.chains import no_order
from engine.orders.digests import SALT, Digests

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from engine.orders.new_order import OrderRow
    from engine.orders.quotas import Quotas

OPEN_FOR = timedelta(hours=24)  # from the last lines, or the order, until it must be closed
MOST_OPEN = 100  # orders of one creator that are open at once
RENEWED = timedelta(minutes=5)  # after which further lines move that on: not each block of them changes the order

_ID = bindparam("order_id", type_=orders.c.id.type)
_OPEN = (
    update(orders)
    .where(orders.c.id == _ID)
    .values(streamed=True, portion=0, state=OrderState.OPEN, due_at=later(OPEN_FOR), rank=None)
)
_BEGIN = insert(uploads).from_select(
    ["order_seq", "duplicates_kept", "salt", "last_update"],
    select(
        orders.c.seq,
        bindparam("kept", type_=uploads.c.duplicates_kept.type),
        bindparam("salt", type_=uploads.c.salt.type),
        Now(),
    ).where(orders.c.id == _ID),
)
_NOT_OPEN = "The order is not open for recipients any more"


@dataclass(frozen=True, slots=True)
class Totals:
    """What was read so far."""

    lines: int  # of whatever kind
    checksum: int  # CRC-32 of these lines, each with its end
    bytes: int  # of the recipients, as they are stored
    valid: int  # recipients that get the e-mail
    invalid: int
    duplicate: int
    portions: int
    report: str  # JSON: what is wrong with the first invalid lines


@dataclass(frozen=True, slots=True)
class Upload(Totals):
    """The recipients of an order, as far as they have come."""

    order_seq: int
    id: UUID  # the order's
    state: str  # the order's
    due_at: datetime | None  # of an open order: when it is cancelled, unless lines come, or it is closed
    duplicates_kept: bool
    salt: bytes
    closed: datetime | None
    template_id: UUID | None  # the order's

    @property
    def is_open(self) -> bool:
        """Whether further lines may come."""
        return self.state == OrderState.OPEN


class Portion(NamedTuple):
    """Recipients whose e-mails are made at once."""

    number: int
    first: int  # the place of the first among all
    recipients: str  # JSON
    digests: bytes


class Piece(NamedTuple):
    """What was read of an upload: the recipients, and all totals behind them."""

    portions: Sequence[Portion]
    totals: Totals


_UPLOAD = select(*columns(Upload, uploads.c, orders.c)).join_from(uploads, orders, uploads.c.order_seq == orders.c.seq)


def room(connection: Connection, creators: Collection[str]) -> dict[str, int]:
    """How many orders each of these creators may open now."""
    if not creators:
        return {}
    is_open = (orders.c.due_at.is_not(None), orders.c.portion.is_not(None), orders.c.portion == 0)
    counted = select(orders.c.creator, func.count()).where(*is_open, orders.c.creator.in_(creators))
    found = {creator: count for creator, count in connection.execute(counted.group_by(orders.c.creator))}  # noqa: C416 rows are no tuples to mypy
    return {creator: MOST_OPEN - found.get(creator, 0) for creator in creators}


def begin(connection: Connection, opened: Sequence[tuple[OrderRow, Duplicates]]) -> None:
    """Open orders that this transaction has stored: their recipients follow."""
    for row, duplicates in opened:
        its = {"order_id": UUID(row["id"])}
        connection.execute(_OPEN, its)
        given = {"kept": duplicates is Duplicates.KEEP, "salt": secrets.token_bytes(SALT)}
        connection.execute(_BEGIN, its | given)


def find(connection: Connection, creator: str, order_id: UUID) -> Upload:
    """The upload of an order; NotFound, also of an order that came with its recipients."""
    mine = _UPLOAD.where(orders.c.id == order_id, orders.c.creator == creator)
    upload = first(Upload, connection.execute(mine))
    if upload is None:
        came_with = select(orders.c.seq).where(orders.c.id == order_id, orders.c.creator == creator)
        if connection.execute(came_with).first():
            raise NotFound("The order came with its recipients.")
        raise no_order(connection, creator, order_id)
    return upload


def find_open(connection: Connection, creator: str, order_id: UUID) -> Upload:
    """As `find`; Conflict when no further lines may come."""
    upload = find(connection, creator, order_id)
    if not upload.is_open:
        raise Conflict(f"{_NOT_OPEN}.")
    return upload


def count(connection: Connection, order_seq: int) -> int:
    """How many recipients have followed an order."""
    its = select(uploads.c.valid).where(uploads.c.order_seq == order_seq)
    return connection.scalar(its) or 0


def digests(connection: Connection, order_seq: int) -> Digests:
    """The digests of all recipients in an open order."""
    known = Digests()
    its = select(portions.c.digests).where(portions.c.order_seq == order_seq).order_by(portions.c.number)
    for stored in connection.scalars(its):
        known.add(array("Q", stored))
    return known


def add(connection: Connection, order_seq: int, lines: int, piece: Piece) -> None:
    """Store what was read behind so many lines; Conflict when others have added some, or the order is not open."""
    soon = case((orders.c.due_at < later(OPEN_FOR - RENEWED), later(OPEN_FOR)), else_=orders.c.due_at)
    open_ = (orders.c.seq == order_seq, orders.c.state == OrderState.OPEN)
    if not connection.execute(update(orders).where(*open_).values(due_at=soon).returning(orders.c.seq)).first():
        raise Conflict(f"{_NOT_OPEN}.")
    values = {name: getattr(piece.totals, name) for name in Totals.__slots__} | {"last_update": Now()}
    mine = (uploads.c.order_seq == order_seq, uploads.c.lines == lines)
    if not connection.execute(update(uploads).where(*mine).values(values).returning(uploads.c.lines)).first():
        raise Conflict("Somebody else sends recipients of this order, too; ask how far it is.")
    rows = [{"order_seq": order_seq, **portion._asdict()} for portion in piece.portions]
    if rows:
        connection.execute(insert(portions), rows)


def close(connection: Connection, quotas: Quotas, creator: str, order_id: UUID, *, valid_only: bool) -> Upload:
    """Let an open order begin: it has all its recipients. Closing twice is no error.

    `valid_only`: although some lines are invalid. Conflict when some are, or the order was cancelled; Invalid without
    any recipient, or with more than the creator's quota; QuotaExceeded.
    """
    budgets = budget.lock(connection, quotas.find({creator}))
    mine = (orders.c.id == order_id, orders.c.creator == creator)
    connection.execute(select(orders.c.seq).where(*mine).with_for_update(key_share=True))
    upload = find(connection, creator, order_id)
    if upload.closed:
        return upload
    _check(upload, valid_only=valid_only)
    its, moment = budgets.get(creator), None
    if its:
        admitted = its.admit(upload.valid)
        if isinstance(admitted, Invalid | QuotaExceeded):
            raise admitted
        its.take(admitted, upload.valid)
        moment = admitted if its.waits(admitted) else None
    _begin_order(connection, upload, moment or now(connection))
    budget.record(connection, budgets)
    return find(connection, creator, order_id)


def _check(upload: Upload, *, valid_only: bool) -> None:
    if not upload.is_open:
        raise Conflict(f"{_NOT_OPEN}.")
    if upload.invalid and not valid_only:
        which = "1 line is no recipient" if upload.invalid == 1 else f"{upload.invalid:,} lines are no recipients"
        text = f"{which}, as the report says."
        raise Conflict(f"{text} Cancel the order, or close it with validOnly=true to leave them out.")
    if not upload.valid:
        raise Invalid({"Recipients": ["An order needs at least one recipient."]})


def _begin_order(connection: Connection, upload: Upload, earliest: datetime) -> None:
    """Make the order one that waits for its send time, which may have passed while it was open."""
    mine = orders.c.seq == upload.order_seq
    past = orders.c.requested_send_time < Now()
    send_time = case((past, Now()), else_=orders.c.requested_send_time)
    waits = orders.c.requested_send_time < earliest
    due_at = case((waits, literal(earliest, Instant())), else_=orders.c.requested_send_time)
    begun = {"state": OrderState.REGISTERED, "portion": None, "requested_send_time": send_time, "due_at": due_at}
    connection.execute(update(orders).where(mine).values(begun | {"last_update": Now()}))
    connection.execute(update(uploads).where(uploads.c.order_seq == upload.order_seq).values(closed=Now()))
