"""One order, e-mail, event, subscription or delivery, with all that happened to it and what it is linked with."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, case, func, select

from engine.admin import deeds, reasons, status_events, stories, words
from engine.admin import recurring as recurring_orders
from engine.admin.belonging import first_of_chain, of_job, of_order
from engine.admin.causes import causes
from engine.admin.counts import COUNTED
from engine.admin.resources import RESOURCES
from engine.admin.results import FAILED, Results, progress, results
from engine.admin.rows import ROWS
from engine.admin.subscriptions import health
from engine.admin.templates import template_of
from engine.db.dialects import now
from engine.db.frequent import in_index_order
from engine.db.records import Attachment, Email, Letter, columns, read
from engine.db.tables import (
    attachments,
    deliveries,
    delivery_attempts,
    email_attempts,
    emails,
    events,
    orders,
    uploads,
    waiting_events,
)
from engine.email.enclosures import enclose, shown
from engine.email.mime import compile_message, message_id
from engine.errors import Conflict, NotFound
from engine.models import Content, ContentType
from engine.orders.attachments import of_order as attachments_of
from engine.queue import windows
from engine.text.keywords import content
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from uuid import UUID

    from sqlalchemy import Connection, Row, Select

    from engine.admin.causes import Cause

LINKED = 100  # rows of another kind that are shown beside one
TIMELINE = 200  # attempts that are shown, the newest
_RECORDS = ((Email, emails), (Letter, orders))


def order(connection: Connection, order_id: UUID) -> dict[str, Any]:
    """An order with its counts, its content, who did what to it, and its status events; NotFound.

    By its own identifier, or its chain's, if it is the first order of that.
    """
    order_id = first_of_chain(connection, order_id) or order_id
    found = _one(connection, "orders", order_id, _("There is no order %(key)s.", key=order_id))
    row = connection.execute(select(orders).where(orders.c.id == order_id)).one()
    its = results(connection, [row.seq], COUNTED)[row.seq]
    given = json.loads(row.recipients)
    upload = _upload(connection, row.seq) if row.streamed else None
    recipients = upload["valid"] if upload else len(given)
    groups, all_of_them = _causes(connection, order_id) if FAILED in its.counts else ([], True)
    return found | {
        "last_update": max(found["last_update"], its.changed or found["last_update"]),
        "emails": its.states,
        "results": its.counts,
        "result": its.words,
        "progress": asdict(progress(connection, its, row.state, recipients)),
        "causes": [asdict(group) for group in groups],
        "all_causes": all_of_them,
        "recipients": given[:LINKED],
        "recipient_count": recipients,
        "upload": upload,
        "body": row.body,
        **_kind(connection, row),
        "attachments": _attachments(connection, row.seq) if row.attachments else [],
        "expires_at": row.expires_at,
        "sending_window": words.of_window(windows.read(row.sending_window)) if row.sending_window else None,
        "condition_endpoint": row.condition_endpoint,
        "condition_answer": row.condition_answer,
        "kind": row.kind,
        "chain_id": row.chain_id,
        "chain": _chain(connection, row.chain_id),
        "ignore_reservation": row.ignore_reservation,
        "resource_id": row.resource_id,
        "why": reasons.of_order(connection, found, row) or reasons.unknown(its.states),
        "history": deeds.of(connection, f"orders/{order_id}"),
        "events": status_events.of_order(connection, order_id, row.created),
    }


def _causes(connection: Connection, order_id: UUID) -> tuple[list[Cause], bool]:
    which = of_order(connection, order_id)
    return causes(connection, [*which.by, *which.rest])


def _kind(connection: Connection, order: Row[Any]) -> dict[str, Any]:
    """An order's template, and whether its e-mails are HTML."""
    template = template_of(connection, order.template_id)
    html = template["is_html"] if template else order.content_type == ContentType.HTML
    return {"template": template, "content_type": (ContentType.HTML if html else ContentType.PLAIN).value}


def _upload(connection: Connection, order_seq: int) -> dict[str, Any]:
    """How many recipients have followed an order, and what else came with them."""
    its = select(*(uploads.c[name] for name in ("valid", "invalid", "duplicate", "lines", "last_update", "closed")))
    return dict(connection.execute(its.where(uploads.c.order_seq == order_seq)).mappings().one())


