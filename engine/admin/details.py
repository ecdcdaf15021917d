"""One order, e-mail, event, subscription or delivery, with all that happened to it and what it is linked with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from engine.admin.amounts import some
from engine.admin.rows import ROWS
from engine.admin.standing import Standing
from engine.db.dialects import after, now
from engine.db.tables import (
    ALIVE,
    audit_log,
    deliveries,
    delivery_attempts,
    email_attempts,
    emails,
    events,
    job_rows,
    jobs,
    orders,
    processes,
    waiting_events,
)
from engine.email.mime import compile_message, message_id
from engine.errors import Conflict, NotFound
from engine.models import Content, ContentType, DeliveryState, EmailState, OrderState
from engine.observability.audit import detail_of
from engine.queue.pauses import in_force
from engine.text.addresses import domain_of
from engine.text.keywords import content

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection, Row, Select

LINKED = 100  # rows of another kind that are shown beside one
TIMELINE = 200  # attempts that are shown, the newest


def order(connection: Connection, order_id: UUID) -> dict[str, Any]:
    """An order with its counts, its content, who did what to it, and its status events; NotFound."""
    found = _one(connection, "orders", order_id, f"There is no order {order_id}.")
    row = connection.execute(select(orders).where(orders.c.id == order_id)).one()
    states = select(emails.c.state, func.count()).where(emails.c.order_seq == row.seq).group_by(emails.c.state)
    given, counts = json.loads(row.recipients), _counts(connection, states)
    return found | {
        "emails": counts,
        "recipients": given[:LINKED],
        "recipient_count": len(given),
        "body": row.body,
        "condition_endpoint": row.condition_endpoint,
        "ignore_reservation": row.ignore_reservation,
        "resource_id": row.resource_id,
        "why": _why_order(connection, found, row) or _unknown(counts),
        "history": _history(connection, f"orders/{order_id}"),
        "events": _status_events(connection, order_id),
    }


def email(connection: Connection, email_id: UUID) -> dict[str, Any]:
    """An e-mail with every attempt, oldest first, why it waits, and who did what to it; NotFound."""
    found = _one(connection, "emails", email_id, f"There is no e-mail {email_id}.")
    row = connection.execute(select(emails).where(emails.c.id == email_id)).one()
    of_order = connection.execute(select(orders).where(orders.c.seq == row.order_seq)).one()
    made = select(email_attempts).where(email_attempts.c.email_seq == row.seq)
    attempts = connection.execute(made.order_by(email_attempts.c.seq.desc()).limit(TIMELINE)).all()[::-1]
    shown = ("at", "duration_ms", "relay", "outcome", "phase", "code", "reply")
    return found | {
        "content_type": of_order.content_type,
        "sender": of_order.sender,
        "body": content(of_order, row).body,
        "message_id": message_id(row.id, of_order.sender),
        "timeline": [{name: getattr(attempt, name) for name in shown} for attempt in attempts],
        **_why_email(connection, found, row, attempts),
        "history": _history(connection, f"emails/{email_id}"),
        "events": _status_events(connection, of_order.id, events.c.id.startswith(str(email_id))),
    }


def message(connection: Connection, email_id: UUID) -> bytes:
    """An e-mail's message as it is (or would be) handed to the relay, but for the date; NotFound, Conflict."""
    found = email(connection, email_id)
    said = Content(found["sender"], found["subject"], found["body"], ContentType(found["content_type"]))
    at = found["timeline"][-1]["at"] if found["timeline"] else now(connection)
    try:
        return compile_message(said).fill(to=found["address"], message_id=found["message_id"], date=at)
    except ValueError as error:
        raise Conflict(f"No message can be made of it: {error}.") from None


def event(connection: Connection, seq: int) -> dict[str, Any]:
    """An event, as raw JSON too, to whom it was pushed, and whether others are still to be queued; NotFound."""
    found = _one(connection, "events", seq, f"There is no event {seq}.")
    chosen = select(deliveries.c.seq).where(deliveries.c.event_seq == seq).order_by(deliveries.c.seq).limit(LINKED)
    waits = select(waiting_events.c.event_seq).where(waiting_events.c.event_seq == seq)
    return found | {
        "fan_out_waits": connection.execute(waits).first() is not None,
        "text": connection.scalar(select(events.c.text).where(events.c.seq == seq)),
        "deliveries": ROWS["deliveries"](connection, connection.scalars(chosen).all()),
    }


