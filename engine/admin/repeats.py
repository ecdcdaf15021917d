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
from engine.text.language import N_, _, ngettext

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sqlalchemy import Connection, Row

_Asked = tuple[str, tuple[str, ...]]  # a title, and what it means
_NEW = N_("A new order says the same, due now; this one stays as it is.")


def _retry_failed(connection: Connection, order: Row[object]) -> _Asked:
    its = _emails(connection, order)
    lines = [its.kept]
    if its.nowhere:
        text = N_("%(who)s cannot be reached by this, for want of an address; Send again looks for one anew.")
        lines.append(_(text, who=some(its.nowhere, "recipients")))
    if order.expires_at:
        until = _("The same e-mails are tried again, until the order expires.")
    else:
        until = _("The same e-mails are tried again, for another %(hours)s hours.", hours=EXPIRY_HOURS)
    title = _("Retry %(addresses)s that failed?", addresses=some(its.failed, "addresses"))
    return title, (*lines, *doubt(its.doubt), until)


def _resend_failed(connection: Connection, order: Row[object]) -> _Asked:
    its, number = _emails(connection, order), len(copies.failed_recipients(connection, order.seq))
    looked_up = _("%(who)s had no address: it is looked for anew.", who=some(its.nowhere, "recipients"))
    title = _("Send again to %(recipients)s that failed?", recipients=some(number, "recipients"))
    return title, (its.kept, *([looked_up] if its.nowhere else []), *doubt(its.doubt), _(_NEW))


def _resend(connection: Connection, order: Row[object]) -> _Asked:
    its, number = _emails(connection, order), recipients(connection, order)
    have = ngettext(
        "%(who)s has it already, and gets it a second time.",
        "%(who)s have it already, and get it a second time.",
        its.have,
        who=some(its.have, "addresses"),
    )
    of, to = its.have + its.failed, some(number, "recipients")
    title = _("Send again to all, %(recipients)s?", recipients=to)
    if of > number:  # an organisation may have several
        at = some(of, "addresses")
        title = _("Send again to all, %(recipients)s at %(addresses)s?", recipients=to, addresses=at)
    return title, (have if its.have else _("None of them has it yet."), *doubt(its.doubt), _(_NEW))


def doubt(number: int) -> tuple[str, ...]:
    """That so many e-mails may have arrived already."""
    if not number:
        return ()
    text = ngettext(
        "It is in doubt whether %(emails)s arrived: it may come a second time.",
        "It is in doubt whether %(emails)s arrived: they may come a second time.",
        number,
        emails=some(number, "emails"),
    )
    return (text,)


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
        have = some(self.have, "addresses")
        return ngettext("%(who)s has it, and gets nothing.", "%(who)s have it, and get nothing.", self.have, who=have)


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
