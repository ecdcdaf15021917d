"""What happened to an e-mail, step by step in plain words: taken in, waited for what, each attempt, and its result."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import select

from engine.admin import words
from engine.admin.amounts import span
from engine.admin.sentences import thing
from engine.db.tables import attachments, audit_log
from engine.models import HANDED_OVER, EmailState
from engine.observability.audit import detail_of
from engine.queue import windows
from engine.queue.pauses import CREATOR, DOMAIN, LANE
from engine.text.addresses import domain_of
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from sqlalchemy import Connection, Row

MOMENT = timedelta(minutes=1)  # a shorter wait is none
LINES = 50  # pauses and failed conditions that are told, the newest
_KINDS = {"accepted": "good", "deferred": "wait", "refused": "wait"}


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened. `reply`: the words of `by`, which may be a relay, a condition, or Varsel itself."""

    at: datetime | None
    what: str
    detail: str = ""
    by: str = ""
    reply: str = ""
    kind: str = ""  # good, wait, bad; empty: neither
    attempt: bool = False


def of_email(
    connection: Connection, order: Row[object], email: Row[object], attempts: Sequence[Row[object]], why: str | None
) -> list[Step]:
    """The story of an e-mail, the oldest step first; `why`: what it waits for now, or why it failed without a try."""
    steps = [*_beginning(order), *_told(connection, order, email), *map(_attempt, attempts)]
    steps.sort(key=lambda step: step.at or order.created)
    first = next((place for place, step in enumerate(steps) if step.attempt), len(steps))
    if order.condition_endpoint and order.condition_answer:
        steps.insert(first, Step(None, _("Its condition was asked"), by=_("The answer"), reply=order.condition_answer))
        first += 1
    steps[first:first] = missing = _missing(connection, order) if order.attachments else []
    first += len(missing)
    if first < len(steps) and (waited := _waited(order, attempts[0])):
        steps.insert(first, waited)
    return [*steps, _ending(email, why, tried=bool(attempts))]


def _beginning(order: Row[object]) -> Iterator[Step]:
    yield Step(order.created, _("Taken in"), _("ordered by %(creator)s", creator=order.creator))
    if order.requested_send_time - order.created > MOMENT:
        yield Step(order.requested_send_time, _("Its send time"), _("it waited until then, as its creator asked"))
    if order.sending_window:
        its = windows.read(order.sending_window)
        yield Step(None, _("Has a sending window"), f"{its.words()}, {its.zone}")


def _told(connection: Connection, order: Row[object], email: Row[object]) -> Iterator[Step]:
    """Pauses that stopped it, and answers of its condition that were none, as the audit log has them."""
    about = [(LANE, "orders"), (LANE, "emails"), (CREATOR, order.creator), (DOMAIN, domain_of(email.address))]
    stops = {f"{kind}/{value}": thing(kind, value) for kind, value in about if value}
    until = email.last_update if email.due_at is None and email.paused_by is None else None
    which = [audit_log.c.target.in_([*stops, f"orders/{order.id}"]), audit_log.c.at >= order.created]
    which += [audit_log.c.action.in_(("pause", "resume", "condition-failed"))]
    which += [] if until is None else [audit_log.c.at <= until]
    newest = select(audit_log).where(*which).order_by(audit_log.c.seq.desc()).limit(LINES)
    for line in connection.execute(newest).all()[::-1]:
        detail = detail_of(line.detail)
        if line.action == "condition-failed":
            said, then = str(detail.get("reason", "")), str(detail.get("then", ""))
            yield Step(
                line.at,
                _("Its condition gave no clear answer"),
                words.of_consequence(then),
                _("The answer"),
                said,
                "wait",
            )
        else:
            what, paused = stops[line.target], line.action == "pause"
            done = _("Paused: %(what)s", what=what) if paused else _("Resumed: %(what)s", what=what)
            reason = f": {detail['reason']}" if detail.get("reason") else ""
            yield Step(line.at, done, _("by %(who)s", who=line.who) + reason, kind="wait" if paused else "")


def _missing(connection: Connection, order: Row[object]) -> list[Step]:
    """The order's attachments that were given up."""
    given_up = (attachments.c.content.is_(None), attachments.c.address.is_(None))
    its = select(attachments.c.filename, attachments.c.answer).where(attachments.c.order_seq == order.seq, *given_up)
    what, silent = _("An attachment could not be fetched, and was given up"), _("no answer")
    rows = connection.execute(its.order_by(attachments.c.position))
    return [Step(None, what, "", "Varsel", f"{row.filename}: {row.answer or silent}", "bad") for row in rows]


def _waited(order: Row[object], first: Row[object]) -> Step | None:
    """How long it was due before its first attempt began; None: a moment."""
    began = first.at - timedelta(milliseconds=first.duration_ms)
    due = max(order.requested_send_time, order.created)
    if began - due < MOMENT:
        return None
    waited = _("Waited %(span)s from its send time to its first attempt", span=span(began - due))
    return Step(None, waited, kind="wait")


def _attempt(line: Row[object]) -> Step:
    """An attempt: whom it asked, how far it came, and whose the words are that ended it."""
    took = _("in %(span)s", span=span(line.duration_ms / 1000)) if line.duration_ms else ""
    by = _("%(relay)s said", relay=line.relay) if line.code else "Varsel"
    reply = f"{line.code} {line.reply}" if line.code else line.reply
    return Step(line.at, _what(line), took, by, reply, _KINDS.get(line.outcome, "bad"), attempt=True)


def _what(line: Row[object]) -> str:
    if not line.relay:
        return _("%(outcome)s: no relay was asked", outcome=words.of_outcome(line.outcome))
    said: dict[str, object] = {"relay": line.relay, "where": words.of_phase(line.phase)}
    match line.outcome:
        case "accepted":
            text = _("The relay %(relay)s took it over", **said)
        case "deferred" if line.code is None:
            text = _("The relay %(relay)s gave no answer %(where)s", **said)
        case "deferred":
            text = _("The relay %(relay)s put it off %(where)s", **said)
        case "refused" if line.phase:
            text = _("The relay %(relay)s does not let this installation send: it said so %(where)s", **said)
        case "refused":
            text = _("The relay %(relay)s does not let this installation send", **said)
        case "in_doubt":
            text = _("In doubt: the relay %(relay)s gave no answer %(where)s", **said)
        case _other:
            text = _("The relay %(relay)s refused it %(where)s", **said)
    return text.rstrip()


def _ending(email: Row[object], why: str | None, *, tried: bool) -> Step:
    if email.due_at is not None or email.paused_by is not None:
        return Step(None, _("Waits") if email.state == EmailState.NEW else _("Being sent"), why or "", kind="wait")
    if email.state in HANDED_OVER:
        detail = _("whether it reached the mailbox, the relay's log tells")
        return Step(email.last_update, _("Sent"), detail, kind="good")
    if email.state == EmailState.CANCELLED:
        return Step(email.last_update, _("Cancelled"), _("its creator withdrew the order"))
    detail = _("it is not tried again by itself") if tried else why or ""
    return Step(email.last_update, words.of_state(email.state), detail, kind="bad")