def _attachments(connection: Connection, order_seq: int) -> list[dict[str, Any]]:
    """The attachments of an order, and whether they are there; of addresses, nothing is shown."""
    is_there, is_gone = attachments.c.content.is_not(None), attachments.c.address.is_(None)
    fetch = case((is_there, "there"), (is_gone, "given up"), else_="to be fetched").label("fetch")
    shown = (*(attachments.c[name] for name in ("filename", "mime_type", "size", "content_id", "answer")), fetch)
    its = select(*shown).where(attachments.c.order_seq == order_seq).order_by(attachments.c.position)
    return [dict(row) for row in connection.execute(its).mappings()]


def _chain(connection: Connection, chain_id: UUID | None) -> list[dict[str, Any]]:
    """The orders of a chain, the first one and its reminders; empty: the order is in none."""
    if chain_id is None:
        return []
    shown = select(orders.c.id, orders.c.kind, orders.c.state, orders.c.requested_send_time)
    its = shown.where(orders.c.chain_id == chain_id).order_by(orders.c.seq).limit(LINKED)
    return [dict(row) for row in connection.execute(its).mappings()]


def email(connection: Connection, email_id: UUID) -> dict[str, Any]:
    """An e-mail with every attempt, oldest first, why it waits, and who did what to it; NotFound."""
    found = _one(connection, "emails", email_id, _("There is no e-mail %(key)s.", key=email_id))
    row = connection.execute(select(emails).where(emails.c.id == email_id)).one()
    of_order = connection.execute(select(orders).where(orders.c.seq == row.order_seq)).one()
    made = select(email_attempts).where(email_attempts.c.email_seq == row.seq)
    attempts = connection.execute(made.order_by(email_attempts.c.seq.desc()).limit(TIMELINE)).all()[::-1]
    shown = ("at", "duration_ms", "relay", "outcome", "phase", "code", "reply")
    why = reasons.of_email(connection, found, row, attempts)
    return found | {
        **_kind(connection, of_order),
        "sender": of_order.sender,
        "sender_name": of_order.sender_name,
        "reply_to": of_order.reply_to,
        "body": content(of_order, row).body,
        "message_id": message_id(row.id, of_order.sender),
        "timeline": [{name: getattr(attempt, name) for name in shown} for attempt in attempts],
        **why,
        "story": [asdict(step) for step in stories.of_email(connection, of_order, row, attempts, why["why"])],
        "history": deeds.of(connection, f"emails/{email_id}"),
        "events": status_events.of_email(connection, email_id),
    }


def unrendered(connection: Connection, email_id: UUID) -> tuple[Email, Letter] | None:
    """An e-mail whose order has a template; None: the order has texts of its own, or there is no such e-mail."""
    its = emails.join(orders, orders.c.seq == emails.c.order_seq)
    which = and_(emails.c.id == email_id, orders.c.template_id.is_not(None))
    chosen = [select(*columns(record, table.c)).select_from(its).where(which) for record, table in _RECORDS]
    found = [connection.execute(each).first() for each in chosen]
    return (Email(*found[0]), Letter(*found[1])) if found[0] and found[1] else None


def html(connection: Connection, email_id: UUID, said: Content | None = None) -> str:
    """An e-mail's HTML with its images, for a page; NotFound. `said`: what was rendered, if it has a template."""
    found = email(connection, email_id)
    of = select(attachments.c.filename, attachments.c.mime_type, attachments.c.content_id, attachments.c.content)
    its_order = select(orders.c.seq).where(orders.c.id == found["order_id"]).scalar_subquery()
    images = of.where(attachments.c.order_seq == its_order, attachments.c.content_id.is_not(None))
    return shown(said.body if said else found["body"], read(Attachment, connection.execute(images)))


def message(connection: Connection, email_id: UUID, said: Content | None = None) -> bytes:
    """An e-mail's message as it is (or would be) handed to the relay, but for the date; NotFound, Conflict."""
    found = email(connection, email_id)
    who, what = (found["sender_name"], found["reply_to"]), (found["sender"], found["subject"], found["body"])
    its_own = Content(*what, ContentType(found["content_type"]), *who)
    at = found["timeline"][-1]["at"] if found["timeline"] else now(connection)
    its = select(orders.c.seq).where(orders.c.id == found["order_id"])
    try:
        around = enclose(attachments_of(connection, connection.execute(its).scalar_one()))
        compiled = compile_message(said or its_own)
        name = found["message_id"]
        return compiled.fill(to=found["address"], message_id=name, date=at, enclosing=around.head) + around.tail
    except (ValueError, LookupError) as error:
        raise Conflict(_("No message can be made of it: %(error)s.", error=error)) from None


