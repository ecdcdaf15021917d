"""What actions do to the rows that they apply to, which are locked. Each takes their numbers, and the argument."""

from __future__ import annotations

from collections import Counter, defaultdict
from datetime import UTC
from typing import TYPE_CHECKING

from sqlalchemy import and_, case, delete, func, select, update

from engine.admin.filters import EMAIL_ERRORS, had_attempt, typed
from engine.admin.obstacles import LACKS_FILES, OF_EXPIRED
from engine.db.dialects import Now, after, now
from engine.db.records import OrderName, columns, read
from engine.db.tables import EMAIL_FAILED, deliveries, email_attempts, emails, orders
from engine.errors import Invalid, NotFound
from engine.events import completing, tallies
from engine.events.fan_out import wake
from engine.events.status import order_event
from engine.events.storing import persist
from engine.models import EXPIRY, DeliveryState, EmailState, OrderState
from engine.orders.new_order import TOO_FAR
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection, Table

FAILED_WITH_ADDRESS = (EMAIL_FAILED, emails.c.address != "", ~LACKS_FILES, ~OF_EXPIRED)  # what can be retried
IN_DOUBT = had_attempt(email_attempts, email_attempts.c.email_seq, emails.c.seq, EMAIL_ERRORS["in_doubt"])


def cancel(connection: Connection, seqs: Sequence[int], _argument: str | None) -> None:
    """Nothing is sent, and the sender is told."""
    ended = {"portion": None, "due_at": None, "paused_by": None, "last_update": Now()}
    _update(connection, orders, seqs, state=OrderState.CANCELLED, **ended)
    names = select(*columns(OrderName, orders.c)).where(orders.c.seq.in_(seqs)).order_by(orders.c.seq)
    at = now(connection)
    cancelled = read(OrderName, connection.execute(names))
    persist(connection, [order_event(order, OrderState.CANCELLED, at) for order in cancelled])


def reschedule(connection: Connection, seqs: Sequence[int], argument: str | None) -> None:
    """Another send time."""
    at = send_time(argument)
    _update(connection, orders, seqs, requested_send_time=at, due_at=at, paused_by=None, last_update=Now())


def send_now(connection: Connection, seqs: Sequence[int], _argument: str | None) -> None:
    """What waits for its send time is due; what waits for another attempt is attempted."""
    its = select(orders.c.seq).where(orders.c.seq.in_(seqs), orders.c.state == OrderState.REGISTERED)
    to_come = connection.scalars(its).all()
    due = {"requested_send_time": Now(), "due_at": Now(), "paused_by": None}
    _update(connection, orders, to_come, **due, last_update=Now())
    process(connection, [seq for seq in seqs if seq not in to_come], None)


def process(connection: Connection, seqs: Sequence[int], _argument: str | None) -> None:
    """An order that was set aside begins anew, without its errors, answers, and the failed e-mails that told of it.

    An order that waits to ask its condition again keeps the first answer; it has no e-mails. One whose e-mails are made
    in portions goes on with the next: those before have been sent.
    """
    whole = select(orders.c.seq).where(orders.c.seq.in_(seqs), orders.c.portion.is_(None))
    connection.execute(delete(emails).where(emails.c.order_seq.in_(whole)))
    tallies.forget(connection, whole)
    begins_anew = orders.c.state == OrderState.SET_ASIDE
    attempts = case((begins_anew, 0), else_=orders.c.attempts)
    answer = case((begins_anew, None), else_=orders.c.condition_answer)
    files = case((orders.c.portion.is_(None), func.nullif(orders.c.attachments, 0)))  # its condition comes first
    fetches = case((begins_anew, case((orders.c.condition_endpoint.is_(None), files))), else_=orders.c.fetches)
    again = {"attempts": attempts, "condition_answer": answer, "fetches": fetches, "due_at": Now(), "unresolved": 0}
    _update(connection, orders, seqs, state=OrderState.REGISTERED, **again, last_update=Now())


def try_failed_again(connection: Connection, seqs: Sequence[int], _argument: str | None) -> None:
    """Of these orders, the e-mails that failed; what was handed over stays as it is."""
    _open_again(connection, and_(emails.c.order_seq.in_(seqs), *FAILED_WITH_ADDRESS), seqs)


