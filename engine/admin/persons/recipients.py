"""Orders without a person: its entry among the recipients is left empty, so that those of others keep their places."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from pydantic_core import to_json
from sqlalchemy import delete, func, select, tuple_, update

from engine.db.tables import attachments, emails, orders, recurring_orders

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from sqlalchemy import Connection, Select

    from engine.admin.persons.person import Person

# Of an order to nobody else: what it says is about the person, too.
WIPED: Mapping[str, object] = {
    "subject": "",
    "body": "",
    "sms": None,
    "condition_endpoint": None,
    "condition_answer": None,
    "attachments": 0,
    "fetches": None,
}


def take_out(connection: Connection, person: Person, order_seqs: Collection[int]) -> tuple[int, Collection[int]]:
    """Take a person out of orders; returns of how many, and which have no other recipient.

    Who was ordered for by number is the person if all e-mails to that number have the address.
    """
    numbers = _numbers(connection, person, order_seqs)
    chosen = select(orders.c.seq, orders.c.recipients).where(orders.c.seq.in_(order_seqs)).order_by(orders.c.seq)
    changed, alone = 0, []
    for row in connection.execute(chosen.with_for_update(key_share=True)).all():
        entries = json.loads(row.recipients)
        left = [{} if _is_its(person, entry, numbers.get(row.seq, ())) else entry for entry in entries]
        if left == entries:
            continue
        changed += 1
        values: dict[str, object] = {"recipients": to_json(left).decode()}
        if not any(left):
            alone.append(row.seq)
            connection.execute(delete(attachments).where(attachments.c.order_seq == row.seq))
            values |= WIPED
        connection.execute(update(orders).where(orders.c.seq == row.seq).values(values))
    return changed, alone


def with_person(person: Person) -> Select[tuple[Any, ...]]:
    """The recurring orders that may have the person."""
    return select(recurring_orders).where(person.may_stand_in(recurring_orders.c.order_row))


def take_out_of_recurring(connection: Connection, person: Person) -> int:
    """Take a person out of recurring orders, and end those to nobody else; returns of how many."""
    changed = 0
    for row in connection.execute(with_person(person).with_for_update()).all():
        made = json.loads(row.order_row)
        entries = json.loads(made["order"]["recipients"])
        left = [entry for entry in entries if not person.has(entry.get("emailAddress", ""))]
        its = recurring_orders.c.id == row.id
        if not left:
            connection.execute(delete(recurring_orders).where(its))
        elif left != entries:
            made["order"]["recipients"] = to_json(left).decode()
            connection.execute(update(recurring_orders).where(its).values(order_row=json.dumps(made)))
        changed += left != entries
    return changed


def _is_its(person: Person, entry: Mapping[str, str], numbers: Collection[str]) -> bool:
    return person.has(entry.get("emailAddress") or "") or entry.get("nationalIdentityNumber") in numbers


def _numbers(connection: Connection, person: Person, order_seqs: Collection[int]) -> Mapping[int, Collection[str]]:
    """By order, the numbers of persons all of whose e-mails have the address."""
    number, order = emails.c.national_identity_number, emails.c.order_seq
    its = func.lower(emails.c.address).in_(person.spellings)
    found = connection.execute(select(order, number).where(order.in_(order_seqs), number.is_not(None), its)).all()
    pairs = {(row.order_seq, row.national_identity_number) for row in found}
    of_others = select(order, number).where(tuple_(order, number).in_(pairs), ~its, emails.c.address != "")
    if pairs:
        pairs -= {(row.order_seq, row.national_identity_number) for row in connection.execute(of_others)}
    numbers = defaultdict[int, set[str]](set)
    for seq, each in pairs:
        numbers[seq].add(each)
    return numbers