def event(connection: Connection, seq: int) -> dict[str, Any]:
    """An event, as raw JSON too, to whom it was pushed, and whether others are still to be queued; NotFound."""
    found = _one(connection, "events", seq, _("There is no event %(key)s.", key=seq))
    chosen = in_index_order(select(deliveries.c.seq), deliveries.c.event_seq, seq, deliveries.c.seq).limit(LINKED)
    waits = select(waiting_events.c.event_seq).where(waiting_events.c.event_seq == seq)
    return found | {
        "fan_out_waits": connection.execute(waits).first() is not None,
        "text": connection.scalar(select(events.c.text).where(events.c.seq == seq)),
        "deliveries": ROWS["deliveries"](connection, connection.scalars(chosen).all()),
    }


def subscription(connection: Connection, seq: int) -> dict[str, Any]:
    """A subscription with the number of its deliveries by state (counted up to 10,000), how it goes, and its history.

    NotFound.
    """
    found = _one(connection, "subscriptions", seq, _("There is no subscription %(key)s.", key=seq))
    its = (deliveries.c.subscription_seq, seq, deliveries.c.seq)
    newest = in_index_order(select(deliveries.c.state), *its, newest_first=True).limit(10_000).subquery()
    return found | {
        "deliveries": _counts(connection, select(newest.c.state, func.count()).group_by(newest.c.state)),
        **health(connection, seq),
        "history": deeds.of(connection, f"subscriptions/{seq}"),
    }


def delivery(connection: Connection, seq: int) -> dict[str, Any]:
    """A delivery with every attempt, oldest first, and why it waits; NotFound."""
    found = _one(connection, "deliveries", seq, _("There is no delivery %(key)s.", key=seq))
    made = select(delivery_attempts).where(delivery_attempts.c.delivery_seq == seq)
    attempts = connection.execute(made.order_by(delivery_attempts.c.seq.desc()).limit(TIMELINE)).all()[::-1]
    shown = ("at", "duration_ms", "outcome", "reply")
    return found | {
        "timeline": [
            {name: getattr(attempt, name) for name in shown} | {"code": attempt.status, "relay": None, "phase": None}
            for attempt in attempts
        ],
        **reasons.of_delivery(connection, found, attempts),
        "history": deeds.of(
            connection, f"deliveries/{seq}", f"subscriptions/{found['subscription_seq']}/deliveries/{seq}"
        ),
    }


def recurring(connection: Connection, its_id: UUID) -> dict[str, Any]:
    """A recurring order with its next times, what each run is made of, and who did what to it; NotFound."""
    found = _one(connection, "recurring", its_id, _("There is no recurring order %(key)s.", key=its_id))
    made_of = recurring_orders.made_of(connection, its_id)
    order, template = made_of.order, made_of.template
    given = json.loads(order["recipients"])
    return found | {
        "next_runs": list(recurring_orders.find(connection, its_id).times()),
        **{name: order[name] for name in ("sender", "subject", "body", "content_type")},
        "template": template and words.of_version(template.name, template.version),
        "reference": order["senders_reference"],
        "recipients": given[:LINKED],
        "recipient_count": len(given),
        "history": deeds.of(connection, f"recurring/{its_id}"),
    }


def job(connection: Connection, seq: int) -> dict[str, Any]:
    """A background job, and how the rows that it changed stand now; NotFound."""
    found = _one(connection, "jobs", seq, _("There is no job %(key)s.", key=seq))
    table = RESOURCES[found["resource"]].table
    states = select(table.c.state, func.count()).where(table.c.seq.in_(of_job(seq))).group_by(table.c.state)
    counts = _counts(connection, states)
    standing = Results(counts).counts if table is emails else counts
    return found | {"now": standing, "now_of": sum(counts.values())}


def _one(connection: Connection, resource: str, key: UUID | int, missing: str) -> dict[str, Any]:
    found = ROWS[resource](connection, [key])
    if not found:
        raise NotFound(missing)
    return found[0]


def _counts(connection: Connection, counted: Select[Any]) -> dict[str, int]:
    return {state: count for state, count in connection.execute(counted)}  # noqa: C416 rows are no tuples to mypy


DETAILS: Mapping[str, Callable[..., dict[str, Any]]] = {
    "orders": order,
    "emails": email,
    "events": event,
    "subscriptions": subscription,
    "deliveries": delivery,
    "jobs": job,
    "recurring": recurring,
}
