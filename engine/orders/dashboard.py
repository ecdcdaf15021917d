"""What was sent to one person or organisation, whoever ordered it: for the people who support recipients."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import groupby
from typing import TYPE_CHECKING

from sqlalchemy import func, select

from engine.db.blocks import everywhere
from engine.db.records import columns, read
from engine.db.tables import emails, orders

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from uuid import UUID

    from sqlalchemy import Connection

MOST = 1_000  # e-mails, the newest ones


class By(StrEnum):
    """What a recipient is known by."""

    PERSON = "nin"
    ORGANIZATION = "orgnumber"
    ADDRESS = "email"


_COLUMNS = {
    By.PERSON: emails.c.national_identity_number,
    By.ORGANIZATION: emails.c.organization_number,
    By.ADDRESS: func.lower(emails.c.address),
}


@dataclass(frozen=True, slots=True)
class Attempted:
    """An e-mail to the recipient, with what its order says."""

    order_id: UUID
    creator: str
    resource_id: str | None
    senders_reference: str | None
    requested_send_time: datetime
    channel: str | None
    kind: str
    national_identity_number: str | None
    organization_number: str | None
    address: str
    state: str
    last_update: datetime


def find(connection: Connection, by: By, value: str, since: datetime, until: datetime) -> Sequence[Sequence[Attempted]]:
    """The e-mails to a recipient, by their orders, whose send times lie in this span; the newest order first."""
    own = {name: emails.c[name] for name in ("address", "state", "last_update")} | {"order_id": orders.c.id}
    chosen = select(*columns(Attempted, own, orders.c, emails.c)).join_from(emails, orders)
    chosen = chosen.where(
        everywhere(connection, emails),
        _COLUMNS[by] == func.lower(value),
        orders.c.requested_send_time >= since,
        orders.c.requested_send_time < until,
    )
    newest = chosen.order_by(orders.c.requested_send_time.desc(), orders.c.seq.desc(), emails.c.seq).limit(MOST)
    found = read(Attempted, connection.execute(newest))
    return [list(of) for _, of in groupby(found, key=lambda each: each.order_id)]
