"""Actions on orders, e-mails and deliveries: on one row at once, or on all that match in the background."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, exists, false, func, or_, select, true

from engine.admin import changes, copies, locks, stopping
from engine.admin.copies import ANY
from engine.admin.filters import uuid
from engine.admin.obstacles import EXPIRED, GAVE_UP_FILES, OF_EXPIRED, OF_SET_ASIDE, refusal
from engine.admin.resources import DELIVERIES, EMAILS, ORDERS
from engine.db.dialects import Now, after, now
from engine.db.tables import DELIVERY_DEAD, EMAIL_FAILED, ORDER_SET_ASIDE, audit_log, deliveries, emails, orders, pauses
from engine.errors import Conflict, Invalid, NotFound
from engine.models import HANDED_OVER, DeliveryState, EmailState, OrderState
from engine.observability.audit import FOLDED, note
from engine.queue.pauses import CREATOR, DOMAIN
from engine.text.language import N_, _

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection

    from engine.admin.copies import Terms
    from engine.admin.resources import Resource


class Command(NamedTuple):
    """The command that does an action to one row. Of several actions, it does the first that applies.

    Where actions have a `flag`, that one is done whose flag is given; `says` is its help.
    """

    name: str
    help: str = ""  # of several actions, the first has it
    flag: str | None = None
    says: str = ""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that can be done to the rows of a resource that `applies` fits; others are left as they are."""

    resource: Resource
    name: str
    label: str  # on its button
    done: str  # a sentence without its full stop, as the button says it
    applies: ColumnElement[bool]
    apply: Callable[[Connection, Sequence[int], str | None], Sequence[UUID] | None]  # the orders that it creates
    conflict: str  # to which rows it applies, as an error says it
    for_all: bool = True  # can be done to all that match, too
    takes: str | None = None  # what it must be given
    asks: bool = False  # it cannot be undone: engine/admin/questions.py asks first
    doubted: ColumnElement[bool] = field(default_factory=false)  # the rows for which it asks, unless it always does
    sends: bool = False  # something that was sent or tried before: at most once a minute
    copies: bool = False  # creates a new order
    steps: bool = False  # goes on in further transactions: see engine/admin/stopping.py
    command: Command | None = None  # None: the command line has it only for all that match

    @property
    def audited(self) -> str:
        """Its name in the audit log."""
        return f"{self.resource.name}.{self.name}"

    @property
    def may_ask(self) -> bool:
        """Whether there are rows for which it asks."""
        return self.asks or not self.doubted.compare(false())


_UNMADE = or_(orders.c.portion.is_(None), orders.c.portion == 0)  # none of its e-mails was made
_REGISTERED = and_(orders.c.state == OrderState.REGISTERED, orders.c.unresolved == 0)
_TO_COME = and_(_REGISTERED, orders.c.due_at > Now())
_WAITS_AGAIN = and_(orders.c.state == OrderState.PROCESSING, orders.c.unresolved == 0, orders.c.due_at.is_not(None))
_NOT_DUE = (emails.c.state == EmailState.NEW, emails.c.due_at > Now(), emails.c.rank.is_(None))

_ENDED = (OrderState.COMPLETED, OrderState.SEND_CONDITION_NOT_MET, OrderState.CANCELLED)
_MAY_LEAVE = and_(~GAVE_UP_FILES, func.coalesce(~EXPIRED, true()))
_SETTLED = and_(orders.c.state.in_(_ENDED), _MAY_LEAVE, ~orders.c.streamed)  # nobody has all those recipients
_OPEN = and_(orders.c.state == OrderState.OPEN, orders.c.unresolved == 0)
_ITS = emails.c.order_seq == orders.c.seq
_SOME_FAILED = select(emails.c.seq).where(_ITS, *changes.FAILED_WITH_ADDRESS).exists()
_NAMES = (emails.c.address, emails.c.national_identity_number, emails.c.organization_number)
_NAMED = or_(*(name != "" for name in _NAMES))
_SOMEBODY_FAILED = select(emails.c.seq).where(_ITS, EMAIL_FAILED, _NAMED).exists()

