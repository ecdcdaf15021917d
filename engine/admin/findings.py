"""What is wrong, in sentences, the worst first: the same for the console, the command line and the doctor."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from engine.admin import advice
from engine.admin.amounts import Amount, some, span
from engine.admin.finding import finding
from engine.admin.pausing import FORGOTTEN
from engine.admin.processes import KEPT
from engine.admin.relays import DOWN, UP, all_down
from engine.admin.sentences import thing
from engine.admin.unusual import MINUTES
from engine.admin.verbs import are_due, are_paused, wait
from engine.admin.words import of_lane
from engine.db.tables import MILLISECOND
from engine.queue import due
from engine.queue.epoch import WHO
from engine.queue.pauses import CREATOR, DOMAIN, LANE
from engine.text.language import N_, _, decimal, ngettext, number

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
FEW = 5  # names in a sentence


def of_parts(  # noqa: PLR0913, PLR0917 each of these can be what is wrong
    lanes: Sequence[LaneFigures],
    relays: Sequence[RelayFigures],
    running: Sequence[Mapping[str, Any]],
    stalled: Mapping[str, timedelta],
    left_alone: int,
    slow: Sequence[Slowness] = (),
) -> list[Finding]:
    """Relays, processes and lanes.

    `stalled`: lanes that stand still; `left_alone`: subscriptions to which nothing is pushed for a while; `slow`: where
    e-mails go slowly, which explains why they lag behind.
    """
    explained = [lane for lane in lanes if not (slow and lane.name == due.EMAILS.name)]
    problems = _relays(relays, lanes) + _processes(lanes, running, stalled) or _late(explained)
    return problems + _clocks(running) + _warnings(lanes, left_alone) + _slow(slow)


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


def paused(pauses: Sequence[Mapping[str, Any]], lanes: Sequence[LaneFigures]) -> list[Finding]:
    """Lanes, creators and domains that are paused."""
    since = {pause["value"]: pause["at"] for pause in pauses if pause["kind"] == LANE}
    found = [_paused_lane(lane, since.get(lane.name)) for lane in lanes if lane.paused_reason]
    for kind, one, many in (
        (CREATOR, N_("The creator %(name)s is paused by %(who)s"), N_("%(count)s creators are paused: %(names)s")),
        (
            DOMAIN,
            N_("The recipients' domain %(name)s is paused by %(who)s"),
            N_("%(count)s recipients' domains are paused: %(names)s"),
        ),
    ):
        mine = [pause for pause in pauses if pause["kind"] == kind]
        if len(mine) == 1:
            its = mine[0]
            reason = f": {its['reason']}" if its["reason"] else ""
            text = _(one, name=its["value"], who=its["who"]) + reason
            found.append(finding("warning", text, its["at"], _resume(kind, its["value"])))
        elif mine:
            names = ", ".join(pause["value"] for pause in mine[:FEW])
            names = _("%(names)s and others", names=names) if mine[FEW:] else names
            text = _(many, count=number(len(mine)), names=names)
            found.append(finding("warning", text, advice=advice.PAUSES))
    return found


def forgotten(pauses: Sequence[Mapping[str, Any]], now: datetime) -> list[Finding]:
    """Old pauses without an end, but for those of a restored database; beyond FEW, the oldest."""
    old = [each for each in pauses if each["ends"] is None and now - each["at"] > FORGOTTEN and each["who"] != WHO]
    return [
        finding(
            "warning",
            _(
                "Forgotten? %(who)s has paused %(what)s without an end",
                who=each["who"],
                what=thing(each["kind"], each["value"]),
            ),
            each["at"],
            _resume(each["kind"], each["value"]),
        )
        for each in old[:FEW]
    ]


def refused(found: Refusals | None) -> list[Finding]:
    """E-mails that wait until somebody corrects the relay or the sender."""
    if found is None:
        return []
    text = _(
        "%(wait)s: the relay %(relay)s refuses this installation or its sender (%(said)s)",
        wait=wait(Amount(found.count), "emails"),
        relay=found.relay,
        said=found.said,
    )
    show = _("Show these e-mails")
    see: See = {"resource": "emails", "filter": {"state": "waiting", "error": "refused"}, "text": show}
    return [finding("problem", text, found.since, advice.REFUSED, see)]


def failing(found: Unusual | None, groups: Sequence[FailureGroup]) -> list[Finding]:
    """That unusually many e-mails fail, and with which words most of them."""
    if found is None:
        return []
    most = [group for group in groups if not group.again][:1]
    text = ". ".join([found.text, *(_("Most often: %(said)s", said=group.said) for group in most)])
    see: See = {
        "resource": "emails",
        "filter": {"state": "failed", "failed": f"{MINUTES}m"},
        "text": _("Show the e-mails that failed"),
    }
    since = most[0].since if most else None
    return [finding("problem", text, since, advice.GROUPS, see)]


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
    text = relay.said[:1].upper() + relay.said[1:] + (f": {effect}" if effect else "")
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
        return finding("problem", _("The lane %(lane)s lags behind: %(what)s", lane=name, what=what))
    text = _(
        "The lane %(lane)s catches up: %(what)s, and it is empty in about %(span)s",
        lane=name,
        what=what,
        span=span(lane.empty_in_seconds),
    )
    return finding("warning", text)


def _stalled(lane: str, since: timedelta) -> Finding:
    text = _(
        "The lane %(lane)s stands still: something has been due for %(span)s, and no worker takes it;"
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


def _warnings(lanes: Sequence[LaneFigures], left_alone: int) -> list[Finding]:
    found = []
    for lane in lanes:
        if lane.held and not lane.paused_reason:
            what_to_do = advice.STOPPED if lane.name == due.WEBHOOKS.name else advice.PAUSES
            text = are_paused(lane.amount("held"), lane.name)
            found.append(finding("warning", text, advice=what_to_do, see=_held(lane.name)))
    if left_alone:
        see: See = {"resource": "subscriptions", "filter": {"state": "failing"}, "text": _("Show the subscriptions")}
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


def _paused_lane(lane: LaneFigures, since: datetime | None) -> Finding:
    text = _("The lane %(lane)s is paused %(by)s", lane=of_lane(lane.name), by=lane.paused_reason)
    waiting = [wait(lane.amount("held"), lane.name)] if lane.held else []
    return finding("warning", "; ".join([text, *waiting]), since, _resume(LANE, lane.name))


def _resume(kind: str, value: str) -> str:
    return _("`varsel resume %(kind)s %(name)s` ends it; it asks first.", kind=kind, name=value)


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