def subscription(connection: Connection, seq: int) -> dict[str, Any]:
    """A subscription with the number of its deliveries by state (counted up to 10,000), and its history; NotFound."""
    found = _one(connection, "subscriptions", seq, f"There is no subscription {seq}.")
    newest = select(deliveries.c.state).where(deliveries.c.subscription_seq == seq)
    newest_states = newest.order_by(deliveries.c.seq.desc()).limit(10_000).subquery()
    counts = select(newest_states.c.state, func.count()).group_by(newest_states.c.state)
    return found | {
        "deliveries": _counts(connection, counts),
        "history": _history(connection, f"subscriptions/{seq}"),
    }


def delivery(connection: Connection, seq: int) -> dict[str, Any]:
    """A delivery with every attempt, oldest first, and why it waits; NotFound."""
    found = _one(connection, "deliveries", seq, f"There is no delivery {seq}.")
    made = select(delivery_attempts).where(delivery_attempts.c.delivery_seq == seq)
    attempts = connection.execute(made.order_by(delivery_attempts.c.seq.desc()).limit(TIMELINE)).all()[::-1]
    shown = ("at", "duration_ms", "outcome", "reply")
    return found | {
        "timeline": [
            {name: getattr(attempt, name) for name in shown} | {"code": attempt.status, "relay": None, "phase": None}
            for attempt in attempts
        ],
        **_why_delivery(connection, found, attempts),
        "history": _history(
            connection, f"deliveries/{seq}", f"subscriptions/{found['subscription_seq']}/deliveries/{seq}"
        ),
    }


def job(connection: Connection, seq: int) -> dict[str, Any]:
    """A background job; NotFound."""
    return _one(connection, "jobs", seq, f"There is no job {seq}.")


def _one(connection: Connection, resource: str, key: UUID | int, missing: str) -> dict[str, Any]:
    found = ROWS[resource](connection, [key])
    if not found:
        raise NotFound(missing)
    return found[0]


def _counts(connection: Connection, counted: Select[Any]) -> dict[str, int]:
    return {state: count for state, count in connection.execute(counted)}  # noqa: C416 rows are no tuples to mypy


def _history(connection: Connection, *targets: str) -> list[dict[str, Any]]:
    """What operators and consumers did to it, the newest first: to it alone, and by jobs to many."""
    alone = select(audit_log).where(audit_log.c.target.in_(targets)).order_by(audit_log.c.seq.desc()).limit(LINKED)
    found = [
        {"at": row.at, "who": row.who, "action": row.action, "detail": detail_of(row.detail)}
        for row in connection.execute(alone)
    ]
    among = select(job_rows.c.at, jobs.c.seq, jobs.c.who, jobs.c.resource, jobs.c.action).join(jobs)
    by_jobs = among.where(job_rows.c.target.in_(targets)).order_by(job_rows.c.seq.desc()).limit(LINKED)
    found += [
        {"at": row.at, "who": row.who, "action": f"{row.resource}.{row.action}", "detail": {"job": row.seq}}
        for row in connection.execute(by_jobs)
    ]
    return sorted(found, key=lambda line: line["at"], reverse=True)[:LINKED]


def _status_events(connection: Connection, order_id: UUID, *which: ColumnElement[bool]) -> list[dict[str, Any]]:
    """The first of an order's status events; `which`: of one of its e-mails alone."""
    its = select(events.c.seq).where(events.c.subject == f"/orders/{order_id}", *which)
    return ROWS["events"](connection, connection.scalars(its.order_by(events.c.seq).limit(LINKED)).all())


def _why_order(connection: Connection, found: Mapping[str, Any], row: Row[Any]) -> str | None:
    """Why an order waits; None: it does not."""
    if row.state == OrderState.SET_ASIDE:
        return (
            "Set aside: it ended five workers in a row, or every attempt in an error."
            " Process it anew when the cause is gone."
        )
    if found["standing"] is None or row.state not in (OrderState.REGISTERED, OrderState.PROCESSING):
        return None
    if found["standing"] == Standing.IN_HAND:
        return "A worker has it in hand."
    if held := _held(connection, row.paused_by, row.creator, "", "orders"):
        return held
    if found["standing"] == Standing.LATER:
        if row.state == OrderState.PROCESSING and row.condition_endpoint is None:
            return "An attempt to process it ended in an error of Varsel's; it is tried again by itself."
        later = row.state == OrderState.PROCESSING
        return "Its send condition gave no clear answer; it is asked again." if later else "Waits for its send time."
    return _due("An order")


