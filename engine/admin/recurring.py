"""Recurring orders as operators pause, resume and delete them; see engine/orders/recurring.py."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sqlalchemy import and_, case, delete, select, update

from engine.admin.amounts import some
from engine.db.records import columns, first
from engine.db.tables import recurring_orders
from engine.errors import Conflict, Invalid, NotFound
from engine.observability.audit import note
from engine.orders.recurring import MadeOf, Recurring, following
from engine.text.language import N_, _

if TYPE_CHECKING:
    from uuid import UUID

    from sqlalchemy import Connection

LONGEST = 200  # characters of a reason
STATES = ("active", "paused", "ended")

_TABLE = recurring_orders.c
_PAUSED = _TABLE.paused_reason.is_not(None)
STATE = case((_PAUSED, "paused"), (_TABLE.next_at.is_(None), "ended"), else_="active")
ACTIVE, PAUSED, ENDED = _TABLE.next_at.is_not(None), _PAUSED, and_(_TABLE.next_at.is_(None), ~_PAUSED)
OF_STATE = dict(zip(STATES, (ACTIVE, PAUSED, ENDED), strict=True))


def pause(connection: Connection, who: str, its_id: UUID, reason: str = "") -> str:
    """Make no runs of it; returns what to say of it. NotFound, Invalid, Conflict when it is paused, or has ended."""
    found, text = find(connection, its_id, lock=True), reason.strip()
    if len(text) > LONGEST or not text.isprintable():
        raise Invalid({"reason": [_("At most %(count)s characters, none of them control characters.", count=LONGEST)]})
    if found.paused_reason or not found.next_at:
        text = N_("%(name)s is paused already.") if found.paused_reason else N_("%(name)s has ended.")
        raise Conflict(_(text, name=found.name))
    paused = {"paused_reason": f"Paused by an operator{': ' + text if text else '.'}", "next_at": None}
    connection.execute(update(recurring_orders).where(_TABLE.id == its_id).values(paused))
    note(connection, who, "pause", f"recurring/{its_id}", {"reason": text} if text else None)
    return _("%(name)s of %(creator)s is paused: no runs are made.", name=found.name, creator=found.creator)


def resume(connection: Connection, who: str, its_id: UUID) -> str:
    """Make runs again, from the next time on; returns what to say of it. NotFound, Conflict when it is not paused."""
    found = find(connection, its_id, lock=True)
    if not found.paused_reason:
        raise Conflict(_("%(name)s is not paused.", name=found.name))
    going = {"paused_reason": None, "next_at": following(connection, found)}
    connection.execute(update(recurring_orders).where(_TABLE.id == its_id).values(going))
    note(connection, who, "resume", f"recurring/{its_id}")
    if going["next_at"] is None:
        text = N_("%(name)s of %(creator)s has ended: no further time comes.")
    else:
        text = N_("%(name)s of %(creator)s is resumed; runs that came meanwhile are skipped.")
    return _(text, name=found.name, creator=found.creator)


def remove(connection: Connection, who: str, its_id: UUID) -> str:
    """Delete it, which leaves the orders that it has made; returns what to say of it. NotFound."""
    found = find(connection, its_id, lock=True)
    connection.execute(delete(recurring_orders).where(_TABLE.id == its_id))
    note(connection, who, "delete", f"recurring/{its_id}", {"creator": found.creator, "name": found.name})
    text = N_("%(name)s of %(creator)s was deleted; the orders that it has made go on.")
    return _(text, name=found.name, creator=found.creator)


def question(connection: Connection, its_id: UUID) -> tuple[str, str]:
    """What is asked before it is deleted: the title, and what it means; NotFound."""
    found = find(connection, its_id)
    recipients = len(json.loads(made_of(connection, its_id).order["recipients"]))
    meaning = _(
        "It has made %(orders)s, each to %(recipients)s; these go on. It cannot be restored.",
        orders=some(found.made, "orders"),
        recipients=some(recipients, "recipients"),
    )
    title = N_("Delete the recurring order %(name)s of %(creator)s?")
    return _(title, name=found.name, creator=found.creator), meaning


def made_of(connection: Connection, its_id: UUID) -> MadeOf:
    """What each of its runs is made of."""
    return MadeOf.read(connection.execute(select(_TABLE.order_row).where(_TABLE.id == its_id)).scalar_one())


def find(connection: Connection, its_id: UUID, *, lock: bool = False) -> Recurring:
    """A recurring order; NotFound."""
    chosen = select(*columns(Recurring, _TABLE)).where(_TABLE.id == its_id)
    if lock:
        chosen = chosen.with_for_update()
    found = first(Recurring, connection.execute(chosen))
    if found is None:
        raise NotFound(_("There is no recurring order %(key)s.", key=its_id))
    return found
