"""Erasing a person by address, in short transactions: what stops in between is begun anew.

Nothing is taken out of a worker's hands: while an e-mail to the address or its order is in flight, the erasure is
refused. What waits is settled or cancelled first, and its sender is told. What others know by number (retention,
chains, events' readers, counts of orders) keeps its rows.
"""

from __future__ import annotations

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, func, or_, select, update

from engine.admin import changes
from engine.admin.persons.portions import Place
from engine.admin.persons.portions import take_out as take_out_of_portions
from engine.admin.persons.recipients import take_out, take_out_of_recurring
from engine.admin.persons.windows import ORDERS, TEXTS, Steps, Walk, walking
from engine.db.blocks import everywhere
from engine.db.dialects import Now
from engine.db.records import Email, columns, read
from engine.db.tables import api_keys, contacts, email_attempts, emails, orders, subscription_filters, subscriptions
from engine.email.outcomes import record, unsent
from engine.errors import Conflict
from engine.events import completing
from engine.models import EmailState
from engine.observability.audit import note
from engine.subscriptions import registry
from engine.text.language import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, Connection, Row

    from engine.admin.persons.person import Person
    from engine.admin.persons.windows import Step


AT_ONCE = 50  # e-mails of one transaction
REASON = "not sent: the recipient was erased"
_IN_FLIGHT = (emails.c.state == EmailState.SENDING, emails.c.due_at > Now())
_OPEN = or_(emails.c.due_at.is_not(None), emails.c.paused_by.is_not(None))
_WITHOUT = {"address": "", "national_identity_number": None, "recipient_name": None, "subject": None, "body": None}
_WITHOUT |= {"given": None}
_WAITS_NO_MORE = {"rank": None, "paused_by": None, "waits_for": None}


