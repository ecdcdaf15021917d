"""What can be done to orders, e-mails and deliveries: to one here and now, or to all that match in the background."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, delete, exists, insert, or_, select, update

from engine import due
from engine.admin.filters import moment
from engine.admin.lists import count
from engine.admin.nouns import DELIVERIES, EMAILS, HELD_BACK, ORDERS
from engine.audit import note
from engine.errors import BadRequest, Conflict, Invalid, NotFound
from engine.events.status import order_event
from engine.events.storing import persist
from engine.fan_out import lock, wake
from engine.keywords import content
from engine.models import EXPIRY, DeliveryState, EmailState, JobState, OrderState, new_id
from engine.pauses import HELD
from engine.store import Now, after, now
from engine.tables import DELIVERY_DEAD, EMAIL_FAILED, ORDER_SET_ASIDE, emails, jobs, orders, webhooks

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection, Row

    from engine.admin.nouns import Noun

MOST = 1_000_000  # rows of one job

_HANDED_OVER = (EmailState.SUCCEEDED, EmailState.DELIVERED)


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

    @property
    def audited(self) -> str:
        """Its name in the audit log."""
        return f"{self.noun.name}.{self.name}"


def _cancel(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    _update(connection, orders, rows, state=OrderState.CANCELLED, due_at=None, last_update=Now())
    at = now(connection)
    persist(connection, [order_event(row, OrderState.CANCELLED, at) for row in rows])


def _reschedule(connection: Connection, rows: Sequence[Row[Any]], argument: str | None) -> None:
    at = _time(argument, now(connection))
    _update(connection, orders, rows, requested_send_time=at, due_at=at, last_update=Now())


def _process(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    # What was set aside begins anew, without the e-mails that told of it; what waits for its condition's second answer
    # keeps the first, and has none.
    connection.execute(delete(emails).where(emails.c.order_seq.in_([row.seq for row in rows])))
    _update(connection, orders, rows, state=OrderState.REGISTERED, due_at=Now(), unresolved=0, last_update=Now())


def _copy(connection: Connection, order: Row[Any], **instead: str) -> None:
    """A new order that says the same, due now."""
    values = dict(order._mapping) | instead  # noqa: SLF001 SQLAlchemy's documented name
    for name in ("seq", "claim", "unresolved", "attempts", "trace"):
        del values[name]
    values |= {"id": new_id(now(connection)), "state": OrderState.REGISTERED}
    values |= dict.fromkeys(("created", "requested_send_time", "last_update", "due_at"), Now())
    connection.execute(insert(orders).values(values))


def _whole(connection: Connection, order_seq: int) -> Row[Any]:
    return connection.execute(select(orders).where(orders.c.seq == order_seq)).one()


def _resend_orders(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    for row in rows:
        _copy(connection, _whole(connection, row.seq))


def _send_again(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    """A new series of attempts: those before stay in the log. Its order is open again until it is settled."""
    fresh = {"state": EmailState.NEW, "due_at": Now(), "attempts": 0, "unresolved": 0, "last_update": Now()}
    _update(connection, emails, rows, **fresh, expires_at=after(EXPIRY))
    done = update(orders).where(
        orders.c.seq.in_({row.order_seq for row in rows}), orders.c.state == OrderState.COMPLETED
    )
    connection.execute(done.values(state=OrderState.PROCESSED, last_update=Now()))


def _resend_emails(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    """The relay has taken these over; receivers drop a second one of the same Message-ID. So they are new mails."""
    for row in rows:
        order = _whole(connection, row.order_seq)
        said = content(order, row)  # an address of its own has no name for the keywords
        recipients = json.dumps([{"emailAddress": row.address}], separators=(",", ":"))
        _copy(connection, order, recipients=recipients, subject=said.subject, body=said.body)


def _try_now(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    _update(connection, emails, rows, due_at=Now())


def _replay(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    fresh = {"state": DeliveryState.WAITING, "due_at": Now(), "attempts": 0, "last_update": Now()}
    _update(connection, webhooks, rows, **fresh)
    wake(connection, {row.subscription_seq for row in rows})


def _push_now(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    _update(connection, webhooks, rows, due_at=Now())
    wake(connection, {row.subscription_seq for row in rows})


def _release_orders(connection: Connection, rows: Sequence[Row[Any]], _argument: str | None) -> None:
    _update(connection, orders, rows, due_at=orders.c.requested_send_time)


def _update(connection: Connection, table: Any, rows: Sequence[Row[Any]], **values: Any) -> None:
    connection.execute(update(table).where(table.c.seq.in_([row.seq for row in rows])).values(values))


_REGISTERED = and_(orders.c.state == OrderState.REGISTERED, orders.c.unresolved == 0)
_WAITS_FOR_CONDITION = and_(
    orders.c.state == OrderState.PROCESSING, orders.c.unresolved == 0, orders.c.due_at.is_not(None)
)
_OF_SET_ASIDE = exists().where(orders.c.seq == emails.c.order_seq, ORDER_SET_ASIDE)
_NOT_DUE = (emails.c.state == EmailState.NEW, emails.c.due_at > Now(), emails.c.due_at < HELD)

ACTIONS = [
    Action(
        ORDERS, "cancel", "Cancel", "cancelled", _REGISTERED, _cancel,
        "It is being processed, or was: only an order that waits for its send time can be cancelled.",
    ),
    Action(
        ORDERS, "reschedule", "Reschedule", "rescheduled", _REGISTERED, _reschedule,
        "It is being processed, or was: only an order that waits for its send time can be rescheduled.",
        takes="time",
    ),
    Action(
        ORDERS, "retry", "Process now", "queued", or_(ORDER_SET_ASIDE, _WAITS_FOR_CONDITION), _process,
        "It neither was set aside nor waits for its condition.",
    ),
    Action(
        ORDERS, "resend", "Send again", "ordered again", orders.c.state != OrderState.REGISTERED, _resend_orders,
        "It has not been sent yet; to send it now, reschedule it.", for_all=False,
    ),
    Action(
        EMAILS, "retry", "Send again", "queued again",
        and_(EMAIL_FAILED, emails.c.address != "", ~_OF_SET_ASIDE), _send_again,
        "It has not failed, has no address to go to, or its order was set aside: process that.",
    ),
    Action(
        EMAILS, "retry_now", "Try now", "made due", and_(*_NOT_DUE), _try_now,
        "It does not wait for a later attempt.",
    ),
    Action(
        EMAILS, "resend", "Send again", "ordered again", emails.c.state.in_(_HANDED_OVER), _resend_emails,
        "It was not sent yet.", for_all=False,
    ),
    Action(
        DELIVERIES, "retry", "Replay", "queued again",
        or_(DELIVERY_DEAD, webhooks.c.state == DeliveryState.UNAUTHORIZED), _replay,
        "It is not dead: it was delivered, or comes again by itself.",
    ),
    Action(
        DELIVERIES, "retry_now", "Try now", "made due",
        and_(webhooks.c.state == DeliveryState.WAITING, webhooks.c.due_at > Now()), _push_now,
        "It does not wait for a later attempt.",
    ),
]  # fmt: skip
RELEASES = [
    Action(ORDERS, "release", "Release", "released", orders.c.due_at == HELD, _release_orders, "It is not held."),
    Action(EMAILS, "release", "Release", "released", emails.c.due_at == HELD, _try_now, "It is not held."),
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
    table = action.noun.table
    check(connection, action, argument)
    if not act(connection, action, [key], argument):
        if connection.execute(select(table.c.seq).where(action.noun.key == key)).first() is None:
            raise NotFound(f"There is no such row among the {action.noun.name}: {key}.")
        raise Conflict(action.conflict)
    detail = {} if argument is None else {"to": argument}
    note(connection, who, action.audited, f"{action.noun.name}/{key}", detail)


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
    """To how many rows that match `given` it applies, counted up to one more than MOST; Invalid."""
    return count(connection, action.noun, given, action.applies, MOST + 1)


def start(
    connection: Connection, who: str, action: Action, given: Mapping[str, str], argument: str | None = None
) -> int:
    """Begin to do it to all that match, in the background; returns the job's number. BadRequest for more than MOST."""
    check(connection, action, argument)
    if not action.for_all:
        raise BadRequest(f"{action.label} is for one at a time.")
    total = matching(connection, action, given)
    if total > MOST:
        raise BadRequest(f"More than {MOST} match, the most of one job: narrow the list down.")
    given = {name: value for name, value in given.items() if value}
    if argument == "now":  # of this moment, and the same for every batch
        argument = now(connection).isoformat(timespec="milliseconds")
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
    held = {"state": HELD_BACK}
    return [start(connection, who, action, held) for action in RELEASES if matching(connection, action, held)]


def check(connection: Connection, action: Action, argument: str | None) -> None:
    """Invalid when the action wants an argument and this is none, or wants none and there is one."""
    if action.takes == "time":
        _check_time(argument, now(connection))
    elif argument is not None:
        raise Invalid({"argument": [f"{action.label} takes none."]})


def left(connection: Connection, action: Action, argument: str | None) -> ColumnElement[bool]:
    """What a job has still to do: rescheduled orders stand further on in its list, and are not to be done twice."""
    if action.takes == "time":
        return and_(action.applies, orders.c.requested_send_time != _time(argument, now(connection)))
    return action.applies


def _check_time(argument: str | None, earliest: datetime) -> None:
    try:
        at = _time(argument, earliest)
    except ValueError as error:
        raise Invalid({"time": [f"{error} Or now."]}) from None
    if argument != "now" and not earliest <= at < HELD:
        raise Invalid({"time": ["The send time is past; to send at once, say now."]})


def _time(argument: str | None, now: datetime) -> datetime:
    return now if argument == "now" else moment(argument or "", now)
