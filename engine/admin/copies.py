"""New orders that say what an order said: to all its recipients, to those that failed, or to one address.

What was ordered stays pinned: texts or template version, attachments, sender identity, creator and reference. Such an
order is held to the terms of the creator's own: its quotas, its sender identities, and the time when it expires.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from sqlalchemy import case, func, insert, literal, select

from engine.db.dialects import Now, now
from engine.db.records import Email, Letter, columns, read
from engine.db.tables import EMAIL_FAILED, attachments, emails, orders
from engine.errors import Conflict
from engine.models import HANDED_OVER, OrderState, new_id
from engine.orders import budget, identities
from engine.orders.new_order import delay, json_text, number
from engine.orders.quotas import Quotas
from engine.text.keywords import content
from engine.text.language import N_, _
from engine.text.language import number as number_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import ColumnElement, Connection

    from engine.orders.new_order import Recipient
    from engine.settings import Settings

# Columns of an order that are a new one's own.
OWN = {
    *("seq", "claim", "unresolved", "attempts", "rank", "trace", "kind", "chain_id", "condition_answer"),
    *("withdrawn_at", "withdrawn_until", "streamed", "portion"),
}
_NOBODY = N_("Nobody is left to send it to: they have it at another address, or were erased.")
MOST = 10_000  # failed recipients of an order whose recipients followed it; other orders keep their lists


@dataclass(frozen=True, slots=True)
class Terms:
    """What a creator's orders are held to; `sender` is the installation's (None: not known)."""

    quotas: Quotas = field(default_factory=lambda: Quotas(None))
    sender: str | None = None
    senders_required: bool = False

    @classmethod
    def of(cls, config: Settings, quotas: Quotas) -> Self:
        """Those of an installation."""
        return cls(quotas, config.from_address, config.senders_required)


ANY = Terms()


@dataclass(frozen=True, slots=True)
class _Name:
    """To whom an e-mail is."""

    address: str
    organization_number: str | None
    national_identity_number: str | None

    @property
    def names(self) -> list[str]:
        """By what its order may have named the recipient."""
        return [name for name in (self.address, self.organization_number, self.national_identity_number) if name]


@dataclass(frozen=True, slots=True)
class _Failed(_Name):
    """An e-mail that failed."""

    given: str | None
    time_zone: str | None

    @property
    def entry(self) -> Recipient:
        """The recipient, as it stood in a line."""
        if self.national_identity_number:
            to: Recipient = {"nationalIdentityNumber": self.national_identity_number}
        elif self.organization_number:
            to = {"organizationNumber": self.organization_number}
        else:
            to = {"emailAddress": self.address}
        return _with_given(to, self.given, self.time_zone)


def to_all(connection: Connection, seqs: Sequence[int], _argument: str | None) -> list[UUID]:
    """New orders to the same recipients, due now."""
    lists = connection.execute(select(orders.c.seq, orders.c.recipients).where(orders.c.seq.in_(seqs)))
    at = now(connection)
    return [_copy(connection, seq, at, [each for each in json.loads(text) if each]) for seq, text in lists.all()]


def to_failed(connection: Connection, seqs: Sequence[int], _argument: str | None) -> list[UUID]:
    """New orders to those recipients that failed, due now."""
    at = now(connection)
    return [_copy(connection, seq, at, failed_recipients(connection, seq)) for seq in seqs]


def to_address(connection: Connection, seqs: Sequence[int], _argument: str | None) -> list[UUID]:
    """New orders, each to the address of an e-mail alone.

    Receivers drop a second e-mail with the Message-ID of the one that the relay has taken over.
    """
    created, at = [], now(connection)
    chosen = select(*columns(Email, emails.c)).where(emails.c.seq.in_(seqs)).order_by(emails.c.seq)
    for email in read(Email, connection.execute(chosen)):
        its_order = select(*columns(Letter, orders.c)).where(orders.c.seq == email.order_seq)
        [order] = read(Letter, connection.execute(its_order))
        said = content(order, email)  # an address of its own has no name for the keywords
        to = [_with_given({"emailAddress": email.address}, email.given, email.time_zone)]
        created.append(_copy(connection, order.seq, at, to, subject=said.subject, body=said.body))
    return created


def failed_recipients(connection: Connection, seq: int) -> list[Recipient]:
    """Those recipients of an order to whom e-mails failed, and who have it at no other address.

    Numbers are looked up anew: their addresses may have been corrected. Conflict for more than MOST, and for none.
    """
    order = connection.execute(select(orders.c.streamed, orders.c.recipients).where(orders.c.seq == seq)).one()
    mine = emails.c.order_seq == seq
    have = select(*columns(_Name, emails.c)).where(mine, emails.c.state.in_(HANDED_OVER))
    failed = select(*columns(_Failed, emails.c)).where(mine, EMAIL_FAILED).order_by(emails.c.seq)
    if order.streamed:  # each line has one name, and organisations alone have several addresses
        have = have.where(emails.c.organization_number.is_not(None))
        failed = failed.limit(MOST + 1)
    reached = {name for each in read(_Name, connection.execute(have)) for name in each.names}
    rows = read(_Failed, connection.execute(failed))
    if order.streamed and len(rows) > MOST:
        text = N_("More than %(count)s of its e-mails failed, which are too many for a new order: retry them.")
        raise Conflict(_(text, count=number_of(MOST)))
    missed = {name for row in rows for name in row.names} - reached
    entries: list[Recipient] = [row.entry for row in rows] if order.streamed else json.loads(order.recipients)
    found = {json_text(entry): entry for entry in entries if (entry.get("emailAddress") or number(entry)) in missed}
    if not found:
        raise Conflict(_(_NOBODY))
    return [*found.values()]


def hold(connection: Connection, terms: Terms, new: UUID) -> None:
    """Hold an order that this transaction has made to its creator's terms.

    Conflict when nobody is left to send it to, or when its sender identity was removed; QuotaExceeded, or it waits.
    """
    chosen = select(orders.c.creator, orders.c.sender, orders.c.recipients)
    order = connection.execute(chosen.where(orders.c.id == new)).one()
    recipients = len(json.loads(order.recipients))
    if not recipients:
        raise Conflict(_(_NOBODY))
    known = identities.of(connection, order.creator, required=terms.senders_required)
    if fault := known.fault(order.sender, terms.sender or order.sender):
        raise Conflict(_("It cannot be sent again from %(sender)s. %(fault)s", sender=order.sender, fault=fault))
    budgets = budget.lock(connection, terms.quotas.find([order.creator]))
    if its := budgets.get(order.creator):
        moment = its.admit(recipients)
        if isinstance(moment, Exception):
            raise moment
        its.take(moment, recipients)
        budget.record(connection, budgets)
        if its.waits(moment):
            delay(connection, {new.hex: moment})


def _copy(connection: Connection, seq: int, at: datetime, recipients: Sequence[Recipient], **instead: str) -> UUID:
    """A new order that says the same, due now, except for `instead`; returns its identifier, which begins with `at`."""
    new = new_id(at)
    given: dict[str, object] = {"id": new, "state": OrderState.REGISTERED.value, "recipients": json_text(recipients)}
    given |= instead
    values: dict[str, ColumnElement[object]] = {
        name: literal(value, orders.c[name].type) for name, value in given.items()
    }
    # Where it has attachments, it is looked at whether all are there; but its condition is asked first.
    values["fetches"] = case((orders.c.condition_endpoint.is_(None), func.nullif(orders.c.attachments, 0)))
    values |= dict.fromkeys(("created", "requested_send_time", "last_update", "due_at"), Now())
    names = [column.name for column in orders.c if column.name not in OWN]
    copied = select(*(values.get(name, orders.c[name]) for name in names)).where(orders.c.seq == seq)
    connection.execute(insert(orders).from_select(names, copied))
    its = select(orders.c.seq).where(orders.c.id == new).scalar_subquery()
    files = [column.name for column in attachments.c if column.name not in ("seq", "order_seq")]
    of_old = select(its, *(attachments.c[name] for name in files)).where(attachments.c.order_seq == seq)
    connection.execute(insert(attachments).from_select(["order_seq", *files], of_old))
    return new


def _with_given(to: Recipient, given: str | None, zone: str | None) -> Recipient:
    """A recipient with what the e-mail has for its order's template and window."""
    values: Recipient = json.loads(given or "{}")
    return {**to, **values, **({"timeZone": zone} if zone else {})}