def try_again(connection: Connection, seqs: Sequence[int], _argument: str | None) -> None:
    """A new series of attempts; the earlier ones stay in the log."""
    which = emails.c.seq.in_(seqs)
    _open_again(connection, which, set(connection.scalars(select(emails.c.order_seq).where(which))))


def make_due(connection: Connection, seqs: Sequence[int], _argument: str | None) -> None:
    """The next attempt is now."""
    _update(connection, emails, seqs, due_at=Now(), paused_by=None)


def replay(connection: Connection, seqs: Sequence[int], _argument: str | None) -> None:
    """A new series of attempts; the earlier ones stay in the log."""
    _update(connection, deliveries, seqs, state=DeliveryState.WAITING, due_at=Now(), attempts=0, last_update=Now())
    _wake(connection, seqs)


def push_now(connection: Connection, seqs: Sequence[int], _argument: str | None) -> None:
    """The next attempt is now, as soon as the subscription is free."""
    _update(connection, deliveries, seqs, due_at=Now())
    _wake(connection, seqs)


def release_orders(connection: Connection, seqs: Sequence[int], _argument: str | None) -> None:
    """Due again at their send times."""
    _update(connection, orders, seqs, due_at=orders.c.requested_send_time, paused_by=None)


def send_time(argument: str | None) -> datetime:
    """The time that was asked for, RFC 3339 (UTC where no offset stands); ValueError."""
    try:
        return typed(argument or "", UTC).astimezone(UTC)
    except (ValueError, OverflowError):
        msg = _("A time such as 2026-05-01T12:00:00+02:00.")
        raise ValueError(msg) from None


def present_time(connection: Connection, order: UUID) -> datetime:
    """The send time that an order has; NotFound."""
    found: datetime | None = connection.scalar(select(orders.c.requested_send_time).where(orders.c.id == order))
    if found is None:
        raise NotFound(_("There is no order %(key)s.", key=order))
    return found


def checked_time(argument: str | None, earliest: datetime) -> str:
    """A send time as it is stored, with its offset; Invalid when nothing can be sent then."""
    if argument == "now":
        raise Invalid({"time": [_("Send now is an action of its own: `varsel orders send-now`.")]})
    try:
        at = send_time(argument)
    except ValueError as error:
        raise Invalid({"time": [str(error)]}) from None
    if at < earliest:
        raise Invalid({"time": [_("The send time is past. Choose a later one, or Send now.")]})
    if at >= TOO_FAR:
        raise Invalid({"time": [_("The send time is too far away: before the year %(year)s.", year=TOO_FAR.year)]})
    return at.isoformat()


def _open_again(connection: Connection, which: ColumnElement[bool], of: Collection[int]) -> None:
    """E-mails of these orders are tried anew; an order that was completed is open again until they are settled."""
    # Locked first, as by whoever settles an order's last e-mail: the second of the two must see what the first did.
    connection.execute(completing.rows(of))
    its_own = select(orders.c.expires_at).where(orders.c.seq == emails.c.order_seq).scalar_subquery()
    fresh = {"state": EmailState.NEW, "due_at": Now(), "attempts": 0, "unresolved": 0, "last_update": Now()}
    ended = select(emails.c.order_seq, emails.c.state, func.count()).where(which)
    moved: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for seq, state, count in connection.execute(ended.group_by(emails.c.order_seq, emails.c.state)):
        moved[seq].update({state: -count, tallies.OPEN: count})
    tallies.move(connection, moved)
    connection.execute(update(emails).where(which).values(**fresh, expires_at=func.coalesce(its_own, after(EXPIRY))))
    done = update(orders).where(orders.c.seq.in_(of), orders.c.state == OrderState.COMPLETED)
    connection.execute(done.values(state=OrderState.PROCESSED, last_update=Now()))


def _update(  # type: ignore[explicit-any]  # SQLAlchemy's Table has one inside
    connection: Connection, table: Table, seqs: Sequence[int], **values: object
) -> None:
    if "due_at" in values:  # the next claim gives it a rank, when the row is due, and finds out whom it waits for
        values |= {name: None for name in ("rank", "waits_for") if name in table.c}
    connection.execute(update(table).where(table.c.seq.in_(seqs)).values(values))


def _wake(connection: Connection, seqs: Sequence[int]) -> None:
    """Make the subscriptions of these deliveries due."""
    its = select(deliveries.c.subscription_seq).where(deliveries.c.seq.in_(seqs))
    wake(connection, set(connection.scalars(its)))
