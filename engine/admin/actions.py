"""What can be done to orders, e-mails and deliveries: to one here and now, or to all that match in the background."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, exists, insert, or_, select

from engine import due
from engine.admin import changes
from engine.admin.filters import lasting
from engine.admin.lists import count
from engine.admin.nouns import DELIVERIES, EMAILS, ORDERS
from engine.admin.standing import Standing
from engine.audit import FOLDED, note
from engine.errors import BadRequest, Conflict, Invalid, NotFound
from engine.fan_out import lock
from engine.models import DeliveryState, EmailState, JobState, OrderState
from engine.pauses import HELD
from engine.store import Now, after, now
from engine.tables import DELIVERY_DEAD, ORDER_SET_ASIDE, audit_log, emails, jobs, orders, webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection, Row

    from engine.admin.nouns import Noun

MOST = 1_000_000  # rows of one job
HANDED_OVER = (EmailState.SUCCEEDED, EmailState.DELIVERED)


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done to the rows of a noun that `applies` fits; others are left as they are."""

    noun: Noun
    name: str
    label: str  # on its button
    done: str  # in a sentence: "3 e-mails were …"
    applies: ColumnElement[bool]
    apply: Callable[[Connection, Sequence[Row[Any]], str | None], None]
    conflict: str  # why it cannot be done to others
    for_all: bool = True  # also to all that match
    takes: str | None = None  # what it must be given
    asks: bool = False  # cannot be undone: engine/admin/questions.py has what is asked before
    copies: bool = False  # makes a new order: twice in a row is once too often

    @property
    def audited(self) -> str:
        """Its name in the audit log."""
        return f"{self.noun.name}.{self.name}"


_REGISTERED = and_(orders.c.state == OrderState.REGISTERED, orders.c.unresolved == 0)
_WAITS_FOR_CONDITION = and_(
    orders.c.state == OrderState.PROCESSING, orders.c.unresolved == 0, orders.c.due_at.is_not(None)
)
_OF_SET_ASIDE = exists().where(orders.c.seq == emails.c.order_seq, ORDER_SET_ASIDE)
_NOT_DUE = (emails.c.state == EmailState.NEW, emails.c.due_at > Now(), emails.c.due_at < HELD)

_SETTLED = orders.c.state.in_((OrderState.COMPLETED, OrderState.SEND_CONDITION_NOT_MET, OrderState.CANCELLED))
_SOME_FAILED = select(emails.c.seq).where(emails.c.order_seq == orders.c.seq, *changes.FAILED_WITH_ADDRESS).exists()

ACTIONS = [
    Action(
        ORDERS, "cancel", "Cancel", "cancelled", _REGISTERED, changes.cancel,
        "It is being processed, or was: only an order that waits for its send time can be cancelled.", asks=True,
    ),
    Action(
        ORDERS, "reschedule", "Reschedule", "rescheduled", _REGISTERED, changes.reschedule,
        "It is being processed, or was: only an order that waits for its send time can be rescheduled.",
        takes="time", asks=True,
    ),
    Action(
        ORDERS, "retry", "Process now", "queued", or_(ORDER_SET_ASIDE, _WAITS_FOR_CONDITION), changes.process,
        "It neither was set aside nor waits for its condition.",
    ),
    Action(
        ORDERS, "resend_failed", "Send again to those who did not get it", "queued again for those who did not get it",
        and_(orders.c.state == OrderState.COMPLETED, _SOME_FAILED), changes.try_failed_again,
        "It is still on its way, was set aside, or none of its e-mails failed that has an address.",
        for_all=False, asks=True,
    ),
    Action(
        ORDERS, "resend", "Send to all again", "ordered again for all", _SETTLED, changes.order_again,
        "It is still on its way, to be sent again when all its e-mails are settled; or it was set aside: process it.",
        for_all=False, asks=True, copies=True,
    ),
    Action(
        EMAILS, "retry", "Try again", "queued again",
        and_(*changes.FAILED_WITH_ADDRESS, ~_OF_SET_ASIDE), changes.try_again,
        "It has not failed, has no address to go to, or its order was set aside: process that.",
    ),
    Action(
        EMAILS, "retry_now", "Try now", "made due", and_(*_NOT_DUE), changes.make_due,
        "It does not wait for a later attempt.",
    ),
    Action(
        EMAILS, "resend", "Send a second one", "ordered again", emails.c.state.in_(HANDED_OVER),
        changes.order_again_for, "It was not sent yet.", for_all=False, asks=True, copies=True,
    ),
    Action(
        DELIVERIES, "retry", "Replay", "queued again",
        or_(DELIVERY_DEAD, webhooks.c.state == DeliveryState.UNAUTHORIZED), changes.replay,
        "It is not dead: it was delivered, or comes again by itself.",
    ),
    Action(
        DELIVERIES, "retry_now", "Try now", "made due",
        and_(webhooks.c.state == DeliveryState.WAITING, webhooks.c.due_at > Now()), changes.push_now,
        "It does not wait for a later attempt.",
    ),
]  # fmt: skip
RELEASES = [
    Action(
        ORDERS, "release", "Release", "released", orders.c.due_at == HELD, changes.release_orders, "It is not held."
    ),
    Action(EMAILS, "release", "Release", "released", emails.c.due_at == HELD, changes.make_due, "It is not held."),
]


def find(noun: str, name: str) -> Action:
    """An action by the names of its noun and its own; NotFound."""
    for action in ACTIONS + RELEASES:
        if (action.noun.name, action.name) == (noun, name):
            return action
    raise NotFound(f"There is no action {name} on {noun}.")


