"""What lists of orders and e-mails can be narrowed to: by their state, by where they stand, by names and addresses."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, false, func, or_, select

from engine.admin import lookups
from engine.admin.belonging import of_order
from engine.admin.filters import EMAIL_ERRORS, contains, had_attempt, to_address
from engine.admin.narrowed import Narrowed, Part, created_in
from engine.admin.standing import GROUPS, REPEATED, RETRYING, Standing, of_emails, of_orders
from engine.db.dialects import Now
from engine.db.tables import (
    EMAIL_FAILED,
    EMAIL_OPEN,
    EPOCH,
    ORDER_SET_ASIDE,
    email_attempts,
    emails,
    orders,
)
from engine.models import LEVELS, EmailState, OrderState
from engine.queue.epoch import repeated
from engine.queue.pauses import in_force

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection, Table

    from engine.admin.standing import Standings

    Given = Mapping[str, Any]

WAITING, FAILED = ("waiting", "failed")
CLOSE = timedelta(minutes=1)  # what a worker's clock may be ahead of the database's, by far
_OPEN = (WAITING, EmailState.NEW, EmailState.SENDING)


def narrow_orders(connection: Connection, given: Given) -> Narrowed:
    """Orders by what they are, their names, or a recipient."""
    found = Narrowed.newest(orders.c.id)
    state = given.get("state")
    if state == OrderState.SET_ASIDE:
        found.by.append(ORDER_SET_ASIDE)
    elif state in GROUPS:
        _stand(connection, found, orders, of_orders, state)
    elif state in (WAITING, OrderState.REGISTERED):
        found.parts, found.newest_first = _open(orders), False
        found.rest.append(orders.c.state == OrderState.REGISTERED)
    elif state:
        found.rest.append(orders.c.state == state)
    _order_names(connection, found, given)
    _priority(found, orders, given)
    if (creator := given.get("creator")) and found.newest_first:
        found.have(connection, orders.c.creator, creator)
    elif creator:
        found.rest.append(orders.c.creator == creator)
    if recipient := given.get("recipient"):
        found.rest.append(contains(orders.c.recipients, recipient))
    created_in(found, orders.c.id, given)
    return found


def _order_names(connection: Connection, found: Narrowed, given: Given) -> None:
    if ids := given.get("order"):
        found.by.append(orders.c.id.between(*ids))
    if ids := given.get("chain"):
        found.find(orders.c.chain_id.between(*ids))
    if reference := given.get("reference"):
        found.find(lookups.referred(connection, reference))
    if key := given.get("idempotency"):
        found.find(orders.c.id.in_(lookups.keyed(connection, key)))


def narrow_emails(connection: Connection, given: Given) -> Narrowed:
    """E-mails by their state, order, address, or how an attempt ended."""
    found = Narrowed.newest(emails.c.id)
    if order := given.get("order"):
        _email_order(connection, found, order, given.get("state"))
    elif state := given.get("state"):
        _email_state(connection, found, state, few="job" in given)
    _priority(found, emails, given)
    if ids := given.get("email"):
        found.by.append(emails.c.id.between(*ids))
    if reference := given.get("reference"):
        found.by.append(emails.c.order_seq.in_(select(orders.c.seq).where(lookups.referred(connection, reference))))
    if queue_id := given.get("queue"):
        seqs = lookups.queued(connection, queue_id, lookups.RARE + 1)
        found.find(emails.c.seq.in_(seqs[: lookups.RARE]))
        found.cut = len(seqs) > lookups.RARE
    if recipient := given.get("recipient"):
        _email_recipient(connection, found, recipient)
    if creator := given.get("creator"):
        its = select(orders.c.seq).where(orders.c.seq == emails.c.order_seq, orders.c.creator == creator)
        found.rest.append(its.exists())
        found.asks_elsewhere = True
    if (failed := given.get("failed")) and (given.get("state") or "").lower().startswith(FAILED):
        found.by.append(emails.c.last_update >= failed - CLOSE)  # which it has from its last attempt
    _email_attempt(connection, found, given)
    _email_ended(found, given)
    created_in(found, emails.c.id, {"since": given.get("since"), "until": _made_until(given)})
    return found


def _made_until(given: Given) -> datetime | None:
    """Before when an e-mail was made: it was before it was settled."""
    return min((until for until in (given.get("until"), given.get("upto")) if until), default=None)


def _priority(found: Narrowed, table: Table, given: Given) -> None:
    if priority := given.get("priority"):
        found.rest.append(table.c.priority == LEVELS.index(priority))


def _email_attempt(connection: Connection, found: Narrowed, given: Given) -> None:
    """What is said of one and the same attempt."""
    c, failure = email_attempts.c, given.get("failure")
    ended = [EMAIL_ERRORS[given["error"]]] if given.get("error") else []
    ended += [given["code"]] if given.get("code") is not None else []
    ended += [c.relay == given["relay"]] if given.get("relay") else []
    ended += [c.at >= given["failed"]] if given.get("failed") else []
    if not (ended or failure):
        return
    ended.append(c.outcome != "accepted")
    checks = [*ended, *([func.coalesce(c.failure, "") == failure] if failure else [])]
    # Not by the index of failures: for each e-mail, a database would walk through all that failed alike.
    had = had_attempt(email_attempts, c.email_seq, emails.c.seq, and_(*checks))
    alike, few = lookups.alike(connection, failure, ended, given.get("failed")) if failure else (had, False)
    if few:
        found.find(alike)
    else:
        found.either.append((had, alike))
        found.asks_elsewhere = True


def _email_ended(found: Narrowed, given: Given) -> None:
    """When an e-mail was settled."""
    c, since, until = emails.c, given.get("ended"), given.get("upto")
    if since or until:
        found.rest.append(and_(c.due_at.is_(None), c.paused_by.is_(None)))
    found.rest += [c.last_update >= since] if since else []
    found.rest += [c.last_update < until] if until else []


def _email_state(connection: Connection, found: Narrowed, state: str, *, few: bool) -> None:
    """`few`: what else narrows the list leaves so few that they can be sorted."""
    if _is_failed(found, state):
        return
    if state in GROUPS:
        _stand(connection, found, emails, of_emails, state)
    elif few and state in _OPEN:
        found.by, found.sorted = [*found.by, EMAIL_OPEN], True
        found.rest += [emails.c.state == state] if state != WAITING else []
    elif state in _OPEN:
        found.parts, found.newest_first = _open(emails), False
        found.rest.append(emails.c.state == (EmailState.NEW if state == WAITING else state))
    else:
        found.rest.append(emails.c.state == state)


def _is_failed(found: Narrowed, state: str) -> bool:
    """Narrow a list to e-mails that failed, if that is what the state says."""
    if not state.lower().startswith(FAILED):
        return False
    found.by.append(EMAIL_FAILED)
    found.rest += [emails.c.state == state] if state != FAILED else []
    return True


def _email_order(connection: Connection, found: Narrowed, order: UUID, state: str | None) -> None:
    """The e-mails of an order, the newest first, whatever their state."""
    its = of_order(connection, order)
    found.by += its.by
    found.rest += its.rest
    found.sorted = its.few
    if state is None or _is_failed(found, state):
        return
    settled = state not in (*GROUPS, *_OPEN)
    if its.states is not None and not its.states.get(state if settled else EmailState.NEW):
        found.by.append(false())
    if state in GROUPS:
        stands = of_emails(in_force(connection).lanes)
        found.rest.append(repeated(connection, emails) if state == REPEATED else stands.of(state))
        found.asks_elsewhere = True
    elif state == WAITING:
        found.rest.append(or_(emails.c.due_at.is_not(None), emails.c.paused_by.is_not(None)))
    else:
        found.rest.append(emails.c.state == state)


def _email_recipient(connection: Connection, found: Narrowed, recipient: str) -> None:
    which = lookups.to(connection, recipient)
    if which is not None and ("@" in recipient or lookups.is_rare(connection, emails, which)):
        found.find(which)
    else:
        found.rest.append(to_address(emails.c.address, recipient.removesuffix(lookups.BEGINS)))


def _stand(
    connection: Connection, found: Narrowed, table: Table, of: Callable[[Container[str]], Standings], group: str
) -> None:
    """Where an open row stands: the same rows that the overview counts."""
    found.newest_first = False
    waiting, paused = _open(table)
    found.parts = [waiting]
    if group == REPEATED:
        found.by.append(repeated(connection, table))
        return
    stands = of(in_force(connection).lanes)
    found.rest.append(stands.of(group))
    if group in (Standing.LATER, RETRYING):  # not beside the other condition: see engine/admin/soonest.py
        found.parts = [replace(waiting, which=table.c.due_at > Now())]
    elif group == Standing.PAUSED:
        none = replace(waiting, which=table.c.due_at <= EPOCH)  # for cursors from before the lane was resumed
        found.parts = [waiting if stands.lane_paused else none, paused]


def _open(table: Table) -> tuple[Part, Part]:
    """What waits, in the order in which it becomes due, and what is paused: each has an index of its own."""
    waiting = Part([table.c.due_at, table.c.seq], table.c.due_at.is_not(None))
    return waiting, Part([table.c.seq], table.c.paused_by.is_not(None))
