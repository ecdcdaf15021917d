"""Intake of orders: look-up of contacts, idempotency, and the group commit after which an order is safe."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from functools import partial
from itertools import chain
from typing import TYPE_CHECKING, TypeGuard

from engine.db.bounded import ROW
from engine.db.commits import GroupCommit
from engine.db.tables import milliseconds
from engine.errors import Conflict, Invalid, KeyInUse, KeyReused, QuotaExceeded, Unreachable
from engine.models import is_test, new_id
from engine.observability import metrics
from engine.orders import attachments, budget, chains, uploads
from engine.orders.attachments import Enclosed
from engine.orders.chains import Shipment
from engine.orders.filling import pinned
from engine.orders.new_order import delay, insert, number
from engine.orders.receipts import Lookup, Placement, Receipt, claimed, find_by_key, first_receipt, found
from engine.queue import due
from engine.queue.lateness import LOOK_EVERY
from engine.queue.signals import INSTANT
from engine.templating import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from engine.db.readers import Readers
    from engine.db.store import Store
    from engine.models import OrderKind
    from engine.orders.budget import Budget
    from engine.orders.chains import NewChain
    from engine.orders.contacts import Directory
    from engine.orders.filling import Find
    from engine.orders.new_order import NewOrder, OrderRow
    from engine.orders.quotas import Quotas
    from engine.orders.receipts import Key
    from engine.templating.registry import TemplateVersion

_GROUP_SIZE = metrics.GROUP_SIZE.labels("orders")


class Intake:
    """Takes orders in. One per web process; `wake` is called after a commit that stored orders, with whom to wake."""

    def __init__(  # noqa: PLR0913, PLR0917 what an order passes
        self,
        store: Store,
        readers: Readers,
        directory: Directory,
        quotas: Quotas,
        sender: str,
        wake: Callable[[str], None],
        seal: Callable[[str], str],
        find_template: Find,
    ) -> None:
        self._store = store
        self._readers = readers
        self._directory = directory
        self._sender = sender
        self._wake = wake
        self._find_template = find_template
        self._running: set[tuple[str, str]] = set()
        self._commits = GroupCommit(store, partial(_write, quotas, seal), self._committed)

    async def close(self) -> None:
        """Wait until what is under way is committed."""
        await self._commits.close()

    async def replay(self, creator: str, key: Key) -> Receipt | None:
        """The receipt given earlier for this key; KeyReused when it was for another payload.

        For orders that cannot be placed any more, such as one whose send time has passed; `place` does the same itself.
        """
        receipt = await self._readers.read(creator, find_by_key, creator, key)
        if isinstance(receipt, KeyReused):
            raise receipt
        return receipt

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
        try:
            versions = await self._versions(creator, [order], chained=False)
        except Invalid:
            if key and (known := await self.replay(creator, key)):
                return known
            raise
        order_id = new_id(self._store.clock.now())
        row = order.row(order_id, creator, self._sender)
        receipt = Receipt(order_id, lookup, instant=order.instant and not is_test(creator))
        placement = Placement([row], len(order.recipients), receipt, key, duplicates=order.duplicates)
        receipt = await self._submit(_with_templates(_with_attachments(placement, [order]), versions), creator)
        if order.requested_send_time:
            self._wake_at(order.requested_send_time)
        return receipt

    async def place_chain(self, creator: str, chain: NewChain, fingerprint: str, *, strict: bool) -> Receipt:
        """Store an order and its reminders, unless its identifier is known: then the receipt is the first one's.

        Raises Unavailable, Overrun, QuotaExceeded and Invalid as `place` does; KeyReused when the identifier is known
        with another payload, if that is to be `strict`; Unreachable when the directory has no address for a recipient.
        """
        numbers = {known_by for order in chain.orders for known_by in map(number, order.recipients) if known_by}
        if numbers:
            lookup = await self._readers.read(creator, self._look_up, numbers, respect=False)
            if lookup.missing_contact:
                return await self._known_chain(creator, chain, fingerprint, lookup.missing_contact, strict=strict)
        try:
            versions = await self._versions(creator, chain.orders, chained=True)
        except Invalid:
            known = await self.replay_chain(creator, chain.kind, chain.idempotency_id, fingerprint, strict=strict)
            if known:
                return known
            raise
        now = self._store.clock.now()
        chain_id, ids = new_id(now), [new_id(now) for _ in chain.orders]
        rows = [
            order.row(order_id, creator, self._sender, chain_id)
            for order_id, order in zip(ids, chain.orders, strict=True)
        ]
        shipments = tuple(Shipment(i, row["senders_reference"]) for i, row in zip(ids, rows, strict=True))
        stored = chain.row(chain_id, creator, fingerprint, shipments)
        instant = all(order.instant for order in chain.orders) and not is_test(creator)
        receipt = Receipt(chain_id, shipments=shipments, instant=instant)
        placement = Placement(rows, len(rows), receipt, chain=stored, strict=strict)
        placed = await self._submit(_with_templates(_with_attachments(placement, chain.orders), versions), creator)
        for order in chain.orders:
            if order.requested_send_time:
                self._wake_at(order.requested_send_time)
        return placed

    async def _versions(
        self, creator: str, orders: Sequence[NewOrder], *, chained: bool
    ) -> Sequence[TemplateVersion | None]:
        """The versions of the orders' templates; Invalid names the values that do not fit."""
        if not any(order.template for order in orders):
            return [None] * len(orders)
        return await self._readers.read(creator, pinned, self._find_template, creator, orders, chained=chained)

    async def _known_chain(
        self, creator: str, chain: NewChain, fingerprint: str, missing: Sequence[str], *, strict: bool
    ) -> Receipt:
        """The receipt given earlier; Unreachable when there is none."""
        receipt = await self.replay_chain(creator, chain.kind, chain.idempotency_id, fingerprint, strict=strict)
        if receipt is None:
            raise Unreachable(f"The contact directory has no e-mail address for {len(missing)} of the recipients.")
        return receipt

    async def replay_chain(
        self, creator: str, kind: OrderKind, idempotency_id: str, fingerprint: str, *, strict: bool
    ) -> Receipt | None:
        """The receipt given earlier for this identifier; KeyReused when that is `strict` and it was another payload."""
        known = await self._readers.read(creator, chains.find, creator, kind, idempotency_id)
        receipt = first_receipt(known, fingerprint, strict=strict) if known else None
        if isinstance(receipt, KeyReused):
            raise receipt
        return receipt

    async def _submit(self, placement: Placement, creator: str) -> Receipt:
        texts = ((row["subject"], row["body"], row["recipients"], row["sms"] or "") for row in placement.rows)
        size = sum(ROW + sum(map(len, each)) for each in texts) + sum(each.size for each in placement.enclosed)
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
            for name in (due.ORDERS.name, INSTANT):
                asyncio.get_running_loop().call_later(until.total_seconds(), self._wake, name)

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
            metrics.ORDERS.inc(sum(max(1, len(receipt.shipments)) for receipt in stored))
            _GROUP_SIZE.observe(len(stored))
            for name in {INSTANT if receipt.instant else due.ORDERS.name for receipt in stored}:
                self._wake(name)
        if refused := sum(isinstance(result, QuotaExceeded) for result in results):
            metrics.EXCESS_ORDERS.labels("refused").inc(refused)
        if paced := sum(receipt.paced_until is not None for receipt in stored):
            metrics.EXCESS_ORDERS.labels("paced").inc(paced)


