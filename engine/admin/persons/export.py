"""All that is known of an address, as one document: for the person who asks (GDPR, article 15)."""

from __future__ import annotations

import json
from collections import defaultdict
from functools import partial
from typing import TYPE_CHECKING, Any

from sqlalchemy import func, select

from engine.admin.persons.portions import Place, entries_of
from engine.admin.persons.recipients import with_person
from engine.admin.persons.windows import ORDERS, TEXTS, Steps, Walk, walking
from engine.admin.templates import template_of
from engine.db.blocks import everywhere
from engine.db.tables import api_keys, contacts, email_attempts, emails, orders
from engine.observability.audit import note

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection, Row

    from engine.admin.persons.person import Person
    from engine.admin.persons.windows import Step


AT_ONCE = 500  # e-mails of one view
_EMAIL = ("id", "state", "last_update", "expires_at", "attempts", "address", "organization_number")
_NUMBER = "national_identity_number"
_ORDER = ("id", "creator", "senders_reference", "created", "requested_send_time", "state", "subject", "body")
_RECURRING = ("id", "creator", "name", "created", "cron", "zone")
_ATTEMPT = ("at", "outcome", "code", "reply", "relay")


class Export(Steps):
    """The export of one person; call `step` on a view of its own until it returns False. Then `document` is whole."""

    def __init__(self, person: Person) -> None:
        self._person = person
        self._found: dict[str, list[dict[str, Any]]] = defaultdict(list)
        self._of_emails: set[int] = set()  # the `seq` of orders that are shown with their e-mails
        super().__init__(self._all())

    @property
    def document(self) -> Mapping[str, Any]:
        """What was found, by kind."""
        return {"address": self._person.address, "contacts": [], "emails": [], "orders": [], **self._found}

    def _all(self) -> Iterator[Step]:
        yield self._contacts
        yield self._standing
        yield self._emails()
        yield walking(ORDERS, self._person, self._orders)
        yield self._portions()
        for kind, walk in TEXTS.items():
            yield walking(walk, self._person, partial(self._texts, kind, walk))

    def _contacts(self, connection: Connection) -> bool:
        its = func.lower(contacts.c.email).in_(self._person.spellings)
        shown = ("identity", "name", "email", "is_reserved")
        self._found["contacts"] += [_shown(row, shown) for row in connection.execute(select(contacts).where(its))]
        return False

    def _standing(self, connection: Connection) -> bool:
        """What may lead to further e-mails: recurring orders, and team keys that have the person as a guest."""
        for row in connection.execute(with_person(self._person)).all():
            made_of = json.loads(row.order_row)["order"]
            if any(self._person.has(each.get("emailAddress", "")) for each in json.loads(made_of["recipients"])):
                its = {name: made_of.get(name) for name in ("subject", "body")}
                self._found["recurring orders"].append(_shown(row, _RECURRING) | its)
        keys = connection.execute(select(api_keys).where(api_keys.c.guests != "").order_by(api_keys.c.seq))
        self._found["guests of keys"] += [
            _shown(row, ("creator", "name")) for row in keys if any(map(self._person.has, row.guests.split()))
        ]
        return False

    def _emails(self) -> Step:
        after = 0

        def step(connection: Connection) -> bool:
            nonlocal after
            its = func.lower(emails.c.address).in_(self._person.spellings)
            chosen = select(emails).where(everywhere(connection, emails), its, emails.c.seq > after)
            rows = connection.execute(chosen.order_by(emails.c.seq).limit(AT_ONCE)).all()
            if not rows:
                return False
            self._tell(connection, rows)
            after = rows[-1].seq
            return True

        return step

    def _tell(self, connection: Connection, rows: Sequence[Row[Any]]) -> None:
        """E-mails with their orders and attempts."""
        of = email_attempts.c.email_seq.in_([row.seq for row in rows])
        tried = defaultdict[int, list[dict[str, Any]]](list)
        for line in connection.execute(select(email_attempts).where(of).order_by(email_attempts.c.seq)):
            tried[line.email_seq].append(_shown(line, _ATTEMPT))
        its = select(orders).where(orders.c.seq.in_({row.order_seq for row in rows}))
        ordered = {
            row.seq: _shown(row, _ORDER) | {"template": template_of(connection, row.template_id)}
            for row in connection.execute(its)
        }
        self._of_emails |= ordered.keys()
        self._found["emails"] += [
            _shown(row, (*_EMAIL, _NUMBER))
            | {"given": json.loads(row.given or "null"), "order": ordered[row.order_seq], "timeline": tried[row.seq]}
            for row in rows
        ]

    def _orders(self, _connection: Connection, rows: Sequence[Row[Any]]) -> None:
        """Orders to the address that have no e-mails to it."""
        for row in rows:
            if row.seq not in self._of_emails and self._person.stands_in(row.recipients):
                entries = [
                    each for each in json.loads(row.recipients) if self._person.has(each.get("emailAddress", ""))
                ]
                self._found["orders"].append(_shown(row, _ORDER) | {"recipients": entries})

    def _portions(self) -> Step:
        """Recipients that followed their order and have no e-mail yet."""
        after: Place | None = Place()

        def step(connection: Connection) -> bool:
            nonlocal after
            found, after = entries_of(connection, self._person, after or Place())
            self._found["recipients without an e-mail yet"] += found
            return after is not None

        return step

    def _texts(self, kind: str, walk: Walk, _connection: Connection, rows: Sequence[Row[Any]]) -> None:
        for row in rows:
            texts = {name: text for name in walk.columns if (text := getattr(row, name))}
            if any(map(self._person.stands_in, texts.values())):
                self._found[kind].append({"number": row.seq} | texts)


def note_export(connection: Connection, who: str, mark: str) -> None:
    """Say in the audit log that somebody was told; `mark` stands for the address."""
    note(connection, who, "export", f"persons/{mark}")


def _shown(row: Row[Any], names: Sequence[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
