"""Sender identities as operators make and remove them; see engine/orders/identities.py."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, select, update

from engine.db.dialects import Now, insert_new
from engine.db.records import columns, first
from engine.db.tables import senders
from engine.errors import Conflict, Invalid, NotFound
from engine.models import is_test
from engine.observability.audit import note
from engine.text.addresses import compared_address, read_address
from engine.text.controls import NOT_IN_A_LINE
from engine.text.language import N_, _, number

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST = 10_000  # each web process knows all of them
LONGEST = 100  # characters of a creator's name, and of a sender's


@dataclass(frozen=True, slots=True)
class NewSender:
    """What an operator asks for. A creator's first identity is its default."""

    creator: str
    address: str
    name: str = ""
    reply_to: str = ""
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class _Stored:
    seq: int
    creator: str
    address: str
    is_default: bool


def add(connection: Connection, who: str, asked: NewSender) -> str:
    """Let a creator's orders have this sender; returns what to say of it. Invalid, Conflict when it is there."""
    creator, name, reply_to = asked.creator.strip(), asked.name.strip(), asked.reply_to.strip()
    _check(creator, asked.address, name, reply_to)
    address = read_address(asked.address) or ""
    if (connection.scalar(select(func.count()).select_from(senders)) or 0) >= MOST:
        raise Conflict(_("There are %(count)s sender identities, which is the most there can be.", count=number(MOST)))
    is_first = connection.scalar(select(senders.c.seq).where(senders.c.creator == creator).limit(1)) is None
    row: dict[str, object] = {"creator": creator, "address": address, "compared": compared_address(address)}
    row |= {"name": name or None, "reply_to": read_address(reply_to), "is_default": False}
    row |= {"created": Now(), "who": who}
    made = insert_new(connection.dialect.name, senders).values(row).returning(senders.c.seq)
    seq = connection.scalar(made)
    if seq is None:
        raise Conflict(_("%(creator)s has the sender %(address)s already.", creator=creator, address=address))
    note(connection, who, "create", f"senders/{seq}", {"creator": creator, "address": address})
    if is_first or asked.is_default:
        make_default(connection, who, seq)
    text = N_("The sender %(address)s is added: orders of %(creator)s may have it.")
    if is_first or asked.is_default:
        text = N_("The sender %(address)s is added: orders of %(creator)s that name no sender have it.")
    return _(text, creator=creator, address=address)


def make_default(connection: Connection, who: str, seq: int) -> str:
    """Let orders that name no sender have this one; returns what to say of it. NotFound."""
    found = _find(connection, seq)
    its = senders.c.creator == found.creator
    connection.execute(update(senders).where(its).values(is_default=senders.c.seq == seq))
    note(connection, who, "make-default", f"senders/{seq}")
    text = N_("%(address)s is the default: orders of %(creator)s that name no sender have it.")
    return _(text, creator=found.creator, address=found.address)


def remove(connection: Connection, who: str, seq: int) -> str:
    """Let no new order have this sender; returns what to say of it. NotFound, Conflict for the default of several."""
    found = _find(connection, seq)
    others = select(senders.c.seq).where(senders.c.creator == found.creator, senders.c.seq != seq).limit(1)
    if found.is_default and connection.scalar(others) is not None:
        text = N_("%(address)s is the default of %(creator)s; make another one the default first.")
        raise Conflict(_(text, address=found.address, creator=found.creator))
    connection.execute(delete(senders).where(senders.c.seq == seq))
    note(connection, who, "remove", f"senders/{seq}", {"creator": found.creator, "address": found.address})
    text = N_("The sender %(address)s is removed: no new order of %(creator)s has it.")
    return _(text, creator=found.creator, address=found.address)


def _check(creator: str, address: str, name: str, reply_to: str) -> None:
    """Invalid when an identity cannot be like this."""
    errors: dict[str, list[str]] = {}
    if not 0 < len(creator) <= LONGEST or not creator.isprintable() or is_test(creator):
        errors["creator"] = [_("A creator such as ttd; its tests have the same senders.")]
    if not read_address(address):
        errors["address"] = [_("This is not a valid e-mail address.")]
    if len(name) > LONGEST or NOT_IN_A_LINE.search(name):
        errors["name"] = [_("At most %(count)s characters in one line.", count=LONGEST)]
    if reply_to and not read_address(reply_to):
        errors["reply_to"] = [_("This is not a valid e-mail address.")]
    if errors:
        raise Invalid(errors)


def _find(connection: Connection, seq: int) -> _Stored:
    chosen = select(*columns(_Stored, senders.c)).where(senders.c.seq == seq)
    found = first(_Stored, connection.execute(chosen))
    if found is None:
        raise NotFound(_("There is no sender %(key)s.", key=seq))
    its = select(senders.c.seq).where(senders.c.creator == found.creator).order_by(senders.c.seq)
    connection.execute(its.with_for_update())
    return found