def possible(connection: Connection, noun: Noun, key: UUID | int) -> list[Action]:
    """What can be done to this row as it is now."""
    mine = [action for action in ACTIONS if action.noun is noun]
    if not mine:
        return []
    chosen = select(*(action.applies.label(f"n{place}") for place, action in enumerate(mine))).where(noun.key == key)
    row = connection.execute(chosen).one_or_none()
    return [action for action, applies in zip(mine, row or (), strict=False) if applies]


def perform(connection: Connection, who: str, action: Action, key: UUID | int, argument: str | None = None) -> None:
    """Do it to one row; NotFound, Conflict when it does not apply, Invalid for a wrong argument."""
    argument = check(connection, action, argument)
    if not act(connection, action, [key], argument):
        raise refusal(connection, action, key)
    target = f"{action.noun.name}/{key}"
    if action.copies and _done_lately(connection, action, target):
        raise Conflict("That was done less than a minute ago; to do it once more, wait a minute.")
    note(connection, who, action.audited, target, {} if argument is None else {"to": argument})


def refusal(connection: Connection, action: Action, key: UUID | int) -> NotFound | Conflict:
    """Why an action applies to no row of this key."""
    if connection.execute(select(action.noun.table.c.seq).where(action.noun.key == key)).first() is None:
        return NotFound(f"There is no such row among the {action.noun.name}: {key}.")
    return Conflict(action.conflict)


def act(connection: Connection, action: Action, keys: Sequence[Any], argument: str | None) -> list[Any]:
    """Do it to those of the rows that it applies to; returns their keys."""
    if action.noun is DELIVERIES:
        its = select(webhooks.c.subscription_seq).where(webhooks.c.seq.in_(keys))
        connection.execute(lock(set(connection.scalars(its))))
    columns = due.ORDERS.columns if action.noun is ORDERS else action.noun.table.c  # of a batch, not the texts
    chosen = select(*columns).where(action.noun.key.in_(keys), action.applies)
    rows = connection.execute(chosen.order_by(action.noun.table.c.seq).with_for_update()).all()
    if rows:
        action.apply(connection, rows, argument)
    return [getattr(row, action.noun.key.name) for row in rows]


def matching(connection: Connection, action: Action, given: Mapping[str, str]) -> int:
    """To how many rows that match `given` it applies, counted up to one more than MOST.

    Invalid; BadRequest for what is done to one at a time.
    """
    if not action.for_all:
        raise BadRequest(f"{action.label} is for one at a time.")
    return count(connection, action.noun, given, action.applies, MOST + 1)


def start(
    connection: Connection, who: str, action: Action, given: Mapping[str, str], argument: str | None = None
) -> int:
    """Begin to do it to all that match, in the background; returns the job's number. BadRequest for more than MOST."""
    argument = check(connection, action, argument)
    total = matching(connection, action, given)
    if total > MOST:
        raise BadRequest(f"More than {MOST} match, the most of one job: narrow the list down.")
    moment = now(connection)  # the same for every batch, whenever that is done
    given = lasting(given, moment)
    if argument == "now":
        argument = moment.isoformat(timespec="milliseconds")
    job = {
        "created": Now(),
        "last_update": Now(),
        "state": JobState.WAITING,
        "due_at": Now(),
        "who": who,
        "noun": action.noun.name,
        "action": action.name,
        "filter": json.dumps(given),
        "argument": argument,
        "total": total,
    }
    seq = int(connection.execute(insert(jobs).values(job).returning(jobs.c.seq)).scalar_one())
    detail = {"filter": given, "count": total} | ({} if argument is None else {"to": argument})
    note(connection, who, action.audited, f"jobs/{seq}", detail)
    return seq


def release(connection: Connection, who: str) -> list[int]:
    """Make due what pauses have held back, in the background; returns the jobs' numbers."""
    held = {"state": Standing.HELD.value}
    return [start(connection, who, action, held) for action in RELEASES if matching(connection, action, held)]


def check(connection: Connection, action: Action, argument: str | None) -> str | None:
    """The argument as it is written down: a time with its offset, now, or none; Invalid where it is none of these."""
    if action.takes == "time":
        return _checked_time(argument, now(connection))
    if argument is not None:
        raise Invalid({"argument": [f"{action.label} takes none."]})
    return None


def left(connection: Connection, action: Action, argument: str | None) -> ColumnElement[bool]:
    """What a job has still to do: rescheduled orders stand further on in its list, and are not to be done twice."""
    if action.takes == "time":
        return and_(action.applies, orders.c.requested_send_time != changes.send_time(argument, now(connection)))
    return action.applies


def _checked_time(argument: str | None, earliest: datetime) -> str:
    if argument == "now":
        return argument
    try:
        at = changes.send_time(argument, earliest)
    except ValueError as error:
        raise Invalid({"time": [f"{error} Or now."]}) from None
    if not earliest <= at < HELD:
        raise Invalid({"time": ["The send time is past; to send at once, say now."]})
    return at.isoformat()


def _done_lately(connection: Connection, action: Action, target: str) -> bool:
    """Whether somebody did the same a moment ago: a second click, or a second operator."""
    same = (audit_log.c.target == target, audit_log.c.action == action.audited, audit_log.c.at > after(-FOLDED))
    return connection.execute(select(audit_log.c.seq).where(*same).limit(1)).first() is not None