def _unknown(counts: Mapping[str, int]) -> str | None:
    """What to do about recipients whose addresses were not known; None: there are none."""
    unknown = counts.get(EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED, 0)
    if not unknown:
        return None
    return f"Of {some(unknown, 'recipients')} no address was known. When it is, post a new order for them."


def _why_email(
    connection: Connection, found: Mapping[str, Any], row: Row[Any], attempts: Sequence[Row[Any]]
) -> dict[str, str | None]:
    """Why an e-mail waits, or failed, and the relay's words; None: neither."""
    last = attempts[-1] if attempts else None
    if found["standing"] is None:
        if not row.state.startswith("Failed"):
            return _why(None)
        return (
            _said(last, "it is not tried again")
            if last and row.state not in _REASONS
            else _why(_REASONS.get(row.state))
        )
    if found["standing"] == Standing.IN_HAND:
        return _why("A worker has it in hand.")
    if held := _held(connection, row.paused_by, found["creator"], row.address, "emails"):
        return _why(held)
    if last and (found["standing"] == Standing.LATER or row.due_at > now(connection)):
        return _said(last, "it is tried again by itself")
    of_living = (processes.c.trouble.is_not(None), processes.c.seen > after(-ALIVE))
    trouble = connection.execute(select(processes.c.relay, processes.c.trouble).where(*of_living).limit(1)).first()
    return _why(f"The relay {trouble.relay} cannot be used: {trouble.trouble}" if trouble else _due("An e-mail"))


def _why_delivery(
    connection: Connection, found: Mapping[str, Any], attempts: Sequence[Row[Any]]
) -> dict[str, str | None]:
    """Why a delivery waits, or was given up, and the endpoint's words; None: neither."""
    last = _answer(attempts[-1].status, attempts[-1].reply) if attempts else None
    if found["state"] == DeliveryState.DEAD:
        said = " The endpoint's answer:" if last else ""
        return _why(f"Given up after its last attempt. Replay it when the cause is gone.{said}", last)
    if found["due_at"] is None:
        return _why(None)
    if found["standing"] is None:
        return _why("Its subscription was removed: nothing more is pushed to it.")
    if "webhooks" in in_force(connection).lanes:
        return _why("The lane webhooks is paused.")
    if found["paused_reason"]:
        return _why(f"The subscription is paused: {found['paused_reason']}")
    if found["open_until"]:
        return _why("The endpoint kept failing: it is left alone for a while.", last)
    if found["standing"] == Standing.LATER:
        if found["ordered"] and found["due_at"] <= now(connection):
            return _why("It waits for an earlier event on the same subject: its subscription keeps the order.")
        return _why("The attempt before did not succeed; the next one is due by itself.", last)
    return _why(_due("A delivery"))


def _why(text: str | None, answer: str | None = None) -> dict[str, str | None]:
    """Why something waits, and what was answered to it: words from outside, which not everybody may see."""
    return {"why": text, "answer": answer}


def _held(connection: Connection, paused_by: str | None, creator: str, address: str, lane: str) -> str | None:
    paused = in_force(connection)
    if lane in paused.lanes:
        return f"The lane {lane} is paused."
    if paused_by is None:
        return None
    if creator in paused.creators:
        return f"The creator {creator} is paused."
    domain = domain_of(address)
    return f"The recipients' domain {domain} is paused." if domain in paused.domains else "It is being released."


def _due(what: str) -> str:
    return f"It is due and waits for a worker. {what} that stays so means that no worker runs, or that all are busy."


def _said(attempt: Row[Any], then: str) -> dict[str, str | None]:
    """What ended the attempt, and what follows."""
    if not attempt.relay:  # nobody outside was asked
        return _why(f"{attempt.reply[:1].upper()}{attempt.reply[1:]}; {then}.")
    where = f" in the phase {attempt.phase}" if attempt.phase else ""
    return _why(f"{attempt.relay} did not take it{where}; {then}. It said:", _answer(attempt.code, attempt.reply))


def _answer(code: int | None, text: str) -> str:
    """A reply on one line, with a full stop."""
    said = " ".join([*([str(code)] if code else []), *text.split()])
    return said if said.endswith(".") else f"{said}."


_REASONS = {
    EmailState.FAILED_RECIPIENT_RESERVED: "The recipient has reserved against electronic communication.",
    EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED: "The contact directory knew no address of this recipient."
    " When it does, post a new order for it.",
}
DETAILS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "orders": order,
    "emails": email,
    "events": event,
    "subscriptions": subscription,
    "deliveries": delivery,
    "jobs": job,
}