ACTIONS = [
    Action(
        ORDERS, "cancel", N_("Cancel"), N_("%(what)s is cancelled"),
        and_(or_(_OPEN, _REGISTERED, _WAITS_AGAIN), _UNMADE), changes.cancel,
        N_("Only an order that has not ended can be cancelled"), asks=True,
        command=Command("cancel", "Cancel an order, or what has not left of it.\n\nWhat the relay has stays sent."),
    ),
    Action(
        ORDERS, "withdraw", N_("Cancel the rest"), N_("%(what)s is cancelled as far as it had not left"),
        stopping.BEING_SENT, stopping.stop, N_("Only an order that is being sent can be stopped"),
        for_all=False, asks=True, steps=True, command=Command("cancel"),
    ),
    Action(
        ORDERS, "retry_failed", N_("Retry those that failed"), N_("%(what)s is retried for those that failed"),
        and_(orders.c.state == OrderState.COMPLETED, _SOME_FAILED), changes.try_failed_again,
        N_("Only an order with an e-mail that failed can be retried for those that failed"),
        for_all=False, asks=True, sends=True,
        command=Command("retry", "Retry an order that was set aside, or its e-mails that failed."),
    ),
    Action(
        ORDERS, "resend_failed",
        N_("Send again to those that failed"), N_("%(what)s is sent again to those that failed"),
        and_(orders.c.state == OrderState.COMPLETED, _MAY_LEAVE, _SOMEBODY_FAILED), copies.to_failed,
        N_("Only an order with recipients that failed can be sent again to them"),
        for_all=False, asks=True, sends=True, copies=True,
        command=Command("send-again", "Make a new order that says the same.", "failed", "To those that failed."),
    ),
    Action(
        ORDERS, "resend", N_("Send again to all"), N_("%(what)s is sent again to all"), _SETTLED, copies.to_all,
        N_("Only an order that has ended can be sent again to all"),
        for_all=False, asks=True, sends=True, copies=True,
        command=Command("send-again", flag="all", says="To all, those who have it included."),
    ),
    Action(
        ORDERS, "reschedule", N_("Reschedule"), N_("%(what)s is rescheduled"), _REGISTERED, changes.reschedule,
        N_("Only an order that waits for its send time can be rescheduled"), takes="time", asks=True,
        command=Command("reschedule", "Give an order that waits another send time."),
    ),
    Action(
        ORDERS, "send_now", N_("Send now"), N_("%(what)s is sent now"),
        and_(or_(_TO_COME, _WAITS_AGAIN), _UNMADE), changes.send_now,
        N_("Only an order that waits for its send time, its condition or its attachments can be sent now"), asks=True,
        command=Command("send-now", "Send an order at once that waits for a later time."),
    ),
    Action(
        ORDERS, "retry", N_("Retry"), N_("%(what)s is retried"), ORDER_SET_ASIDE, changes.process,
        N_("Only an order that was set aside can be retried"),
        command=Command("retry"),
    ),
    Action(
        EMAILS, "retry", N_("Retry"), N_("%(what)s is retried"),
        and_(*changes.FAILED_WITH_ADDRESS, ~OF_SET_ASIDE), changes.try_again,
        N_("Only an e-mail that failed, and has an address, can be retried"), sends=True, doubted=changes.IN_DOUBT,
        command=Command("retry", "Retry an e-mail that failed.\n\nAsks first if it may have arrived."),
    ),
    Action(
        EMAILS, "retry_now", N_("Send now"), N_("%(what)s is sent now"), and_(*_NOT_DUE), changes.make_due,
        N_("Only an e-mail that waits for a later attempt can be sent now"),
        command=Command("send-now", "Send an e-mail at once that waits for a later attempt."),
    ),
    Action(
        EMAILS, "resend", N_("Send again"), N_("%(what)s is sent again"),
        and_(emails.c.state.in_(HANDED_OVER), emails.c.address != "", ~OF_EXPIRED), copies.to_address,
        N_("Only an e-mail that the relay has taken over can be sent again, if its address was not erased"),
        for_all=False, asks=True, sends=True, copies=True,
        command=Command(
            "send-again",
            "Send an e-mail again, to the same address.\n\n"
            "The relay has taken over the first one, so this makes a new order, to this address alone.",
        ),
    ),
    Action(
        DELIVERIES, "retry", N_("Replay"), N_("%(what)s is replayed"),
        or_(DELIVERY_DEAD, deliveries.c.state == DeliveryState.UNAUTHORIZED), changes.replay,
        N_("Only a delivery that was given up can be replayed"),
        command=Command("replay", "Replay a delivery that was given up."),
    ),
    Action(
        DELIVERIES, "retry_now", N_("Send now"), N_("%(what)s is sent now"),
        and_(deliveries.c.state == DeliveryState.WAITING, deliveries.c.due_at > Now()), changes.push_now,
        N_("Only a delivery that waits for a later attempt can be sent now"),
        command=Command("send-now", "Send a delivery at once that waits for a later attempt."),
    ),
]  # fmt: skip

# What another pause covers as well stays paused. A domain's pause is not seen here where the address spells the domain
# in another way: what is released in vain is paused again by the next claim.
_BY_THIS = exists().where(pauses.c.kind + ":" + pauses.c.value == emails.c.paused_by)
_OF_CREATOR = exists().where(pauses.c.kind == CREATOR, pauses.c.value == orders.c.creator)
_ITS_ORDERS = select(orders.c.seq).where(orders.c.seq == emails.c.order_seq, _OF_CREATOR.correlate(orders))
_END = func.substr(func.lower(emails.c.address), func.length(emails.c.address) - func.length(pauses.c.value))
_TO_DOMAIN = exists().where(pauses.c.kind == DOMAIN, "@" + pauses.c.value == _END)
_PAUSED = N_("Only what is paused, and by no other pause, can be released")
RELEASES = [
    Action(
        ORDERS, "release", N_("Release"), N_("%(what)s is released"),
        and_(orders.c.paused_by.is_not(None), ~_OF_CREATOR), changes.release_orders, _PAUSED,
    ),
    Action(
        EMAILS, "release", N_("Release"), N_("%(what)s is released"),
        and_(emails.c.paused_by.is_not(None), ~_BY_THIS, ~_ITS_ORDERS.exists(), ~_TO_DOMAIN), changes.make_due, _PAUSED,
    ),
]  # fmt: skip


