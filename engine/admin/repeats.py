"""What is asked before an order, or what failed of it, is sent a second time: who has it, and who gets it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from engine.admin import changes, copies
from engine.admin.amounts import some
from engine.db.tables import EMAIL_FAILED, emails
from engine.models import EXPIRY_HOURS, HANDED_OVER
from engine.orders import uploads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection, Row

_Asked = tuple[str, tuple[str, ...]]  # a title, and what it means
_NEW = "A new order says the same, due now; this one stays as it is."


def _retry_failed(connection: Connection, order: Row[object]) -> _Asked:
    its = _emails(connection, order)
    lines = [its.kept]
    if its.nowhere:
        who = some(its.nowhere, "recipients")
        lines.append(f"{who} cannot be reached by this, for want of an address; Send again looks for one anew.")
    until = "until the order expires" if order.expires_at else f"for another {EXPIRY_HOURS} hours"
    title = f"Retry {some(its.failed, 'addresses')} that failed?"
    return title, (*lines, *doubt(its.doubt), f"The same e-mails are tried again, {until}.")


def _resend_failed(connection: Connection, order: Row[object]) -> _Asked:
    its, number = _emails(connection, order), len(copies.failed_recipients(connection, order.seq))
    looked_up = f"{some(its.nowhere, 'recipients')} had no address: it is looked for anew."
    title = f"Send again to {some(number, 'recipients')} that failed?"
    return title, (its.kept, *([looked_up] if its.nowhere else []), *doubt(its.doubt), _NEW)


def _resend(connection: Connection, order: Row[object]) -> _Asked:
    its, number = _emails(connection, order), recipients(connection, order)
    verbs = "has it already, and gets" if its.have == 1 else "have it already, and get"
    have = f"{some(its.have, 'addresses')} {verbs} it a second time."
    of = its.have + its.failed
    at = f" at {some(of, 'addresses')}" if of > number else ""  # an organisation may have several
    title = f"Send again to all, {some(number, 'recipients')}{at}?"
    return title, (have if its.have else "None of them has it yet.", *doubt(its.doubt), _NEW)


def doubt(number: int) -> tuple[str, ...]:
    """That so many e-mails may have arrived already."""
    if not number:
        return ()
    they = "it" if number == 1 else "they"
    return (f"It is in doubt whether {some(number, 'emails')} arrived: {they} may come a second time.",)


def recipients(connection: Connection, order: Row[object]) -> int:
    """How many recipients an order has."""
    if order.streamed:
        return uploads.count(connection, order.seq)
    return sum(map(bool, json.loads(order.recipients)))  # of those that were erased, the place is left


@dataclass(frozen=True, slots=True)
class _Emails:
    """The number of an order's e-mails, by what became of them; each address has one."""

    have: int
    failed: int  # and can be tried again
    doubt: int  # of those that failed
    nowhere: int  # no address

    @property
    def kept(self) -> str:
        """What becomes of those who have it."""
        return f"{some(self.have, 'addresses')} {'has it, and gets' if self.have == 1 else 'have it, and get'} nothing."


def _emails(connection: Connection, order: Row[object]) -> _Emails:
    chosen = select(
        func.count().filter(emails.c.state.in_(HANDED_OVER)),
        func.count().filter(*changes.FAILED_WITH_ADDRESS),
        func.count().filter(*changes.FAILED_WITH_ADDRESS, changes.IN_DOUBT),
        func.count().filter(EMAIL_FAILED, emails.c.address == ""),
    ).where(emails.c.order_seq == order.seq)
    have, failed, doubtful, nowhere = connection.execute(chosen).one()
    return _Emails(have, failed, doubtful, nowhere)


ASKED: Mapping[str, Callable[[Connection, Row[object]], _Asked]] = {
    "orders.retry_failed": _retry_failed,
    "orders.resend_failed": _resend_failed,
    "orders.resend": _resend,
}