class Erasure(Steps):
    """The erasure of one person; call `step` in a transaction of its own until it returns False.

    `mark`: what the audit log calls the person. Conflict when something is in flight; nothing is half done then within
    a transaction, and another erasure goes on.
    """

    def __init__(self, person: Person, who: str, mark: str) -> None:
        self.counts: Counter[str] = Counter()  # by kind: the receipt
        self.mark = mark
        self._person = person
        self._who = who
        super().__init__(self._all())

    @property
    def receipt(self) -> dict[str, Any]:
        """What was erased, by kind; the address is not in it."""
        return {"erased": self.mark, "counts": dict(sorted(self.counts.items()))}

    def _all(self) -> Iterator[Step]:
        yield self._begin
        yield self._recurring  # before orders, of which it makes further ones
        yield self._waiting
        yield self._emails
        yield walking(ORDERS, self._person, self._orders, lock=True)
        yield self._portions()
        yield self._emails  # what was made of orders and portions since the first look
        yield self._small_tables
        for kind, walk in TEXTS.items():
            yield walking(walk, self._person, partial(self._texts, kind, walk), lock=True)
        yield self._end

    def _begin(self, connection: Connection) -> bool:
        """Refuse while something is in flight; say in the audit log that it begins."""
        self._refuse(connection, *self._its(connection))
        note(connection, self._who, "erase", f"persons/{self.mark}", {"begun": True})
        return False

    def _end(self, connection: Connection) -> bool:
        note(connection, self._who, "erase", f"persons/{self.mark}", dict(sorted(self.counts.items())))
        return False

    def _its(self, connection: Connection) -> tuple[Any, Any]:
        return everywhere(connection, emails), func.lower(emails.c.address).in_(self._person.spellings)

    def _refuse(self, connection: Connection, *which: ColumnElement[bool]) -> None:
        """Conflict when one of these e-mails is in flight."""
        if connection.scalar(select(emails.c.seq).where(*which, *_IN_FLIGHT).limit(1)):
            raise Conflict(_("An e-mail to this address is being sent at this moment; try again in a minute."))

    def _locked(self, connection: Connection, *which: ColumnElement[bool]) -> tuple[Sequence[Row[int, int]], bool]:
        """Some of the person's e-mails, locked behind their orders; and whether there may be others.

        What somebody else has locked is a worker's, who waits for the order: it is looked at again.
        """
        chosen = select(emails.c.seq, emails.c.order_seq).where(*self._its(connection), *which).order_by(emails.c.seq)
        found = connection.execute(chosen.limit(AT_ONCE)).all()
        its = emails.c.seq.in_([row.seq for row in found])
        completing.lock(connection, {row.order_seq for row in found}, shared=False)
        self._refuse(connection, its)
        return connection.execute(chosen.where(its).with_for_update(skip_locked=True)).all(), bool(found)

    def _waiting(self, connection: Connection) -> bool:
        """Settle the e-mails that wait: nobody sends them, and their senders are told."""
        rows, more = self._locked(connection, _OPEN)
        self._settle(connection, [row.seq for row in rows])
        return more

    def _settle(self, connection: Connection, seqs: Sequence[int]) -> None:
        its = emails.c.seq.in_(seqs)
        self._refuse(connection, its)
        waiting = read(Email, connection.execute(select(*columns(Email, emails.c)).where(its, _OPEN)))
        connection.execute(update(emails).where(its).values(_WAITS_NO_MORE))
        if waiting:
            record(connection, [unsent(email, EmailState.FAILED, "abandoned", REASON) for email in waiting])
        self.counts["e-mails that waited"] += len(waiting)

    def _emails(self, connection: Connection) -> bool:
        """Take the person out of e-mails, of their attempts and of their orders."""
        rows, more = self._locked(connection)
        if not rows:
            return more
        seqs = [row.seq for row in rows]
        self._settle(connection, seqs)  # what an order became meanwhile
        changed, _ = take_out(connection, self._person, {row.order_seq for row in rows})
        connection.execute(update(emails).where(emails.c.seq.in_(seqs)).values(_WITHOUT))
        said = connection.execute(select(email_attempts).where(email_attempts.c.email_seq.in_(seqs)))
        self._impersonal(connection, said.all())
        self.counts.update({"e-mails": len(rows), "orders": changed})
        return more

    def _impersonal(self, connection: Connection, attempts: Sequence[Row[Any]]) -> None:
        """Of relays' replies, keep what is no address."""
        for attempt in attempts:
            words = ["<address>" if "@" in word else word for word in attempt.reply.split()]
            if "<address>" in words:
                its = email_attempts.c.seq == attempt.seq
                connection.execute(update(email_attempts).where(its).values(reply=" ".join(words)))

    def _orders(self, connection: Connection, rows: Sequence[Row[Any]]) -> None:
        """Orders that have no e-mails to the address: they wait, or ended without."""
        found = {row.seq for row in rows if self._person.stands_in(row.recipients)}
        made = select(emails.c.order_seq).where(*self._its(connection), emails.c.order_seq.in_(found))
        found.difference_update(connection.scalars(made))  # `_emails` takes those, after this
        busy = select(orders.c.seq).where(orders.c.seq.in_(found), orders.c.unresolved > 0, orders.c.due_at > Now())
        if connection.scalar(busy.limit(1)):
            raise Conflict(_("An order to this address is being processed at this moment; try again in a minute."))
        changed, alone = take_out(connection, self._person, found)
        waits = or_(orders.c.due_at.is_not(None), orders.c.paused_by.is_not(None))
        waiting = connection.scalars(select(orders.c.seq).where(orders.c.seq.in_(alone), waits)).all()
        if waiting:
            changes.cancel(connection, waiting, None)
        self.counts.update({"orders": changed, "orders that waited": len(waiting)})

    def _portions(self) -> Step:
        """Take the person out of the recipients that followed their order."""
        after: Place | None = Place()

        def step(connection: Connection) -> bool:
            nonlocal after
            changed, after = take_out_of_portions(connection, self._person, after or Place())
            self.counts["orders"] += changed
            return after is not None

        return step

    def _recurring(self, connection: Connection) -> bool:
        self.counts["recurring orders"] += take_out_of_recurring(connection, self._person)
        return False

    def _small_tables(self, connection: Connection) -> bool:
        """The contact directory, subscriptions that send there, and guests of keys."""
        its = func.lower(contacts.c.email).in_(self._person.spellings)
        self.counts["contacts"] += connection.execute(delete(contacts).where(its)).rowcount
        sinks = select(subscriptions.c.seq, subscriptions.c.endpoint).where(
            subscriptions.c.endpoint.like("mailto:%"), registry.KEPT
        )
        for row in connection.execute(sinks).all():
            if self._person.has(row.endpoint.partition(":")[2]):
                self._remove_sink(connection, row.seq)
        for row in connection.execute(select(api_keys.c.seq, api_keys.c.guests).where(api_keys.c.guests != "")).all():
            guests = [guest for guest in row.guests.split() if not self._person.has(guest)]
            if len(guests) < len(row.guests.split()):
                its_key = api_keys.c.seq == row.seq
                connection.execute(update(api_keys).where(its_key).values(guests=" ".join(guests)))
                self.counts["guests of keys"] += 1
        return False

    def _remove_sink(self, connection: Connection, seq: int) -> None:
        """End a subscription that sends to the address; retention removes it with its deliveries."""
        registry.stop(connection, seq, N_("Its recipient was erased."))
        connection.execute(delete(subscription_filters).where(subscription_filters.c.subscription_seq == seq))
        gone = {"removed": Now(), "fingerprint": f"removed {seq}"}
        connection.execute(update(subscriptions).where(subscriptions.c.seq == seq).values(gone))
        self.counts["subscriptions that sent there"] += 1

    def _texts(self, kind: str, walk: Walk, connection: Connection, rows: Sequence[Row[Any]]) -> None:
        """Take the address out of texts."""
        for row in rows:
            texts: Mapping[str, str] = {name: getattr(row, name) for name in walk.columns if getattr(row, name)}
            values = {name: self._person.taken_out(text) for name, text in texts.items()}
            if values != texts:
                connection.execute(update(walk.table).where(walk.table.c.seq == row.seq).values(values))
                self.counts[kind] += 1