def find(resource: str, name: str) -> Action:
    """An action by the names of its resource and its own; NotFound."""
    for action in ACTIONS + RELEASES:
        if (action.resource.name, action.name) == (resource, name):
            return action
    raise NotFound(_("There is no action %(name)s on %(resource)s.", name=name, resource=resource))


def possible(connection: Connection, resource: Resource, key: UUID | int) -> list[Action]:
    """What can be done to this row as it is now."""
    mine = [action for action in ACTIONS if action.resource is resource]
    if not mine:
        return []
    applies = (action.applies.label(f"n{place}") for place, action in enumerate(mine))
    doubted = (action.doubted.label(f"d{place}") for place, action in enumerate(mine))
    row = connection.execute(select(*applies, *doubted).where(resource.key == key)).one_or_none()
    told = row or ()
    found = zip(mine, told[: len(mine)], told[len(mine) :], strict=False)
    return [replace(action, asks=action.asks or bool(doubt)) for action, applies, doubt in found if applies]


def perform(  # noqa: PLR0913, PLR0917 what is done, by whom, to what
    connection: Connection,
    who: str,
    action: Action,
    key: UUID | int,
    argument: str | None = None,
    terms: Terms = ANY,
) -> UUID | None:
    """Do it to one row; returns the order that it created, which is held to the `terms`.

    NotFound, Conflict when it does not apply or was done a moment ago, Invalid for a wrong argument; see copies.hold.
    """
    argument = check(connection, action, argument)
    done = act(connection, action, [key], argument)
    if not done.keys:
        raise refusal(connection, action.resource, key, action.conflict)
    if action.sends and _sent_lately(connection, action, key):
        raise Conflict(_("It was sent again less than a minute ago; to do so once more, wait a minute."))
    created = next(iter(done.created), None)
    if created is not None:
        copies.hold(connection, terms, created)
    detail = ({} if argument is None else {"to": argument}) | ({} if created is None else {"order": str(created)})
    note(connection, who, action.audited, f"{action.resource.name}/{key}", detail)
    return created


class Done(NamedTuple):
    """The keys of the rows that something was done to, and the orders that it created."""

    keys: list[UUID | int]
    seqs: list[int]  # of the same rows
    created: Sequence[UUID] = ()


def act(connection: Connection, action: Action, keys: Sequence[UUID | int], argument: str | None) -> Done:
    """Do it to those of the rows that it applies to."""
    locks.owners(connection, action.resource, keys, counts=action.steps)
    seq = action.resource.table.c.seq
    chosen = select(seq, action.resource.key.label("key")).where(action.resource.key.in_(keys), action.applies)
    rows = connection.execute(chosen.order_by(seq).with_for_update(key_share=True)).all()
    seqs = [row.seq for row in rows]
    created = action.apply(connection, seqs, argument) if rows else None
    return Done([row.key for row in rows], seqs, created or ())


def check(connection: Connection, action: Action, argument: str | None) -> str | None:
    """The argument as it is stored: a time with its offset, or none; Invalid for anything else."""
    if action.takes == "time":
        return changes.checked_time(argument, now(connection))
    if argument is not None:
        raise Invalid({"argument": [_("%(action)s takes none.", action=_(action.label))]})
    return None


def _sent_lately(connection: Connection, action: Action, key: UUID | int) -> bool:
    """Whether it was sent again a moment ago: by a second click, another button, or a second operator.

    What failed may be tried again as often as it fails. Locks the order, so that one of two callers sees the other.
    """
    order = select(orders.c.id, orders.c.seq).where(orders.c.id == key)
    if action.resource is EMAILS:
        order = select(orders.c.id, orders.c.seq).join(emails).where(emails.c.id == key)
    its = connection.execute(order.with_for_update(of=orders, key_share=True)).one()
    alike = [other.audited for other in ACTIONS if other.copies or (other.sends and action.copies)]
    lines = select(audit_log.c.target).where(audit_log.c.action.in_(alike), audit_log.c.at > after(-FOLDED))
    recent = set(connection.scalars(lines))
    if recent & {f"orders/{its.id}", f"{action.resource.name}/{key}"}:
        return True
    ones = [uuid(name) for resource, _, name in (target.partition("/") for target in recent) if resource == EMAILS.name]
    of_order = (emails.c.order_seq == its.seq, emails.c.id.in_(ones))
    return action.resource is ORDERS and connection.execute(select(emails.c.seq).where(*of_order)).first() is not None