def _with_attachments(placement: Placement, orders: Sequence[NewOrder]) -> Placement:
    """The orders that are placed, with their attachments."""
    pairs = zip(placement.rows, orders, strict=True)
    enclosed = [Enclosed(row, order.attachments) for row, order in pairs if order.attachments]
    return replace(placement, enclosed=enclosed) if enclosed else placement


def _with_templates(placement: Placement, versions: Sequence[TemplateVersion | None]) -> Placement:
    """The orders that are placed, each with the version that it names."""
    for row, version in zip(placement.rows, versions, strict=True):
        row["template_id"] = version.id.hex if version else None
    own = [version for version in versions if version and version.creator is None]
    return replace(placement, own_templates=own) if own else placement


def _write(
    quotas: Quotas, seal: Callable[[str], str], connection: Connection, placements: Sequence[Placement]
) -> Sequence[Receipt | Exception]:
    """Insert a group of orders, as far as quotas let them in; a known key gets the receipt that it got before.

    Budgets are locked before names are stored, and names in their order: so no two transactions wait for each other.
    """
    budgets = budget.lock(connection, quotas.find({placement.creator for placement in placements}))
    in_order = sorted(range(len(placements)), key=lambda place: placements[place].name)
    room = uploads.room(connection, {each.creator for each in placements if each.duplicates})
    answers = {
        place: _place(connection, placements[place], budgets.get(placements[place].creator), room) for place in in_order
    }
    results = [answers[place] for place in range(len(placements))]
    stored = [(each, result) for each, result in zip(placements, results, strict=True) if _is_new(result)]
    registry.keep(connection, {own.id: own for each, _ in stored for own in each.own_templates})
    if stored:
        insert(connection, [row for each, _ in stored for row in each.rows])
    delay(connection, dict(chain.from_iterable(_paced(each.rows, result.paced_until) for each, result in stored)))
    attachments.store(connection, [enclosed for each, _ in stored for enclosed in each.enclosed], seal)
    uploads.begin(connection, [(row, each.duplicates) for each, _ in stored if each.duplicates for row in each.rows])
    budget.record(connection, budgets)
    return results


def _is_new(result: Receipt | Exception) -> TypeGuard[Receipt]:
    return isinstance(result, Receipt) and not result.replayed


def _place(
    connection: Connection, placement: Placement, its: Budget | None, room: dict[str, int]
) -> Receipt | Exception:
    """The result of one order, before it is inserted; `room`: how many its creator may open."""
    if placement.duplicates:
        return _open(connection, placement, room)  # recipients count when the order is closed
    moment = its.admit(placement.recipients, reminders=len(placement.rows) > 1) if its else None
    if isinstance(moment, Exception):
        return found(connection, placement) or moment
    if known := claimed(connection, placement):
        return known
    if not its or not moment:
        return placement.receipt
    its.take(moment, placement.recipients)
    paced = its.waits(moment) and any(True for _ in _paced(placement.rows, moment))
    return replace(placement.receipt, allowances=its.allowances(), paced_until=moment if paced else None)


def _open(connection: Connection, placement: Placement, room: dict[str, int]) -> Receipt | Exception:
    """The result of an order whose recipients follow."""
    if room[placement.creator] < 1:
        text = f"You have {uploads.MOST_OPEN} open orders, which is the most; close or cancel one first."
        return found(connection, placement) or Conflict(text)
    if known := claimed(connection, placement):
        return known
    room[placement.creator] -= 1
    return placement.receipt


def _paced(rows: Sequence[OrderRow], until: datetime | None) -> Iterator[tuple[str, datetime]]:
    """The orders, by their rows' identifiers, that are to be due later than at their send time."""
    if until:
        at = milliseconds(until)
        yield from ((row["id"], until) for row in rows if at > max(row["due_at"] or 0, row["send_time"] or 0))
