"""Pausing and resuming: a lane, a creator, a recipients' domain, a subscription. See engine/queue/pauses.py."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, func, or_, select, update

from engine.admin import lanes as figures
from engine.admin.jobs import release
from engine.admin.sentences import thing
from engine.admin.subscriptions import BY_OPERATOR, UNENDING, pause_of
from engine.admin.words import of_reason
from engine.db.dialects import Now, insert_new, now
from engine.db.records import columns, first
from engine.db.tables import pauses, subscriptions
from engine.errors import Conflict, Invalid, NotFound
from engine.events.fan_out import lock
from engine.observability.audit import ITSELF, note
from engine.queue import due
from engine.queue.epoch import go_on, lane_goes_on
from engine.queue.pauses import CREATOR, DOMAIN, KINDS, LANE, in_force
from engine.subscriptions import registry
from engine.subscriptions.shown import KeptSubscription
from engine.text.addresses import compared
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime

    from sqlalchemy import Connection

LANES = tuple(lane.name for lane in (due.ORDERS, due.EMAILS, due.FAN_OUTS, due.WEBHOOKS))
LONGEST = 200  # characters of a reason
_OVER, _SUBSCRIPTION_OVER = pauses.c.ends <= Now(), subscriptions.c.paused_until <= Now()
_SEQ = subscriptions.c.seq
_DOMAIN = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]+(\.[a-z0-9_-]+)+")


def pause(  # noqa: PLR0913, PLR0917 a pause has so many parts
    connection: Connection, who: str, kind: str, value: str, reason: str = "", ends: datetime | None = None
) -> str:
    """Pause it, until `ends` or until somebody resumes it; returns what is paused, in words.

    Invalid, Conflict when it is paused already.
    """
    value = checked(kind, value)
    if not _begin(connection, who, kind, value, reason, ends):
        raise Conflict(_("Paused already: %(what)s.", what=thing(kind, value)))
    return thing(kind, value)


def some_over(connection: Connection) -> bool:
    """Whether there is a pause whose time is over, also of a subscription."""
    either = or_(select(pauses.c.kind).where(_OVER).exists(), select(_SEQ).where(_SUBSCRIPTION_OVER).exists())
    return bool(connection.scalar(select(either)))


def end_over(connection: Connection) -> None:
    """End the pauses whose time is over, as `resume` does, on behalf of Varsel itself."""
    _end_of_subscriptions(connection)
    over = connection.execute(delete(pauses).where(_OVER).returning(pauses)).all()
    for row in sorted(over, key=lambda row: row.ends):
        of = {"by": row.who, "at": row.at.isoformat(timespec="milliseconds")}
        note(connection, ITSELF, "pause-over", f"{row.kind}/{row.value}", of)
    if any(row.kind == LANE for row in over):
        lane_goes_on(connection)
    if any(row.kind != LANE for row in over):
        release(connection, ITSELF)


def _end_of_subscriptions(connection: Connection) -> None:
    """Likewise of subscriptions, if an operator's pause is still there.

    An older program leaves the end when it resumes, pauses for a consumer, or removes: then the end alone goes.
    """
    seqs = set(connection.scalars(select(_SEQ).where(_SUBSCRIPTION_OVER)))
    if not seqs:
        return
    connection.execute(lock(seqs))
    its = (_SEQ.in_(seqs), _SUBSCRIPTION_OVER)
    by_operator = subscriptions.c.paused_reason.startswith(BY_OPERATOR)
    over = select(_SEQ, subscriptions.c.paused_at).where(*its, by_operator).order_by(_SEQ)
    for row in connection.execute(over).all():
        begun = pause_of(connection, row.seq)
        registry.go_on(connection, row.seq)
        of = {"by": begun["paused_by"], "at": row.paused_at.isoformat(timespec="milliseconds")}
        note(connection, ITSELF, "pause-over", f"subscriptions/{row.seq}", of)
    connection.execute(update(subscriptions).where(*its).values(paused_at=None, paused_until=None))


def resume(connection: Connection, who: str, kind: str, value: str) -> None:
    """End a pause. A lane goes on at once; rows of a creator or domain become due again in the background.

    Invalid for a bad value, Conflict when it is not paused.
    """
    value = paused(connection, kind, value)
    connection.execute(delete(pauses).where(pauses.c.kind == kind, pauses.c.value == value))
    note(connection, who, "resume", f"{kind}/{value}")
    if kind == LANE:
        lane_goes_on(connection)
    else:
        release(connection, who)


def paused(connection: Connection, kind: str, value: str) -> str:
    """The value of a pause, as it is stored; Invalid, Conflict when there is no such pause."""
    value = checked(kind, value)
    chosen = select(pauses.c.at).where(pauses.c.kind == kind, pauses.c.value == value)
    if connection.execute(chosen.with_for_update()).first() is None:
        raise Conflict(_("Not paused: %(what)s.", what=thing(kind, value)))
    return value


def all_of(connection: Connection) -> list[dict[str, object]]:
    """What is paused but for subscriptions, the oldest first."""
    return [dict(row) for row in connection.execute(select(pauses).order_by(pauses.c.at)).mappings()]


def unending(connection: Connection) -> timedelta:
    """For how long the oldest pause of operators without an end has been there; zero when there is none."""
    oldest = connection.scalar(select(func.min(pauses.c.at)).where(pauses.c.ends.is_(None)))
    of_subscriptions = connection.scalar(select(func.min(subscriptions.c.paused_at)).where(*UNENDING))
    found = [at for at in (oldest, of_subscriptions) if at]
    return now(connection) - min(found) if found else timedelta(0)


def not_paused(connection: Connection, kind: str, value: str) -> str:
    """The value of a pause that is to be made, as it is stored; Invalid, Conflict when there is such a pause."""
    value = checked(kind, value)
    if connection.execute(select(pauses.c.at).where(pauses.c.kind == kind, pauses.c.value == value)).first():
        raise Conflict(_("Paused already: %(what)s.", what=thing(kind, value)))
    return value


def resume_all(connection: Connection, who: str) -> None:
    """Resume all lanes that are paused; Conflict when none is."""
    for lane in paused_lanes(connection):
        resume(connection, who, LANE, lane)


def paused_lanes(connection: Connection) -> list[str]:
    """The lanes that are paused; Conflict when none is."""
    found = in_force(connection).lanes
    if not found:
        raise Conflict(_("No lane is paused."))
    return [lane for lane in LANES if lane in found]


def go_on_restored(connection: Connection, who: str) -> str:
    """Resume the lanes that were paused because the database is older than it was; returns what to say of it.

    Conflict when it is not.
    """
    if not go_on(connection, who):
        raise Conflict(_("The database is not older than it was: nothing is paused for that."))
    left = in_force(connection).lanes
    others = ", ".join(thing(LANE, lane) for lane in LANES if lane in left)
    if others:
        return _("The lanes are resumed, except %(what)s, which other pauses stop.", what=others)
    return _("All lanes are resumed.")


def drain(connection: Connection, who: str, lanes: Collection[str], reason: str = "") -> None:
    """Pause those of the lanes that are not paused; they are drained when `in_flight` is 0. Invalid."""
    for lane in lanes:
        _begin(connection, who, LANE, checked(LANE, lane), reason or "to drain")


def pause_subscription(
    connection: Connection, who: str, seq: int, reason: str = "", ends: datetime | None = None
) -> None:
    """Push nothing more to it, until `ends` or until somebody resumes it; what matches meanwhile waits.

    NotFound, Invalid, Conflict when it is paused already.
    """
    connection.execute(lock({seq}))
    going_subscription(connection, seq)
    text = _reason(reason)
    registry.stop(connection, seq, f"{BY_OPERATOR}{': ' + text if text else '.'}", ends)
    note(connection, who, "pause", f"subscriptions/{seq}", _detail(text, ends))


def resume_subscription(connection: Connection, who: str, seq: int) -> None:
    """Push what waits, and go on; NotFound, Conflict when it is not paused."""
    connection.execute(lock({seq}))
    paused_subscription(connection, seq)
    registry.go_on(connection, seq)
    note(connection, who, "resume", f"subscriptions/{seq}")


def going_subscription(connection: Connection, seq: int) -> KeptSubscription:
    """A subscription that is not paused; NotFound, Conflict when it is."""
    found = _subscription(connection, seq)
    if before := found.paused_reason:
        raise Conflict(_("The subscription %(seq)s is paused already: %(reason)s", seq=seq, reason=of_reason(before)))
    return found


def paused_subscription(connection: Connection, seq: int) -> KeptSubscription:
    """A subscription that is paused; NotFound, Conflict when it is not."""
    found = _subscription(connection, seq)
    if found.paused_reason is None:
        raise Conflict(_("The subscription %(seq)s is not paused.", seq=seq))
    return found


def in_flight(connection: Connection, lanes: Collection[str]) -> int:
    """How many rows of these lanes are in flight: 0 when they are drained. In a paused lane, the number only falls."""
    of_rows = {lane.name: lane for lane in (due.ORDERS, due.EMAILS)}
    busy = {lane.name: lane.in_flight for lane in figures.lanes(connection)}
    busy |= {name: figures.in_flight(connection, lane) for name, lane in of_rows.items()}
    return sum(busy[name] for name in lanes)


def _begin(  # noqa: PLR0913, PLR0917 likewise
    connection: Connection, who: str, kind: str, value: str, reason: str, ends: datetime | None = None
) -> bool:
    """Pause what is not paused yet; False: it is paused already. Invalid."""
    reason = _reason(reason)
    line = {"kind": kind, "value": value, "at": Now(), "who": who, "reason": reason, "ends": ends}
    begun = insert_new(connection.dialect.name, pauses).values(line).returning(pauses.c.at)
    if connection.execute(begun).first() is None:
        return False
    note(connection, who, "pause", f"{kind}/{value}", _detail(reason, ends))
    return True


def _detail(reason: str, ends: datetime | None) -> dict[str, object]:
    """What the audit log says of a pause."""
    until: dict[str, object] = {} if ends is None else {"until": ends.isoformat(timespec="milliseconds")}
    return ({"reason": reason} if reason else {}) | until


def _subscription(connection: Connection, seq: int) -> KeptSubscription:
    chosen = select(*columns(KeptSubscription, subscriptions.c)).where(subscriptions.c.seq == seq, registry.KEPT)
    found = first(KeptSubscription, connection.execute(chosen))
    if found is None:
        raise NotFound(_("There is no subscription %(key)s.", key=seq))
    return found


def checked(kind: str, value: str) -> str:
    """The value as it is stored; Invalid."""
    if kind not in KINDS:
        raise Invalid({"kind": [_("One of %(names)s.", names=", ".join(KINDS))]})
    value = value.strip()
    if kind == LANE and value not in LANES:
        raise Invalid({"value": [_("The lanes are %(lanes)s.", lanes=", ".join(LANES))]})
    if kind == DOMAIN:
        value = compared(value.removeprefix("@"))
        if not _DOMAIN.fullmatch(value):
            raise Invalid({"value": [_("A recipients' domain, such as example.no.")]})
    if kind == CREATOR and not (0 < len(value) <= 100 and value.isprintable()):  # noqa: PLR2004 the column's width
        raise Invalid({"value": [_("A creator, such as ttd.")]})
    return value


def _reason(reason: str) -> str:
    reason = reason.strip()
    if len(reason) > LONGEST or not reason.isprintable():
        raise Invalid({"reason": [_("At most %(count)s characters, none of them control characters.", count=LONGEST)]})
    return reason
