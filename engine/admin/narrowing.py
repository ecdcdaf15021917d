"""What each list can be narrowed to: from checked values to its conditions and order.

A condition is either `by`: an index in the list's own order answers it, so the database reads what it shows and no
more; or `rest`: it is looked at row by row, within a window (engine/admin/lists.py).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import or_, select

from engine.admin import lookups
from engine.admin.api_keys import STATE
from engine.admin.filters import PUSH_ERRORS, contains, had_attempt
from engine.admin.mailings import narrow_emails, narrow_orders
from engine.admin.narrowed import Narrowed, Part, numbered_in
from engine.admin.recurring import ENDED, PAUSED
from engine.admin.recurring import OF_STATE as OF_RECURRING
from engine.admin.sentences import names_of
from engine.admin.standing import GROUPS, REPEATED, of_deliveries
from engine.admin.subscriptions import OF_STATE, OF_STOPPED
from engine.db.blocks import everywhere
from engine.db.tables import (
    DELIVERY_DEAD,
    api_keys,
    audit_log,
    deliveries,
    delivery_attempts,
    events,
    jobs,
    recurring_orders,
    senders,
    subscriptions,
)
from engine.models import DeliveryState
from engine.queue.epoch import repeated
from engine.queue.pauses import in_force

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection, Table

    Given = Mapping[str, Any]


def _events(connection: Connection, given: Given) -> Narrowed:
    found = Narrowed.newest(events.c.seq)
    if resource := given.get("resource"):
        found.have(connection, events.c.resource, resource)
    if id_ := given.get("id"):
        found.find(lookups.named(connection, events.c.id, id_))
    if subject := given.get("subject"):
        found.find(everywhere(connection, events), events.c.subject == subject)
    for name in ("source", "type"):
        if value := given.get(name):
            found.rest.append(contains(events.c[name], value))
    if event := given.get("event"):
        found.by.append(events.c.seq == event)
    numbered_in(connection, found, events.c.seq, events.c.registered, given)
    return found


def _subscriptions(_connection: Connection, given: Given) -> Narrowed:
    found = Narrowed.newest(subscriptions.c.seq)
    state = given.get("state")
    conditions = found.by if state in OF_STOPPED else found.rest
    conditions += OF_STATE[state] if state else [subscriptions.c.removed.is_(None)]
    if consumer := given.get("consumer"):
        found.rest.append(subscriptions.c.consumer == consumer)
    for name, column in (("endpoint", subscriptions.c.endpoint), ("resource", subscriptions.c.resource_filter)):
        if value := given.get(name):
            found.rest.append(contains(column, value))
    if seq := given.get("subscription"):
        found.by.append(subscriptions.c.seq == seq)
    return found


def _deliveries(connection: Connection, given: Given) -> Narrowed:
    found = Narrowed.newest(deliveries.c.seq)
    state = given.get("state")
    if state == DeliveryState.DEAD:
        found.by.append(DELIVERY_DEAD)
    elif state in (*GROUPS, DeliveryState.WAITING):
        found.by.append(deliveries.c.due_at.is_not(None))
        if state == REPEATED:
            found.by.append(repeated(connection, deliveries))
        elif state in GROUPS:
            stands = of_deliveries(in_force(connection).lanes).of(state)
            its = select(subscriptions.c.seq).where(subscriptions.c.seq == deliveries.c.subscription_seq, stands)
            found.rest.append(its.where(subscriptions.c.removed.is_(None)).correlate(deliveries).exists())
    elif state:
        found.rest.append(deliveries.c.state == state)
    if subscription := given.get("subscription"):
        found.have(connection, deliveries.c.subscription_seq, subscription)
    if event := given.get("event"):
        found.have(connection, deliveries.c.event_seq, event)
    if delivery := given.get("delivery"):
        found.by.append(deliveries.c.seq == delivery)
    if error := given.get("error"):
        log = delivery_attempts
        found.rest.append(had_attempt(log, log.c.delivery_seq, deliveries.c.seq, PUSH_ERRORS[error]))
        found.asks_elsewhere = True
    numbered_in(connection, found, deliveries.c.seq, deliveries.c.created, given)
    return found


def _audit(connection: Connection, given: Given) -> Narrowed:
    found = Narrowed.newest(audit_log.c.seq)
    if who := given.get("who"):
        found.rest.append(audit_log.c.who.in_(names_of(who)))
    if action := given.get("action"):
        found.rest.append(audit_log.c.action == action)
    if target := given.get("target"):
        found.rest.append(
            or_(audit_log.c.target == target, audit_log.c.target.startswith(f"{target}/", autoescape=True))
        )
    numbered_in(connection, found, audit_log.c.seq, audit_log.c.at, given)
    return found


def _recurring(_connection: Connection, given: Given) -> Narrowed:
    """Those first whose next run comes first; then those that make none."""
    its = recurring_orders.c
    found = Narrowed([Part([its.next_at, its.id], its.next_at.is_not(None)), Part([its.id], or_(PAUSED, ENDED))])
    found.newest_first = False
    if state := given.get("state"):
        found.rest.append(OF_RECURRING[state])
    if creator := given.get("creator"):
        found.rest.append(its.creator == creator)
    return found


def _matching(table: Table, *names: str) -> Callable[[Connection, Given], Narrowed]:
    """Rows of a small table, by columns of these names; `state` is that of an API key."""

    def narrow(_connection: Connection, given: Given) -> Narrowed:
        found = Narrowed.newest(table.c.seq)
        found.rest += [table.c[name] == given[name] for name in names if given.get(name)]
        found.rest += [STATE.in_([given["state"]])] if given.get("state") else []
        return found

    return narrow


NARROW: Mapping[str, Callable[[Connection, Given], Narrowed]] = {
    "orders": narrow_orders,
    "emails": narrow_emails,
    "events": _events,
    "subscriptions": _subscriptions,
    "deliveries": _deliveries,
    "audit": _audit,
    "jobs": _matching(jobs),
    "recurring": _recurring,
    "keys": _matching(api_keys, "kind", "creator"),
    "senders": _matching(senders, "creator"),
}
