"""What is asked before an action that cannot be undone: what will happen, in numbers.

The console shows it on a page of its own, the command line before it goes on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from sqlalchemy import false, func, select, true

from engine.admin import actions, changes, jobs, stopping, words
from engine.admin.amounts import Amount, listed, some, span
from engine.admin.counts import COUNTED, counted
from engine.admin.holding import Stopped, stopped_by, told, unheard_of
from engine.admin.lanes import lanes
from engine.admin.leaving import leaving
from engine.admin.lists import batch, counts
from engine.admin.obstacles import refusal
from engine.admin.paused import told as who_paused
from engine.admin.pausing import (
    all_of,
    checked,
    going_subscription,
    not_paused,
    paused,
    paused_lanes,
    paused_subscription,
)
from engine.admin.reach import LOOKED_AT
from engine.admin.repeats import ASKED, doubt, recipients
from engine.admin.resources import EMAILS, ORDERS
from engine.admin.rows import ROWS
from engine.admin.sentences import thing
from engine.admin.subscriptions import pause_of
from engine.admin.verbs import match
from engine.db.bounded import read_within, weight
from engine.db.dialects import Now, after
from engine.db.tables import deliveries, emails, history, orders, pauses
from engine.errors import Conflict
from engine.models import EXPIRY_HOURS
from engine.observability.audit import ITSELF
from engine.queue.epoch import WHO, older
from engine.queue.pauses import LANE, in_force
from engine.text.language import N_, _, ngettext
from engine.text.language import number as written

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from uuid import UUID

    from sqlalchemy import Connection, Row

    from engine.admin.actions import Action

ADDED_UP = 1_000  # orders whose recipients are counted: their lists are long
LISTS = 8_000_000  # bytes of these lists; beyond, the number of orders is enough
SAMPLE = 5  # rows that are shown of all that match
LATELY = timedelta(minutes=10)  # of which the rate is told
_NOT_ALL = N_("Not all were looked at: some may have arrived already, and come a second time.")
_ONE_DOUBT = N_("It is in doubt whether it arrived: it may come a second time.")


@dataclass(frozen=True, slots=True)
class Question:
    """What is to be done, and what that means; `at` and `before`: the new send time and the present one."""

    title: str
    lines: tuple[str, ...] = ()
    at: datetime | None = None
    before: datetime | None = None
    sample: tuple[Mapping[str, object], ...] = ()  # some of the rows, as lists have them
    warning: str | None = None  # what is probably not meant


def of_one(connection: Connection, action: Action, key: UUID | int, argument: str | None = None) -> Question:
    """Before an action on one row; NotFound, Conflict when it does not apply, Invalid."""
    actions.check(connection, action, argument)
    chosen = select(action.resource.table).where(action.resource.key == key, action.applies)
    row = connection.execute(chosen).one_or_none()
    if row is None:
        raise refusal(connection, action.resource, key, action.conflict)
    if asked := ASKED.get(action.audited):
        return Question(*asked(connection, row))
    match action.audited:
        case "orders.cancel":
            return Question(
                _("Cancel this order to %(recipients)s?", recipients=_to(connection, row)),
                (_("Nobody gets it. This cannot be undone: its sender is told, and would have to post it again."),),
                before=row.requested_send_time,
            )
        case "orders.withdraw":
            title, meaning = stopping.question(connection, row)
            return Question(title, (meaning,))
        case "orders.reschedule":
            at = changes.send_time(argument)
            title = _("Send this order to %(recipients)s at another time?", recipients=_to(connection, row))
            return Question(title, at=at, before=row.requested_send_time)
        case "orders.send_now":
            title = _("Send this order to %(recipients)s now?", recipients=_to(connection, row))
            return Question(title, (_("What is sent cannot be called back."),), before=row.requested_send_time)
        case "emails.resend":
            line = _(
                "The relay has taken the first one over already. A new order says the same, to this address alone."
            )
            return Question(_("Send again to %(address)s?", address=row.address), (line,))
        case "emails.retry":
            in_doubt = connection.scalar(select(action.doubted).where(emails.c.seq == row.seq))
            title = _("Retry to send to %(address)s?", address=row.address)
            return Question(title, (_(_ONE_DOUBT),) if in_doubt else ())
    return Question(_("%(action)s?", action=_(action.label)))


def of_all(
    connection: Connection, action: Action, given: Mapping[str, str], argument: str | None = None
) -> tuple[jobs.Asked, Question]:
    """How many of the rows that match an action applies to, up to jobs.COUNTED, and what is asked before it is done.

    Invalid; BadRequest for an action on one row at a time.
    """
    actions.check(connection, action, argument)
    asked = jobs.matching(connection, action, given, for_question=True)
    if not asked.number:
        return asked, Question(_("%(action)s: none", action=_(action.label)), _none(connection, action, given))
    at = changes.send_time(argument) if action.takes else None
    question = Question(f"{_(action.label)}: {asked.amount.of(action.resource.name)}", at=at)
    if action.resource is ORDERS and 0 < asked.number <= ADDED_UP:
        number = _all_recipients(connection, action, given)
        lines = (_("To %(recipients)s.", recipients=some(number, "recipients")),) if number else ()
        return asked, replace(question, lines=lines)
    if action.resource is EMAILS and action.name == "retry":
        doubted = doubt(asked.in_doubt) if not asked.amount.more else (_(_NOT_ALL),)
        question = replace(question, lines=(*doubted, *_rate(connection, asked.amount)))
    keys, _position = batch(connection, action.resource, given, action.applies, None, SAMPLE)
    return asked, replace(question, sample=tuple(ROWS[action.resource.name](connection, keys)))


def _none(connection: Connection, action: Action, given: Mapping[str, str]) -> tuple[str, ...]:
    """Why an action applies to none of the rows that match: what the first of them says; empty: none matches."""
    keys, _position = batch(connection, action.resource, given, true(), None, 1)
    if not keys:
        return ()
    number, _doubted = counts(connection, action.resource, given, true(), false(), jobs.ROWS)
    found = match(Amount(number), action.resource.name)
    if number >= jobs.ROWS:
        found = _("%(count)s or more match", count=jobs.ROWS)
    why = refusal(connection, action.resource, keys[0], action.conflict)
    return (_("%(found)s; this can be done to none of them. Of the first: %(why)s", found=found, why=why),)


def _rate(connection: Connection, amount: Amount) -> tuple[str, ...]:
    """How quickly so many e-mails were sent lately; empty: none were."""
    its = (history.c.series == "emails.accepted", history.c.minute >= after(-LATELY))
    sent = int(connection.scalar(select(func.sum(history.c.count)).where(*its)) or 0)
    if not sent:
        return ()
    minutes = LATELY / timedelta(minutes=1)
    takes = span(max(60.0, amount.number * 60 * minutes / sent))
    text = ngettext(
        "%(num)s e-mail a minute was sent in the last %(minutes)s minutes: that is about %(span)s for %(emails)s.",
        "%(num)s e-mails a minute were sent in the last %(minutes)s minutes: that is about %(span)s for %(emails)s.",
        max(1, round(sent / minutes)),
        minutes=round(minutes),
        span=takes,
        emails=some(amount.number, "emails"),
    )
    return (text,)


def of_subscription_pause(connection: Connection, seq: int) -> Question:
    """Before a subscription is paused; NotFound, Conflict when it is paused already."""
    its_own = going_subscription(connection, seq)
    now, later = ({"webhooks": amount} for amount in _waiting(connection, seq))
    title = _("Pause pushing to %(endpoint)s?", endpoint=its_own.endpoint)
    return Question(title, told(Stopped({}, now, later, whole=True)))


def _waiting(connection: Connection, seq: int) -> tuple[Amount, Amount]:
    """How many deliveries of a subscription are due, and how many will be later."""
    its, due_at = deliveries.c.subscription_seq == seq, deliveries.c.due_at
    due, later = (counted(connection, deliveries, its, when) for when in (due_at <= Now(), due_at > Now()))
    return Amount(due, more=due >= COUNTED), Amount(later, more=later >= COUNTED)


def of_subscription(connection: Connection, seq: int) -> Question:
    """Before a paused subscription is resumed; NotFound, Conflict when it is not paused."""
    its_own, begun = paused_subscription(connection, seq), pause_of(connection, seq)
    due, later = (amount.of("webhooks") for amount in _waiting(connection, seq))
    if "webhooks" in in_force(connection).lanes:
        first = _("Nothing goes out while all webhooks are paused: %(what)s wait.", what=due)
    else:
        first = _("Goes out at once: %(what)s.", what=due)
    title = _("Resume pushing to %(endpoint)s?", endpoint=its_own.endpoint)
    why = [words.of_reason(its_own.paused_reason or "")]
    if begun["paused_at"]:
        who = "Varsel" if begun["paused_by"] == ITSELF else begun["paused_by"]
        time = f"{begun['paused_at']:%Y-%m-%d %H:%M:%S} UTC"
        why.append(_("It has been paused since %(time)s, by %(who)s.", time=time, who=who))
    if begun["paused_until"]:
        time = f"{begun['paused_until']:%Y-%m-%d %H:%M} UTC"
        why.append(_("The pause ends by itself at %(time)s.", time=time))
    return Question(title, (*why, first, _("Later, when their next attempts are due: %(what)s.", what=later)))


def of_drain(connection: Connection, chosen: Collection[str]) -> Question:
    """Before lanes are paused together; Invalid."""
    for lane in chosen:
        checked(LANE, lane)
    found = lanes(connection, *chosen)
    busy = [lane.amount("in_flight").of(lane.name) for lane in found if lane.in_flight]
    left = [amount.of(lane.name) for lane in found if (amount := lane.left).number]
    left.append(_("what comes in meanwhile"))
    return Question(
        _("Pause %(what)s?", what=_lanes(chosen)),
        (
            _("In flight, and ended first: %(what)s.", what=", ".join(busy)) if busy else _("Nothing is in flight."),
            _("Not done until each lane is resumed: %(what)s.", what=", ".join(left)),
            _("The %(hours)s hours in which an e-mail may be sent run on meanwhile.", hours=EXPIRY_HOURS),
        ),
    )


def of_pause(connection: Connection, kind: str, value: str) -> Question:
    """Before something is paused; Invalid, Conflict when it is paused already."""
    value = not_paused(connection, kind, value)
    expiry = _("The %(hours)s hours in which an e-mail may be sent run on meanwhile.", hours=EXPIRY_HOURS)
    lines = (*told(stopped_by(connection, kind, value)), expiry)
    title = _("Pause %(what)s?", what=thing(kind, value))
    return Question(title, lines, warning=unheard_of(connection, kind, value))


def of_resume(connection: Connection, kind: str, value: str) -> Question:
    """Before a pause ends; Invalid, Conflict when there is no such pause."""
    value = paused(connection, kind, value)
    title = _("Resume %(what)s?", what=thing(kind, value))
    return Question(title, (*_paused(connection, kind, [value]), *_goes_out(leaving(connection, kind, [value]))))


def of_resume_all(connection: Connection) -> Question:
    """Before all paused lanes are resumed; Conflict when none is paused."""
    chosen = paused_lanes(connection)
    title = _("Resume %(what)s?", what=_lanes(chosen))
    return Question(title, (*_paused(connection, LANE, chosen), *_goes_out(leaving(connection, LANE, chosen))))


def of_restored(connection: Connection) -> Question:
    """Before the lanes of a database that is older than it was are resumed; Conflict when it is not older."""
    if older(connection) is None:
        raise Conflict(_("The database is not older than it was: nothing is paused for that."))
    its = select(pauses.c.value).where(pauses.c.kind == LANE, pauses.c.who == WHO)
    chosen = connection.scalars(its).all()
    leave, again = leaving(connection, LANE, chosen), leaving(connection, LANE, chosen, again=True)
    twice = listed(again) or _("nothing")
    line = _("Of that, perhaps done before the restore, and then done a second time: %(what)s.", what=twice)
    return Question(
        _("Resume the lanes, although the database is older than it was?"),
        (*_goes_out(leave), *([line] if listed(leave) else [])),
    )


def _lanes(chosen: Collection[str]) -> str:
    return ", ".join(thing(LANE, lane) for lane in chosen)


def _paused(connection: Connection, kind: str, values: Collection[str]) -> list[str]:
    """Who has paused these, since when, until when, and why."""
    return [
        f"{who_paused(pause)}." for pause in all_of(connection) if pause["kind"] == kind and pause["value"] in values
    ]


def _goes_out(leave: Mapping[str, Amount]) -> tuple[str, ...]:
    """What goes out at once of what was paused, by lane."""
    if found := listed(leave):
        return (_("Goes out at once: %(what)s.", what=found),)
    if any(each.more for each in leave.values()):
        return (_("Nothing of the %(count)s that come next goes out at once.", count=written(LOOKED_AT)),)
    return (_("Nothing goes out at once."),)


def _to(connection: Connection, order: Row[object]) -> str:
    return some(recipients(connection, order), "recipients")


def _all_recipients(connection: Connection, action: Action, given: Mapping[str, str]) -> int | None:
    """How many there are; None: their lists are longer than LISTS."""
    keys, _position = batch(connection, ORDERS, given, action.applies, None, ADDED_UP)
    lists = select(orders.c.seq, orders.c.streamed, orders.c.recipients).where(orders.c.id.in_(keys))
    rows, whole = read_within(connection, lists, LISTS, lambda row: weight(row.recipients))
    return sum(recipients(connection, row) for row in rows) if whole else None
