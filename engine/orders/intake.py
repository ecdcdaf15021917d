"""Intake of orders: look-up of contacts, idempotency, and the group commit after which an order is safe."""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeGuard

from sqlalchemy import Connection, bindparam, select

from engine.db.bounded import ROW
from engine.db.commits import GroupCommit
from engine.db.dialects import Now, insert_new
from engine.db.tables import idempotency_keys, milliseconds
from engine.errors import KeyInUse, KeyReused, QuotaExceeded
from engine.models import new_id
from engine.observability import metrics
from engine.orders import budget
from engine.orders.new_order import delay, insert, number
from engine.queue.lateness import LOOK_EVERY

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from engine.db.readers import Readers
    from engine.db.store import Store
    from engine.models import Allowance
    from engine.orders.budget import Budget
    from engine.orders.contacts import Directory
    from engine.orders.new_order import NewOrder, OrderRow
    from engine.orders.quotas import Quotas

_KEY_IS = (
    idempotency_keys.c.creator == bindparam("creator"),
    idempotency_keys.c.key == bindparam("key"),
)
_FIND_KEY = select(idempotency_keys).where(*_KEY_IS)
_GROUP_SIZE = metrics.GROUP_SIZE.labels("orders")


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the directory knew when the order was taken in (contract 3.3)."""

    status: str  # Success, PartialSuccess or Failed
    is_reserved: tuple[str, ...]
    missing_contact: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to an order: its id, and the look-up if one was needed. `replayed`: given before.

    `allowances`: what is left of its creator's quotas; `paced_until`: when it is due, if it waits for them.
    """

    order_id: UUID
    lookup: Lookup | None
    replayed: bool = False
    allowances: tuple[Allowance, ...] = ()
    paced_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Key:
    """An Idempotency-Key with the fingerprint of the payload it came with."""

    value: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class _Placement:
    row: OrderRow
    recipients: int
    receipt: Receipt
    key: Key | None


