"""Chains: an order of the second generation with its reminders, under an identifier of its creator's (contract 6.10).

The receipt is kept for ever, so that the same identifier never makes a second order. It outlives the orders.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields
from functools import cache
from typing import TYPE_CHECKING, NamedTuple
from uuid import UUID

from sqlalchemy import bindparam, select

from engine.db.dialects import Now, insert_new
from engine.db.records import Chain, OrderHead, columns, first, read
from engine.db.tables import chains, orders
from engine.errors import NotFound
from engine.models import OrderKind

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection
    from sqlalchemy.sql.dml import ReturningInsert

    from engine.orders.new_order import NewOrder

_CHAIN = select(*columns(Chain, chains.c))
_SAME = _CHAIN.where(
    chains.c.creator == bindparam("creator"),
    chains.c.kind == bindparam("kind"),
    chains.c.idempotency_id == bindparam("idempotency_id"),
)


class NewChain(NamedTuple):
    """An order and its reminders, checked."""

    idempotency_id: str
    orders: Sequence[NewOrder]  # the first, then its reminders
    dialog_id: str | None = None
    transmission_id: str | None = None

    @property
    def kind(self) -> OrderKind:
        """What kind of order it is: identifiers of one kind are apart from those of others."""
        return self.orders[0].kind

    def row(self, chain_id: UUID, creator: str, fingerprint: str, receipt: Sequence[Shipment]) -> Chain:
        """The chain under this identifier."""
        made = json.dumps([(each.id.hex, each.senders_reference) for each in receipt], separators=(",", ":"))
        name = self.idempotency_id
        return Chain(
            chain_id, creator, self.kind, name, fingerprint, made, self.dialog_id or None, self.transmission_id or None
        )


@dataclass(frozen=True, slots=True)
class Shipment:
    """An order in a receipt."""

    id: UUID
    senders_reference: str | None


def shipments(chain: Chain) -> Sequence[Shipment]:
    """The orders of a chain, the first one and its reminders, as its receipt has them."""
    return [Shipment(UUID(order_id), reference) for order_id, reference in json.loads(chain.shipments)]


def find(connection: Connection, creator: str, kind: OrderKind, idempotency_id: str) -> Chain | None:
    """The chain that a creator has under an identifier; None: it is new."""
    named = {"creator": creator, "kind": kind, "idempotency_id": idempotency_id}
    return first(Chain, connection.execute(_SAME, named))


def claim(connection: Connection, new: Chain) -> Chain | None:
    """Store a chain; if its identifier is known, nothing is stored, and the chain that has it is returned.

    A transaction that stores the same identifier at this moment is waited for.
    """
    if connection.execute(_insert(connection.dialect.name), asdict(new)).first():
        return None
    return find(connection, new.creator, OrderKind(new.kind), new.idempotency_id)


@cache
def _insert(dialect: str) -> ReturningInsert[UUID]:
    given = {field.name: bindparam(field.name, type_=chains.c[field.name].type) for field in fields(Chain)}
    return insert_new(dialect, chains).values(created=Now(), **given).returning(chains.c.id)


def no_order(connection: Connection, creator: str, order_id: UUID) -> NotFound:
    """That a creator has no such order; where it is the identifier of a chain, which orders that has."""
    chain = _of_id(connection, creator, order_id)
    if chain is None:
        return NotFound(f"There is no order {order_id}.")
    its = ", ".join(str(shipment.id) for shipment in shipments(chain))
    return NotFound(f"{order_id} is a chain's id (notificationOrderId); its orders have the shipmentIds {its}.")


def _of_id(connection: Connection, creator: str, chain_id: UUID) -> Chain | None:
    return first(Chain, connection.execute(_CHAIN.where(chains.c.id == chain_id, chains.c.creator == creator)))


def find_by_id(connection: Connection, creator: str, chain_id: UUID) -> tuple[Chain, Mapping[UUID, OrderHead]]:
    """A chain, and its orders that retention has not removed; NotFound when this creator has none with that id."""
    chain = _of_id(connection, creator, chain_id)
    if chain is None:
        raise NotFound(f"There is no chain {chain_id}.")
    kept = select(*columns(OrderHead, orders.c)).where(orders.c.chain_id == chain_id)
    return chain, {order.id: order for order in read(OrderHead, connection.execute(kept))}
