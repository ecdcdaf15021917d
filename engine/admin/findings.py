"""What is wrong, in sentences, the worst first: the same for the console, the command line and the doctor."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypedDict

from engine.admin.amounts import Amount, some, span
from engine.admin.pausing import FORGOTTEN
from engine.admin.relays import DOWN, UP, all_down
from engine.admin.sentences import thing
from engine.admin.unusual import MINUTES
from engine.db.tables import MILLISECOND
from engine.queue import due
from engine.queue.epoch import WHO
from engine.queue.pauses import CREATOR, DOMAIN, LANE

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from engine.admin.failures import FailureGroup
    from engine.admin.lanes import LaneFigures
    from engine.admin.refusals import Refusals
    from engine.admin.relays import RelayFigures
    from engine.admin.slowness import Slowness
    from engine.admin.unusual import Unusual

SKEWED = timedelta(seconds=5)  # a process whose clock is further from the database's is reported
LATE = timedelta(seconds=60)  # a lane with a row that has been due for longer is reported
CATCHES_UP = timedelta(minutes=10)  # one that will be empty by then is on its way
LOOK = "`varsel top` shows the lanes and the processes."
REFUSED = "Correct what the relay complains of; `varsel emails list --error refused` shows the e-mails."
CLOCK = "Start `varsel scheduler` (or `varsel up`)."
LIMITED = "Change the file that VARSEL_LIMITS_FILE names, if that is too little; `varsel emails list` shows what waits."
SLOW = "They go faster by themselves when they are taken; `varsel emails list` shows what waits."
BY_ITSELF = "E-mails go on by themselves, within seconds, when it is back; `varsel emails list --state due` shows them."
GROUPS = "`varsel failures` groups them by reply. When the cause is removed, the e-mails of a group can be retried."
PAUSES = "`varsel pauses` lists what is paused and why; `varsel resume` ends a pause, and asks first."
STOPPED = "`varsel subscriptions list --state paused` shows why; `varsel subscriptions resume` pushes what waits."
FAILING = (
    "`varsel subscriptions list --state failing` shows what they answered and how many webhooks wait; these are pushed"
    " by themselves when the endpoint answers."
)
FEW = 5  # names in a sentence


class See(TypedDict):
    """A list that shows more of it, with the words of the link."""

    resource: str
    filter: Mapping[str, str]
    text: str


class Finding(TypedDict):
    """What is wrong: its level (problem, warning), a sentence without its full stop, and what to do."""

    level: str
    text: str
    since: datetime | None
    advice: str
    see: See | None


EMAILS_DUE: See = {"resource": "emails", "filter": {"state": "due"}, "text": "Show the e-mails that wait"}


def finding(
    level: str, text: str, since: datetime | None = None, advice: str = LOOK, see: See | None = None
) -> Finding:
    """A finding."""
    return {"level": level, "text": text, "since": since, "advice": advice, "see": see}


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
    text = (
        f"The database is {span(seen - as_of)} older than it was. What may be done a second time is paused:"
        f" {waits}. It lacks what was done"
    )
    advice = "`varsel restored` lists what would be done again; `varsel restored --resume` resumes the lanes."
    return finding("problem", text, as_of, advice)


def paused(pauses: Sequence[Mapping[str, Any]], lanes: Sequence[LaneFigures]) -> list[Finding]:
    """Lanes, creators and domains that are paused."""
    since = {pause["value"]: pause["at"] for pause in pauses if pause["kind"] == LANE}
    found = [_paused_lane(lane, since.get(lane.name)) for lane in lanes if lane.paused_reason]
    for kind, name in ((CREATOR, "creator"), (DOMAIN, "recipients' domain")):
        mine = [pause for pause in pauses if pause["kind"] == kind]
        if len(mine) == 1:
            its = mine[0]
            reason = f": {its['reason']}" if its["reason"] else ""
            text = f"The {name} {its['value']} is paused by {its['who']}{reason}"
            found.append(finding("warning", text, its["at"], _resume(kind, its["value"])))
        elif mine:
            shown = ", ".join(pause["value"] for pause in mine[:FEW]) + (" and others" if mine[FEW:] else "")
            found.append(finding("warning", f"{len(mine):,} {name}s are paused: {shown}", advice=PAUSES))
    return found


def forgotten(pauses: Sequence[Mapping[str, Any]], now: datetime) -> list[Finding]:
    """Old pauses without an end, but for those of a restored database; beyond FEW, the oldest."""
    old = [each for each in pauses if each["ends"] is None and now - each["at"] > FORGOTTEN and each["who"] != WHO]
    return [
        finding(
            "warning",
            f"Forgotten? {each['who']} has paused {thing(each['kind'], each['value'])} without an end",
            each["at"],
            _resume(each["kind"], each["value"]),
        )
        for each in old[:FEW]
    ]


def refused(found: Refusals | None) -> list[Finding]:
    """E-mails that wait until somebody corrects the relay or the sender."""
    if found is None:
        return []
    who = f"the relay {found.relay} refuses this installation or its sender ({found.said})"
    text = f"{_wait(Amount(found.count))}: {who}"
    see: See = {"resource": "emails", "filter": {"state": "waiting", "error": "refused"}, "text": "Show these e-mails"}
    return [finding("problem", text, found.since, REFUSED, see)]


def failing(found: Unusual | None, groups: Sequence[FailureGroup]) -> list[Finding]:
    """That unusually many e-mails fail, and with which words most of them."""
    if found is None:
        return []
    most = [group for group in groups if not group.again][:1]
    text = found.text + "".join(f". Most often: {group.said}" for group in most)
    see: See = {
        "resource": "emails",
        "filter": {"state": "failed", "failed": f"{MINUTES}m"},
        "text": "Show the e-mails that failed",
    }
    since = most[0].since if most else None
    return [finding("problem", text, since, GROUPS, see)]


def _relays(relays: Sequence[RelayFigures], lanes: Sequence[LaneFigures]) -> list[Finding]:
    """Relays that are down, or refuse this installation or its sender."""
    ill = sorted((relay for relay in relays if relay.state != UP), key=lambda relay: relay.state != DOWN)
    return [_relay(relay, lanes, all_of_them=all_down(relays)) for relay in ill[:FEW]]


def _relay(relay: RelayFigures, lanes: Sequence[LaneFigures], *, all_of_them: bool) -> Finding:
    waits = next((lane for lane in lanes if lane.name == due.EMAILS.name), None)
    if all_of_them and waits and waits.due:
        effect = f"{_wait(waits.amount('due'))}, the oldest for {span(waits.oldest_seconds)}"
    else:
        effect = "" if all_of_them else relay.effect
    text = relay.said[:1].upper() + relay.said[1:] + (f": {effect}" if effect else "")
    advice = f"{relay.advice} {BY_ITSELF}".strip() if relay.state == DOWN else relay.advice
    return finding("problem", text, relay.since, advice, EMAILS_DUE)


def _processes(
    lanes: Sequence[LaneFigures], running: Sequence[Mapping[str, Any]], stalled: Mapping[str, timedelta]
) -> list[Finding]:
    found = []
    waiting = [lane for lane in lanes if lane.due and not lane.paused_reason]
    if not any(process["kind"] == "worker" for process in running):
        what = " and ".join(_some(lane, "due") for lane in waiting)
        text = f"No worker runs: {what + ' due' if what else 'what becomes due will wait'}"
        found.append(finding("problem", text, advice="Start `varsel worker` (or `varsel up`)."))
    else:
        found += [_stalled(name, since) for name, since in stalled.items()]
    if not any(process["kind"] == "scheduler" for process in running):
        found.append(finding("problem", "No scheduler runs: send times and retries wait", advice=CLOCK))
    return found


def _late(lanes: Sequence[LaneFigures]) -> list[Finding]:
    """Lanes that lag behind, when nothing else that was found explains it."""
    waiting = [lane for lane in lanes if lane.due and not lane.paused_reason]
    return [_lag(lane) for lane in waiting if lane.oldest_due_seconds > LATE.total_seconds()]


def _lag(lane: LaneFigures) -> Finding:
    what = f"{_some(lane, 'due')} due"
    if lane.empty_in_seconds is None or lane.empty_in_seconds > CATCHES_UP.total_seconds():
        return finding("problem", f"The lane {lane.name} lags behind: {what}")
    text = f"The lane {lane.name} catches up: {what}, and it is empty in about {span(lane.empty_in_seconds)}"
    return finding("warning", text)


def _stalled(lane: str, since: timedelta) -> Finding:
    text = (
        f"The lane {lane} stands still: something has been due for {span(since)}, and no worker takes it;"
        " `varsel doctor` looks for the cause, beginning with Redis, which wakes workers"
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
        how = f"{abs(skew).total_seconds():,.0f} s {'ahead of' if skew > timedelta(0) else 'behind'} the database's"
        text = f"The clock of {host} is {how}: valid tokens are refused there, or expired ones accepted"
        found.append(finding("warning", text))
    return found


def _warnings(lanes: Sequence[LaneFigures], left_alone: int) -> list[Finding]:
    found = []
    for lane in lanes:
        if lane.held and not lane.paused_reason:
            its = "its subscription" if lane.held == 1 else "their subscriptions"
            of = f" with {its}" if lane.name == due.WEBHOOKS.name else ""
            advice = STOPPED if of else PAUSES
            found.append(finding("warning", f"{_some(lane, 'held')} paused{of}", advice=advice))
    if left_alone:
        whose = (
            "1 subscription wait: its endpoint"
            if left_alone == 1
            else f"{left_alone:,} subscriptions wait: each endpoint"
        )
        see: See = {"resource": "subscriptions", "filter": {"state": "failing"}, "text": "Show the subscriptions"}
        text = f"Webhooks of {whose} failed several times, or asked for a delay"
        found.append(finding("warning", text, advice=FAILING, see=see))
    return found


def _paused_lane(lane: LaneFigures, since: datetime | None) -> Finding:
    waits = "waits" if lane.held == 1 else "wait"
    wait = f"; {lane.amount('held').of(lane.name)} {waits}" if lane.held else ""
    text = f"The lane {lane.name} is paused {lane.paused_reason}{wait}"
    return finding("warning", text, since, _resume(LANE, lane.name))


def _resume(kind: str, value: str) -> str:
    return f"`varsel resume {kind} {value}` ends it; it asks first."


def _slow(slow: Sequence[Slowness]) -> list[Finding]:
    """Where e-mails go slowly; beyond FEW, how many there are."""
    found = [finding("warning", each.text, each.since, SLOW if each.said else LIMITED) for each in slow[:FEW]]
    if more := len(slow[FEW:]):
        found.append(finding("warning", f"E-mails go slowly to {more:,} more recipients' domains", advice=SLOW))
    return found


def _some(lane: LaneFigures, name: str) -> str:
    amount = lane.amount(name)
    return f"{amount.of(lane.name)} {'is' if amount.number == 1 else 'are'}"


def _wait(amount: Amount) -> str:
    return f"{amount.of('emails')} {'waits' if amount.number == 1 else 'wait'}"
