"""What is paused, in sentences: what, by whom, why, until when, and how much a pause holds. Each pause is said once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from engine.admin.advice import PAUSES, STOPPED
from engine.admin.amounts import Amount, listed
from engine.admin.ends import FORGOTTEN
from engine.admin.finding import finding
from engine.admin.sentences import thing
from engine.admin.words import begun
from engine.queue import due
from engine.queue.pauses import CREATOR, DOMAIN, LANE
from engine.text.language import N_, _, ngettext

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from engine.admin.finding import Finding, See
    from engine.admin.lanes import LaneFigures

SAID = 5  # pauses, the oldest; of others it is said how many there are
_MANY, _ONE = N_("%(name)s are paused by %(who)s"), N_("%(name)s is paused by %(who)s")


def paused(pauses: Sequence[Mapping[str, Any]], lanes: Sequence[LaneFigures], now: datetime) -> list[Finding]:
    """A sentence for each pause, the oldest first; `pauses`: with what those of creators and domains hold."""
    figures = {lane.name: lane for lane in lanes}
    found = [_paused(pause, figures, now) for pause in pauses[:SAID]]
    if more := len(pauses[SAID:]):
        text = ngettext("%(num)s more pause is in force", "%(num)s more pauses are in force", more)
        found.append(finding("warning", text, advice=PAUSES))
    return found


def forgotten(number: int, since: datetime | None) -> list[Finding]:
    """Subscriptions that operators have paused without an end, the first of them at that time."""
    if not number:
        return []
    text = ngettext(
        "Forgotten? %(num)s subscription was paused by an operator, without an end",
        "Forgotten? %(num)s subscriptions were paused by operators, without an end",
        number,
    )
    see: See = {"resource": "subscriptions", "filter": {"state": "forgotten"}, "text": _("Show the subscriptions")}
    return [finding("warning", text, since, STOPPED, see)]


def told(pause: Mapping[str, Any], *, since: bool = True) -> str:
    """Who has paused it, since when, until when and why; a sentence without its full stop."""
    name = begun(thing(pause["kind"], pause["value"]))
    text = _(_MANY if pause["kind"] == LANE else _ONE, name=name, who=pause["who"])
    if since:
        text = _("%(paused)s since %(time)s", paused=text, time=_minute(pause["at"]))
    if pause["ends"]:
        text = _("%(paused)s, until %(time)s", paused=text, time=_minute(pause["ends"]))
    else:
        text = _("%(paused)s, without an end", paused=text)
    return f"{text}: {pause['reason']}" if pause["reason"] else text


def _paused(pause: Mapping[str, Any], lanes: Mapping[str, LaneFigures], now: datetime) -> Finding:
    kind, value = pause["kind"], pause["value"]
    held = _held(pause, lanes)
    what = listed(held) or _("nothing yet")
    text = ". ".join([told(pause, since=False), _("The pause holds %(what)s", what=what)])
    if pause["ends"] is None and now - pause["at"] > FORGOTTEN:
        text = _("Forgotten? %(pause)s", pause=text)
    advice = _("`varsel resume %(kind)s %(name)s` ends it; it asks first.", kind=kind, name=value)
    said = finding("warning", text, pause["at"], advice, _list(pause, held))
    said["resume"] = (kind, value)
    return said


def _held(pause: Mapping[str, Any], lanes: Mapping[str, LaneFigures]) -> dict[str, Amount]:
    """How much a pause holds, by lane."""
    if pause["kind"] == LANE:
        return {pause["value"]: lanes[pause["value"]].amount("held")} if pause["value"] in lanes else {}
    return {name: Amount(pause[f"held_{name}"]) for name in (due.ORDERS.name, due.EMAILS.name)}


def _list(pause: Mapping[str, Any], held: Mapping[str, Amount]) -> See | None:
    """The list of what a pause holds; None: it holds nothing, or there is no such list."""
    show = {due.EMAILS.name: N_("Show these e-mails"), due.ORDERS.name: N_("Show these orders")}
    name = next((name for name in show if name in held and held[name].number), None)
    if name is None:
        return None
    its = {CREATOR: {"creator": pause["value"]}, DOMAIN: {"recipient": f"@{pause['value']}"}}
    return {"resource": name, "filter": {"state": "held"} | its.get(pause["kind"], {}), "text": _(show[name])}


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M} UTC"
