"""Sender identities: the From addresses that a creator's orders may have, each with a name and a Reply-To address."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import exists, select

from engine.db.fresh import Fresh
from engine.db.tables import senders
from engine.models import live_creator
from engine.text.addresses import bare, compared_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Select

    from engine.db.readers import Readers
    from engine.orders.new_order import OrderRow

PARTY = "senders"  # whose share of slots the look takes
FEW = 5  # identities that a refusal names


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a message is from, and where answers go."""

    address: str
    name: str | None
    reply_to: str | None


@dataclass(frozen=True, slots=True)
class Identities:
    """Those of one creator; without any, orders have the installation's sender, unless they are `required`."""

    known: Mapping[str, Identity] = field(default_factory=dict)  # by `compared_address`
    default: Identity | None = None
    required: bool = False

    def fault(self, given: str | None, own: str) -> str | None:
        """Why an order cannot have the sender that it names; None: it can. `own`: the installation's sender."""
        address = bare(given or "")
        if self.known:
            if not address or compared_address(address) in self.known:
                return None
            names = [identity.address for identity in self.known.values()]
            return f"This creator's senders are {', '.join([*names[:FEW], *(['others'] if names[FEW:] else [])])}."
        if self.required:
            return "This creator has no sender identity, and needs one: ask the operators of this installation."
        if address and compared_address(address) != compared_address(own):
            return f"E-mails have the sender {own} here; leave it out."
        return None

    def chosen(self, given: str | None) -> Identity | None:
        """The identity that an order names, or else the default; None: the installation's sender."""
        address = bare(given or "")
        return self.known[compared_address(address)] if address and self.known else self.default


class Senders:
    """The identities of all creators, as one web process knows them."""

    def __init__(self, readers: Readers, *, required: bool) -> None:
        self._none = Identities(required=required)
        self._known = Fresh(partial(readers.read, PARTY, identities))

    async def of(self, creator: str | None) -> Identities:
        """Those of a creator; tests have those of the creator whose tests they are. Unavailable."""
        return (await self._known.now()).get(live_creator(creator), self._none) if creator else self._none


def identities(connection: Connection) -> Mapping[str, Identities]:
    """The identities of all creators."""
    return _read(connection, _SENDERS)


def of(connection: Connection, creator: str, *, required: bool) -> Identities:
    """Those of one creator; likewise."""
    known = _read(connection, _SENDERS.where(senders.c.creator == live_creator(creator)))
    return replace(known.get(live_creator(creator), Identities()), required=required)


def has(connection: Connection, creator: str, address: str) -> bool:
    """Whether a creator still has this identity."""
    its = (senders.c.creator == live_creator(creator), senders.c.compared == compared_address(address))
    return bool(connection.scalar(select(exists().where(*its))))


def with_defaults(connection: Connection, rows: Sequence[OrderRow]) -> Sequence[OrderRow]:
    """Orders that nobody posted, each with its creator's default identity where there is one."""
    creators = {live_creator(row["creator"]) for row in rows}
    known = _read(connection, _SENDERS.where(senders.c.creator.in_(creators)))
    return [_from(row, known.get(live_creator(row["creator"]), Identities()).default) for row in rows]


_SENDERS = select(senders).order_by(senders.c.seq)


def _from(row: OrderRow, identity: Identity | None) -> OrderRow:
    if identity is None:
        return row
    return {**row, "sender": identity.address, "sender_name": identity.name, "reply_to": identity.reply_to}


def _read(connection: Connection, chosen: Select[tuple[object, ...]]) -> Mapping[str, Identities]:
    found: dict[str, dict[str, Identity]] = defaultdict(dict)
    defaults: dict[str, Identity] = {}
    for row in connection.execute(chosen):
        identity = found[row.creator][row.compared] = Identity(row.address, row.name, row.reply_to)
        if row.is_default:
            defaults[row.creator] = identity
    return {creator: Identities(known, defaults.get(creator)) for creator, known in found.items()}