def fingerprint(payload: Mapping[str, object]) -> str:
    """SHA-256 over the meaning of a JSON payload: order of members and white space do not count."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


class Intake:
    """Takes orders in. One per web process; `wake` is called after a commit that stored orders."""

    def __init__(  # noqa: PLR0913, PLR0917 what an order passes
        self,
        store: Store,
        readers: Readers,
        directory: Directory,
        quotas: Quotas,
        sender: str,
        wake: Callable[[], None],
    ) -> None:
        self._store = store
        self._readers = readers
        self._directory = directory
        self._sender = sender
        self._wake = wake
        self._running: set[tuple[str, str]] = set()
        self._commits = GroupCommit(store, partial(_write, quotas), self._committed)

    async def close(self) -> None:
        """Wait until what is under way is committed."""
        await self._commits.close()

    async def replay(self, creator: str, key: Key) -> Receipt | None:
        """The receipt given earlier for this key; KeyReused when it was for another payload.

        For orders that cannot be placed any more, such as one whose send time has passed; `place` does the same itself.
        """
        found = await self._readers.read(creator, _find_key, creator, key)
        if isinstance(found, KeyReused):
            raise found
        return found

    async def place(self, creator: str, order: NewOrder, key: Key | None) -> Receipt:
        """Store an order, unless its key is known; when this returns, the order survives a crash.

        Raises Unavailable (nothing is stored), KeyReused, KeyInUse while a request with the same key runs, Overrun
        when too many of the creator's orders wait for a look-up, or QuotaExceeded; Invalid when it has more recipients
        than the creator's quota.
        """
        numbers = {known_by for recipient in order.recipients if (known_by := number(recipient))}
        lookup = None
        if numbers:
            respect = order.ignore_reservation is not True
            lookup = await self._readers.read(creator, self._look_up, numbers, respect=respect)
        order_id = new_id(self._store.clock.now())
        row = order.row(order_id, creator, self._sender)
        placement = _Placement(row, len(order.recipients), Receipt(order_id, lookup), key)
        size = ROW + len(row["subject"]) + len(row["body"]) + len(row["recipients"])
        receipt = await self._submit(placement, creator, size)
        if order.requested_send_time:
            self._wake_at(order.requested_send_time)
        return receipt

    async def _submit(self, placement: _Placement, creator: str, size: int) -> Receipt:
        if placement.key is None:
            return await self._commits.submit(placement, creator, size)
        claim = (creator, placement.key.value)
        if claim in self._running:
            raise KeyInUse("A request with this Idempotency-Key is still running; ask again when it is answered.")
        self._running.add(claim)
        try:
            return await self._commits.submit(placement, creator, size)
        finally:
            self._running.discard(claim)

    def _wake_at(self, send_time: datetime) -> None:
        """Wake a worker then, if the clock may not have looked before."""
        until = send_time - self._store.clock.now()
        if timedelta(0) < until < LOOK_EVERY:
            asyncio.get_running_loop().call_later(until.total_seconds(), self._wake)

    def _look_up(self, connection: Connection, numbers: set[str], *, respect: bool) -> Lookup:
        """What the directory knows of these numbers; `respect`: reserved persons count as unreached (contract 3.3)."""
        known = self._directory.look_up(connection, numbers)
        reserved = tuple(sorted(n for n in numbers if n in known and known[n].is_reserved))
        missing = tuple(sorted(n for n in numbers.difference(reserved) if n not in known or not known[n].emails))
        unreached = len(missing) + (len(reserved) if respect else 0)
        status = "Success" if not unreached else "Failed" if unreached == len(numbers) else "PartialSuccess"
        return Lookup(status, reserved, missing)

    def _committed(self, results: Sequence[Receipt | Exception]) -> None:
        stored = [result for result in results if _is_new(result)]
        if stored:
            metrics.ORDERS.inc(len(stored))
            _GROUP_SIZE.observe(len(stored))
            self._wake()
        if refused := sum(isinstance(result, QuotaExceeded) for result in results):
            metrics.EXCESS_ORDERS.labels("refused").inc(refused)
        if paced := sum(receipt.paced_until is not None for receipt in stored):
            metrics.EXCESS_ORDERS.labels("paced").inc(paced)


def _write(quotas: Quotas, connection: Connection, placements: Sequence[_Placement]) -> Sequence[Receipt | Exception]:
    """Insert a group of orders, as far as quotas let them in; a known key gets the receipt that it got before.

    Budgets are locked before keys are inserted: if all do so, no two transactions wait for each other.
    """
    budgets = budget.lock(connection, quotas.find({placement.row["creator"] for placement in placements}))
    results = [_place(connection, placement, budgets.get(placement.row["creator"])) for placement in placements]
    rows = [placement.row for placement, result in zip(placements, results, strict=True) if _is_new(result)]
    if rows:
        insert(connection, rows)
    paced = {each.order_id: each.paced_until for each in results if isinstance(each, Receipt) and each.paced_until}
    delay(connection, paced)
    budget.record(connection, budgets)
    return results


def _is_new(result: Receipt | Exception) -> TypeGuard[Receipt]:
    return isinstance(result, Receipt) and not result.replayed


def _place(connection: Connection, placement: _Placement, its: Budget | None) -> Receipt | Exception:
    """The result of one order, before it is inserted."""
    key = placement.key
    moment = its.admit(placement.recipients) if its else None
    if isinstance(moment, Exception):
        return (key and _find_key(connection, placement.row["creator"], key)) or moment
    if key and (known := _known(connection, placement, key)):
        return known
    if not its or not moment:
        return placement.receipt
    its.take(moment, placement.recipients)
    paced = its.waits(moment) and milliseconds(moment) > (placement.row["send_time"] or 0)
    return replace(placement.receipt, allowances=its.allowances(), paced_until=moment if paced else None)


def _known(connection: Connection, placement: _Placement, key: Key) -> Receipt | Exception | None:
    """What an order with this key was answered; None: the key is new, and is the order's from now on."""
    entry = {
        "creator": placement.row["creator"],
        "key": key.value,
        "fingerprint": key.fingerprint,
        "order_id": placement.receipt.order_id,
        "answer": _lookup_json(placement.receipt.lookup),
    }
    fresh = (
        insert_new(connection.dialect.name, idempotency_keys)
        .values(created=Now(), **entry)
        .returning(idempotency_keys.c.key)
    )
    if connection.execute(fresh).first():  # an INSERT's rowcount is -1 on PostgreSQL, whether or not it wrote a row
        return None
    known = _find_key(connection, placement.row["creator"], key)
    return known or KeyInUse("The first request with this Idempotency-Key was undone.")


def _find_key(connection: Connection, creator: str, key: Key) -> Receipt | KeyReused | None:
    row = connection.execute(_FIND_KEY, {"creator": creator, "key": key.value}).one_or_none()
    if row is None:
        return None
    if row.fingerprint != key.fingerprint:
        return KeyReused("This Idempotency-Key was used with another payload; use a fresh key for a new order.")
    known = json.loads(row.answer)
    lookup = Lookup(known["status"], tuple(known["isReserved"]), tuple(known["missingContact"])) if known else None
    return Receipt(row.order_id, lookup, replayed=True)


def _lookup_json(lookup: Lookup | None) -> str:
    if lookup is None:
        return "null"
    return json.dumps(
        {"status": lookup.status, "isReserved": lookup.is_reserved, "missingContact": lookup.missing_contact}
    )
