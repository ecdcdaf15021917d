"""What is wrong, in sentences, the worst first: the same for the console, the command line and the doctor."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engine.admin import advice
from engine.admin.amounts import some, span
from engine.admin.failures import SHOWN
from engine.admin.finding import finding
from engine.admin.processes import KEPT
from engine.admin.relays import DOWN, UP, all_down
from engine.admin.unusual import MINUTES
from engine.admin.verbs import are_due, are_paused, wait
from engine.admin.words import begun, of_lane
from engine.db.tables import MILLISECOND
from engine.queue import due
from engine.text.language import N_, _, decimal, ngettext

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from engine.admin.failures import FailureGroup
    from engine.admin.finding import Finding, See
    from engine.admin.lanes import LaneFigures
    from engine.admin.refusals import Refusals
    from engine.admin.relays import RelayFigures
    from engine.admin.slowness import Slowness
    from engine.admin.unusual import Unusual
    from engine.queue.epoch import Older

SKEWED = timedelta(seconds=5)  # a process whose clock is further from the database's is reported
LATE = timedelta(seconds=60)  # a lane with a row that has been due for longer is reported
CATCHES_UP = timedelta(minutes=10)  # one that will be empty by then is on its way
FEW = 5  # of a kind


def of_parts(  # noqa: PLR0913, PLR0917 each of these can be what is wrong
    lanes: Sequence[LaneFigures],
    relays: Sequence[RelayFigures],
    running: Sequence[Mapping[str, Any]],
    stalled: Mapping[str, timedelta],
    left_alone: int,
    slow: Sequence[Slowness] = (),
    *,
    said: bool = False,
) -> list[Finding]:
    """Relays, processes and lanes.

    `stalled`: lanes that stand still; `left_alone`: subscriptions to which nothing is pushed for a while; `slow`: where
    e-mails go slowly, which explains why they lag behind; `said`: pauses tell of what they hold, see paused.py.
    """
    explained = [lane for lane in lanes if not (slow and lane.name == due.EMAILS.name)]
    problems = _relays(relays, lanes) + _processes(lanes, running, stalled) or _late(explained)
    return problems + _clocks(running) + _warnings(lanes, left_alone, said=said) + _slow(slow)


def older(seen: datetime, as_of: datetime, counts: Mapping[str, int]) -> Finding:
    """A database that is older than it was; its lanes are paused. `counts`: by lane, what it may do again."""
    waits = ", ".join(some(count, lane) for lane, count in counts.items())
    text = _(
        "The database is %(span)s older than it was. What may be done a second time is paused: %(waits)s."
        " It lacks what was done",
        span=span(seen - as_of),
        waits=waits,
    )
    return finding("problem", text, as_of, advice.RESTORED)


def lacking(found: Older | None) -> list[Finding]:
    """A replica that took over without the newest changes; it works on."""
    if found is None:
        return []
    text = _(
        "The database lacks what was done in %(span)s or a little more: a server took over that did not have it."
        " Orders of that time are lost, and e-mails of that time may come twice",
        span=span(found.seen - found.as_of),
    )
    return [finding("warning", text, found.as_of, advice.LACKING)]


def refused(found: Refusals | None) -> list[Finding]:
    """E-mails that wait until somebody corrects the relay or the sender."""
    if found is None:
        return []
    text = _(
        "%(wait)s: the relay %(relay)s refuses this installation or its sender (%(said)s)",
        wait=wait(found.count, "emails"),
        relay=found.relay,
        said=found.said,
    )
    show = _("Show these e-mails")
    see: See = {"resource": "emails", "filter": {"state": "waiting", "error": "refused"}, "text": show}
    return [finding("problem", text, found.since, advice.REFUSED, see)]


def failing(found: Unusual | None, groups: Sequence[FailureGroup]) -> list[Finding]:
    """That unusually many e-mails fail, with which words most of them, and how many of these are failed still.

    Where none is, somebody has seen to it: a warning says so.
    """
    if found is None:
        return []
    left, most = _still_failed(groups), [group for group in groups if not group.again][:1]
    told = [found.text(over=left == 0), *(_("Most often: %(said)s", said=group.said) for group in most)]
    lately, state, show = {"failed": f"{MINUTES}m"}, {"state": "failed"}, _("Show the e-mails that failed")
    if left == 0:
        state, show = {}, _("Show these e-mails")
        told.append(_("None of these e-mails is still failed"))
    elif left is not None and left < found.failed:
        text = ngettext("%(num)s of these e-mails is still failed", "%(num)s of these e-mails are still failed", left)
        told.append(text)
    see: See = {"resource": "emails", "filter": state | lately, "text": show}
    since = most[0].since if most else None
    return [finding("warning" if left == 0 else "problem", ". ".join(told), since, advice.GROUPS, see)]


def _still_failed(groups: Sequence[FailureGroup]) -> int | None:
    """How many e-mails that failed lately are failed now; None: not all groups are there, or known as a whole."""
    failed = [group for group in groups if not group.again]
    known = [group.now.lately for group in failed if group.now and group.now.whole]
    return sum(known) if len(known) == len(failed) < SHOWN else None


def _relays(relays: Sequence[RelayFigures], lanes: Sequence[LaneFigures]) -> list[Finding]:
    """Relays that are down, or refuse this installation or its sender."""
    ill = sorted((relay for relay in relays if relay.state != UP), key=lambda relay: relay.state != DOWN)
    return [_relay(relay, lanes, all_of_them=all_down(relays)) for relay in ill[:FEW]]


def _relay(relay: RelayFigures, lanes: Sequence[LaneFigures], *, all_of_them: bool) -> Finding:
    waits = next((lane for lane in lanes if lane.name == due.EMAILS.name), None)
    if all_of_them and waits and waits.due:
        waiting = wait(waits.amount("due"), "emails")
        effect = _("%(wait)s, the oldest for %(span)s", wait=waiting, span=span(waits.oldest_due_seconds))
    else:
        effect = "" if all_of_them else relay.effect
    text = begun(relay.said) + (f": {effect}" if effect else "")
    what_to_do = [*filter(None, [relay.advice]), *([advice.BY_ITSELF] if relay.state == DOWN else [])]
    see: See = {"resource": "emails", "filter": {"state": "due"}, "text": _("Show the e-mails that wait")}
    return finding("problem", text, relay.since, what_to_do, see)


def _processes(
    lanes: Sequence[LaneFigures], running: Sequence[Mapping[str, Any]], stalled: Mapping[str, timedelta]
) -> list[Finding]:
    found = []
    waiting = [lane for lane in lanes if lane.due and not lane.paused_reason]
    if not any(process["kind"] == "worker" for process in running):
        what = ", ".join(are_due(lane.amount("due"), lane.name) for lane in waiting)
        what = what or _("what becomes due will wait")
        start = N_("Start `varsel worker` (or `varsel up`).")
        found.append(finding("problem", _("No worker runs: %(what)s", what=what), advice=start))
    else:
        found += [_stalled(name, since) for name, since in stalled.items()]
    if not any(process["clock"] == KEPT for process in running):
        found.append(finding("problem", _("No scheduler runs: send times and retries wait"), advice=advice.CLOCK))
    return found


def _late(lanes: Sequence[LaneFigures]) -> list[Finding]:
    """Lanes that lag behind, when nothing else that was found explains it."""
    waiting = [lane for lane in lanes if lane.due and not lane.paused_reason]
    return [_lag(lane) for lane in waiting if lane.oldest_due_seconds > LATE.total_seconds()]


def _lag(lane: LaneFigures) -> Finding:
    name, what = of_lane(lane.name), are_due(lane.amount("due"), lane.name)
    if lane.empty_in_seconds is None or lane.empty_in_seconds > CATCHES_UP.total_seconds():
        return finding("problem", _("%(lane)s lag behind: %(what)s", lane=name, what=what))
    text = _(
        "%(lane)s catch up: %(what)s, and none is left in about %(span)s",
        lane=name,
        what=what,
        span=span(lane.empty_in_seconds),
    )
    return finding("warning", text)


def _stalled(lane: str, since: timedelta) -> Finding:
    text = _(
        "%(lane)s stand still: something has been due for %(span)s, and no worker takes it;"
        " `varsel doctor` looks for the cause, beginning with Redis, which wakes workers",
        lane=of_lane(lane),
        span=span(since),
    )
    return finding("problem", text)


def _clocks(running: Sequence[Mapping[str, Any]]) -> list[Finding]:
    """Machines whose clocks are off: delivery follows the database's clock, but tokens and sessions follow theirs."""
    off = {
        process["host"]: timedelta(milliseconds=process["skew_ms"])
        for process in running
        if process["skew_ms"] is not None and abs(process["skew_ms"]) > SKEWED // MILLISECOND
    }
    found = []
    for host, skew in sorted(off.items()):
        ahead = N_(
            "The clock of %(host)s is %(seconds)s s ahead of the database's:"
            " valid tokens are refused there, or expired ones accepted"
        )
        behind = N_(
            "The clock of %(host)s is %(seconds)s s behind the database's:"
            " valid tokens are refused there, or expired ones accepted"
        )
        seconds = decimal(abs(skew).total_seconds(), 0)
        found.append(finding("warning", _(ahead if skew > timedelta(0) else behind, host=host, seconds=seconds)))
    return found


