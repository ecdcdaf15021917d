"""Due orders whose attachments are to be fetched: each file is stored as soon as it is there; then e-mails are made.

Before e-mails are made, and not while they are sent: a file is fetched once for all recipients, no connection to the
relay waits for a file server, and what cannot be had is known before anybody gets a mail.
"""

from __future__ import annotations

import logging
import re
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import timedelta
from http import HTTPStatus
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Integer, Text, bindparam, exists, select, update

from engine.db.records import columns, read
from engine.db.tables import attachments, orders
from engine.models import EXPIRY, EmailState
from engine.orders.attachment_rules import host_of
from engine.orders.calls import Calls
from engine.orders.outcomes import Decision, Failed, Later, Next
from engine.orders.processing import FETCHING
from engine.outbound import Barred, Failure
from engine.queue.backoff import jittered

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from engine.db.records import Order
    from engine.observability.tracing import Span
    from engine.orders.contacts import Directory
    from engine.outbound import Answer, Outbound
    from engine.queue.work import Claim, Hand

log = logging.getLogger(__name__)

FETCHES = 8  # orders of a process whose attachments are fetched at once: so many times the largest ones are in memory
WITHIN = timedelta(seconds=30)  # for one attachment
BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (0.5, 1, 2, 5, 10, 20, 30, 60))  # the last one repeats
LONG_TRIED = 53  # attempts in EXPIRY
REFUSED = EmailState.FAILED_INVALID_SAS_URL
_PASSING = (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS)
_CODE = b"x-ms-error-code"  # with which storage services say why (Azure Storage, "Status and error codes")
_HARMFUL = re.compile("malware|virus|quarantine", re.IGNORECASE)
_WORD = re.compile("[A-Za-z0-9]{1,100}")


@dataclass(frozen=True, slots=True)
class File:
    """An attachment of an order in hand."""

    seq: int
    order_seq: int
    address: str | None = field(repr=False)  # sealed
    size: int | None  # None: not fetched


_SEQ, _ORDER_SEQ = bindparam("its", type_=BigInteger()), attachments.c.order_seq
_FILES = (
    select(*columns(File, attachments.c))
    .where(_ORDER_SEQ.in_(bindparam("orders", expanding=True)))
    .order_by(_ORDER_SEQ, attachments.c.position)
)
_STORE = (
    update(attachments)
    .where(attachments.c.seq == _SEQ, attachments.c.content.is_(None))
    .values(content=bindparam("bytes"), size=bindparam("length"), address=None, answer=None)
)
_OURS = exists().where(orders.c.seq == _ORDER_SEQ, orders.c.claim == bindparam("claim", type_=Integer()))
_TELL = update(attachments).where(attachments.c.seq == _SEQ, _OURS).values(answer=bindparam("said", type_=Text()))
_FORGET = update(attachments).where(_ORDER_SEQ == _SEQ, _OURS).values(address=None)


@dataclass(frozen=True, slots=True)
class Fetched(Decision):
    """An attachment of an order is there."""

    file: int = 0
    content: bytes | bytearray = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class FetchAgain(Later):
    """An attachment was not to be had this time."""

    file: int = 0


@dataclass(frozen=True, slots=True)
class NeverFetched(Failed):
    """An attachment is not to be had."""

    file: int = 0


@dataclass(frozen=True, slots=True)
class Missed:
    """Why an attachment is not there. `state`: what its e-mails have become; None: it is worth another try."""

    reason: str
    state: EmailState | None = None
    left_alone: timedelta | None = None  # how long the server wants to be


