"""Receipts: what an order was answered, and the names under which the same order is answered the same (contract 6.10).

An order of the first generation may have an Idempotency-Key, which is forgotten after a while. Those of the second
generation have an identifier of their creator's, which is kept for ever with its chain.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import Connection, bindparam, select

from engine.db.dialects import Now, insert_new
from engine.db.tables import idempotency_keys
from engine.errors import KeyInUse, KeyReused
from engine.models import OrderKind
from engine.orders import chains

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from engine.db.records import Chain
    from engine.models import Allowance, Duplicates
    from engine.orders.attachments import Enclosed
    from engine.orders.chains import Shipment
    from engine.orders.new_order import OrderRow
    from engine.templating.registry import TemplateVersion

_KEY_IS = (
    idempotency_keys.c.creator == bindparam("creator"),
    idempotency_keys.c.key == bindparam("key"),
)
_FIND_KEY = select(idempotency_keys).where(*_KEY_IS)


@dataclass(frozen=True, slots=True)
class Lookup:
    """What the directory knew when the order was taken in (contract 3.3)."""

    status: str  # Success, PartialSuccess or Failed
    is_reserved: tuple[str, ...]
    missing_contact: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The answer to an order: its id, and the look-up if one was needed. `replayed`: given before.

    `allowances`: what is left of its creator's quotas; `paced_until`: when it is due, if it waits for them. Of a chain:
    the chain's id, and its orders as `shipments`. `instant`: it can be sent at once, before all others.
    """

    order_id: UUID
    lookup: Lookup | None = None
    replayed: bool = False
    shipments: tuple[Shipment, ...] = ()
    allowances: tuple[Allowance, ...] = ()
    paced_until: datetime | None = None
    instant: bool = False


@dataclass(frozen=True, slots=True)
class Key:
    """An Idempotency-Key with the fingerprint of the payload it came with."""

    value: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Placement:
    """Orders that are stored together or not at all; `chain`: their own."""

    rows: Sequence[OrderRow]
    recipients: int
    receipt: Receipt
    key: Key | None = None
    chain: Chain | None = None
    strict: bool = False
    enclosed: Sequence[Enclosed] = ()
    duplicates: Duplicates | None = None  # of recipients that follow; None: they came with the orders
    own_templates: Sequence[TemplateVersion] = ()  # of the installation, that they name

    @property
    def creator(self) -> str:
        """Whose they are."""
        return self.rows[0]["creator"]

    @property
    def name(self) -> tuple[str, str, str]:
        """Under which name they are answered the same; all of them are "" if they have none."""
        if self.chain:
            return self.creator, self.chain.kind, self.chain.idempotency_id
        return (self.creator, "", self.key.value) if self.key else ("", "", "")


def fingerprint(payload: Mapping[str, object]) -> str:
    """SHA-256 over the meaning of a JSON payload: order of members and white space do not count."""
    text = json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def found(connection: Connection, placement: Placement) -> Receipt | KeyReused | None:
    """What orders of this name were answered; None: the name is new."""
    if placement.chain:
        same = chains.find(
            connection, placement.creator, OrderKind(placement.chain.kind), placement.chain.idempotency_id
        )
        return first_receipt(same, placement.chain.fingerprint, strict=placement.strict) if same else None
    return find_by_key(connection, placement.creator, placement.key) if placement.key else None


def claimed(connection: Connection, placement: Placement) -> Receipt | Exception | None:
    """What orders of this name were answered; None: the name is new, and is theirs from now on."""
    if placement.chain:
        same = chains.claim(connection, placement.chain)
        return first_receipt(same, placement.chain.fingerprint, strict=placement.strict) if same else None
    return _claimed_by_key(connection, placement, placement.key) if placement.key else None


def first_receipt(same: Chain, fingerprint: str, *, strict: bool) -> Receipt | KeyReused:
    """What the orders of a chain were answered; `strict`: only the same payload gets that."""
    if strict and same.fingerprint != fingerprint:
        return KeyReused("This idempotencyId was used with another payload; use a fresh one for a new order.")
    return Receipt(same.id, replayed=True, shipments=tuple(chains.shipments(same)))


def _claimed_by_key(connection: Connection, placement: Placement, key: Key) -> Receipt | Exception | None:
    """What an order with this key was answered; None: the key is new, and is the order's from now on."""
    entry = {
        "creator": placement.creator,
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
    known = find_by_key(connection, placement.creator, key)
    return known or KeyInUse("The first request with this Idempotency-Key was undone.")


def find_by_key(connection: Connection, creator: str, key: Key) -> Receipt | KeyReused | None:
    """The receipt given earlier for a key, or that it was for another payload; None: the key is new."""
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