def _warnings(lanes: Sequence[LaneFigures], left_alone: int, *, said: bool) -> list[Finding]:
    found = []
    for lane in lanes:
        of_subscriptions = lane.name == due.WEBHOOKS.name
        if lane.held and not lane.paused_reason and (of_subscriptions or not said):
            what_to_do = advice.STOPPED if of_subscriptions else advice.PAUSES
            text = are_paused(lane.amount("held"), lane.name)
            found.append(finding("warning", text, advice=what_to_do, see=_held(lane.name)))
    if left_alone:
        its = {"state": "backing_off"}
        see: See = {"resource": "subscriptions", "filter": its, "text": _("Show the subscriptions")}
        text = ngettext(
            "Webhooks of %(num)s subscription wait: its endpoint keeps failing, or asked for a long delay",
            "Webhooks of %(num)s subscriptions wait: each endpoint keeps failing, or asked for a long delay",
            left_alone,
        )
        found.append(finding("warning", text, advice=advice.FAILING, see=see))
    return found


def _held(lane: str) -> See | None:
    """The list of what is paused without its lane."""
    name, state, text = {
        due.ORDERS.name: ("orders", "held", _("Show these orders")),
        due.EMAILS.name: ("emails", "held", _("Show these e-mails")),
        due.WEBHOOKS.name: ("subscriptions", "paused", _("Show the subscriptions")),
    }.get(lane, ("", "", ""))
    return {"resource": name, "filter": {"state": state}, "text": text} if name else None


def _slow(slow: Sequence[Slowness]) -> list[Finding]:
    """Where e-mails go slowly; beyond FEW, how many there are."""
    found = [
        finding("warning", each.text, each.since, advice.SLOW if each.said else advice.LIMITED) for each in slow[:FEW]
    ]
    if more := len(slow[FEW:]):
        text = ngettext(
            "E-mails go slowly to %(num)s more recipients' domain",
            "E-mails go slowly to %(num)s more recipients' domains",
            more,
        )
        found.append(finding("warning", text, advice=advice.SLOW))
    return found