class Fetches(Calls):
    """Due orders whose attachments are to be fetched; `largest`: bytes of all those of one order.

    `unseal` reads an address; None: it is not this installation's.
    """

    def __init__(  # noqa: PLR0913, PLR0917 what it needs of the process
        self,
        directory: Directory,
        outbound: Outbound,
        unseal: Callable[[str], str | None],
        largest: int,
        now: Callable[[], datetime],
        generated: Callable[[], None] = lambda: None,
    ) -> None:
        super().__init__(directory, generated, FETCHING, FETCHES)
        self._outbound = outbound
        self._unseal = unseal
        self._largest = largest
        self._now = now
        self._found: Mapping[int, Sequence[File]] = {}  # of the newest claim, by the order's `seq`
        self._files: dict[tuple[int, int], Sequence[File]] = {}  # by the order's `seq` and `claim`

    def claim(self, connection: Connection, lease: timedelta) -> Claim[Order]:
        """As of other orders, with what is to be fetched."""
        claimed = super().claim(connection, lease)
        self._found = _files_of(connection, [order.seq for order in claimed.rows])
        return claimed

    def taken(self, rows: Sequence[Order]) -> None:
        """Keep what is to be fetched until the orders are released."""
        super().taken(rows)
        self._files |= {(order.seq, order.claim): self._found.get(order.seq, ()) for order in rows}

    def released(self, rows: Sequence[Order]) -> None:
        """Forget it."""
        super().released(rows)
        for order in rows:
            self._files.pop((order.seq, order.claim), None)

    async def call(self, hand: Hand[Order, Decision], order: Order, _span: Span) -> Decision:
        """Fetch what is missing, one file after another, as long as they come."""
        files = self._files[order.seq, order.claim]
        room = self._largest - sum(file.size or 0 for file in files)
        for file in files:
            if file.size is not None:
                continue
            found = await self._file(order, file, room)
            if isinstance(found, Missed):
                return _following(order, file, found, self._now())
            hand.note(order, Fetched(order, Next.FETCHED, file=file.seq, content=found))
            room -= len(found)
        return Decision(order, Next.GENERATE)

    async def _file(self, order: Order, file: File, room: int) -> bytes | bytearray | Missed:
        address = self._unseal(file.address) if file.address else None
        if address is None:
            return Missed("its address is not kept any more, or was sealed with another VARSEL_WEBHOOK_KEY", REFUSED)
        answer = await self._outbound.fetch(address, room, party=order.creator)
        found = judge(answer)
        if not isinstance(found, Missed):
            return found
        missed = replace(found, reason=f"{host_of(address)}: {found.reason}")  # of the address, only the host is told
        log.info("an attachment could not be fetched: %s", missed.reason)
        return missed

    def groups(self, outcomes: Sequence[tuple[Order, Decision]]) -> Iterator[Sequence[tuple[Order, Decision]]]:
        """Each file has a transaction of its own, which bounds how long other writers wait."""
        rest: list[tuple[Order, Decision]] = []
        for order, decision in outcomes:
            if isinstance(decision, Fetched):
                yield [(order, decision)]
            else:
                rest.append((order, decision))
        yield from super().groups(rest)

    def record(self, connection: Connection, decisions: Sequence[Decision]) -> bool:
        """Store files; do what follows for the orders."""
        for each in decisions:
            match each:
                case Fetched():
                    given = {"its": each.file, "bytes": each.content, "length": len(each.content)}
                    connection.execute(_STORE, given)
                case FetchAgain() | NeverFetched():
                    connection.execute(_TELL, {"its": each.file, "claim": each.order.claim, "said": each.reason})
            if isinstance(each, NeverFetched):
                connection.execute(_FORGET, {"its": each.order.seq, "claim": each.order.claim})
        return super().record(connection, decisions)


def judge(answer: Answer | Failure) -> bytes | bytearray | Missed:
    """What the answer of a file's server means: the one table from HTTP to what users see (contract 6.6)."""
    if isinstance(answer, Failure):
        return Missed(answer.reason, REFUSED if isinstance(answer, Barred) else None)
    if answer.status == HTTPStatus.OK and _field(answer, b"content-encoding") not in ("", "identity"):
        return Missed("it is compressed (Content-Encoding)", REFUSED)
    if answer.status == HTTPStatus.OK:
        whole = answer.body if answer.complete else None
        return Missed("larger than attachments may be", EmailState.FAILED_PAYLOAD_TOO_LARGE) if whole is None else whole
    if answer.status in _PASSING or answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return Missed(f"status {answer.status}", left_alone=answer.retry_after)
    code = _field(answer, _CODE)
    harmful = _HARMFUL.search(code) is not None
    reason = f"status {answer.status}" + (f", {code}" if _WORD.fullmatch(code) else "")
    return Missed(reason, EmailState.FAILED_QUARANTINED if harmful else REFUSED)


def _field(answer: Answer, name: bytes) -> str:
    return next((value.decode("latin-1") for known, value in answer.headers if known.lower() == name), "")


def _following(order: Order, file: File, missed: Missed, now: datetime) -> Decision:
    """What follows for an order without this attachment: it is tried until its e-mails would expire."""
    if missed.state:
        return NeverFetched(order, Next.FAIL, missed.reason, missed.state, file.seq)
    left = (order.expires_at or order.requested_send_time + EXPIRY) - now
    if order.sending_window and not order.expires_at:  # it may have waited for days; the last try is after two more
        left = EXPIRY if order.attempts < LONG_TRIED else timedelta(0)
    if left <= timedelta(0):
        return NeverFetched(order, Next.FAIL, missed.reason, EmailState.FAILED_TTL, file.seq)
    delay = max(jittered(BACKOFF[min(order.attempts, len(BACKOFF) - 1)]), missed.left_alone or timedelta(0))
    return FetchAgain(order, Next.FETCH_AGAIN, missed.reason, min(delay, left), file.seq)


def _files_of(connection: Connection, seqs: Sequence[int]) -> Mapping[int, Sequence[File]]:
    """The attachments of orders, by the order's `seq`."""
    found: defaultdict[int, list[File]] = defaultdict(list)
    if seqs:
        for file in read(File, connection.execute(_FILES, {"orders": seqs})):
            found[file.order_seq].append(file)
    return found
