"""The contact directory: how to reach a person or an organisation that is known only by number.

`Directory` is what the engine needs. The table behind `varsel contacts import` provides it; a client of a contact
register could, too.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sqlalchemy import Connection, delete, select

from engine.db.tables import contacts
from engine.errors import Invalid
from engine.text.addresses import bare, read_address

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import TextIO

COLUMNS = ("identity", "name", "email", "reserved")
PERSON_DIGITS, ORGANIZATION_DIGITS = 11, 9
LONGEST_NAME = 500  # characters: it replaces each keyword of an order
CHUNK = 500  # identities per statement: SQLite allows 32,766 variables, but fewer are planned faster


@dataclass(frozen=True, slots=True)
class Contact:
    """How one identity is reached: several addresses for an organisation, at most one for a person."""

    name: str
    emails: tuple[str, ...]
    is_reserved: bool  # a person who declined electronic communication


class Directory(Protocol):
    """Looks identities up; those not in the answer are unknown. Raises Unavailable when it cannot be asked."""

    def look_up(self, connection: Connection, identities: Collection[str]) -> Mapping[str, Contact]:
        """Find persons (11 digits) and organisations (9 digits) by number."""


class ContactTable:
    """The directory in Varsel's own database."""

    def look_up(self, connection: Connection, identities: Collection[str]) -> Mapping[str, Contact]:
        """See Directory; addresses of an organisation that differ only in case are one (contract 5.11)."""
        found: dict[str, Contact] = {}
        wanted = sorted(identities)
        for start in range(0, len(wanted), CHUNK):
            chosen = contacts.c.identity.in_(wanted[start : start + CHUNK])
            for row in connection.execute(select(contacts).where(chosen).order_by(contacts.c.seq)):
                before = found.get(row.identity, Contact(row.name, (), is_reserved=False))
                known = {email.casefold() for email in before.emails}
                new = (row.email,) if row.email and row.email.casefold() not in known else ()
                found[row.identity] = Contact(row.name, before.emails + new, before.is_reserved or row.is_reserved)
        return found


def import_contacts(connection: Connection, source: TextIO) -> int:
    """Read CSV with the columns `identity,name,email,reserved`; returns the number of lines taken.

    The file's identities replace what was known of them; others stay. One bad line refuses the whole file: Invalid
    names each bad line and how to correct it.
    """
    rows: list[dict[str, str | bool]] = []
    errors: dict[str, list[str]] = {}
    persons: dict[str, int] = {}  # the line of each
    for line, entry in _entries(source):
        row, problems = _read_line(entry)
        identity = str(row["identity"])
        if len(identity) == PERSON_DIGITS and persons.setdefault(identity, line) != line:
            problems.append(f"a person has one address, and this one stands in line {persons[identity]} already")
        if problems:
            errors[f"line {line}"] = problems
        rows.append(row)
    if errors:
        raise Invalid(errors)
    replaced = sorted({str(row["identity"]) for row in rows})
    for start in range(0, len(replaced), CHUNK):
        connection.execute(delete(contacts).where(contacts.c.identity.in_(replaced[start : start + CHUNK])))
    if rows:
        connection.execute(contacts.insert(), rows)
    return len(rows)


def _entries(source: TextIO) -> Iterator[tuple[int, dict[str, str | None]]]:
    """The file's lines by number, without the first; Invalid when it is not such a file."""
    reader = csv.DictReader(source)
    try:
        missing = [column for column in COLUMNS[:3] if column not in (reader.fieldnames or ())]
        if missing:
            raise Invalid({"line 1": [f"the first line must name the columns {','.join(COLUMNS)}; missing: {missing}"]})
        for entry in reader:
            yield reader.line_num, entry
    except csv.Error as error:
        raise Invalid({f"line {reader.line_num + 1}": [f"is not CSV: {error}"]}) from None
    except UnicodeDecodeError:
        raise Invalid({f"after line {reader.line_num}": ["the file must be encoded in UTF-8"]}) from None


def _read_line(entry: dict[str, str | None]) -> tuple[dict[str, str | bool], list[str]]:
    """A line's row, and what is wrong with it."""
    identity, name, email = (bare(entry[column] or "") for column in COLUMNS[:3])
    reserved = (entry.get("reserved") or "false").strip().lower()
    problems = []
    if not (identity.isascii() and identity.isdigit() and len(identity) in (PERSON_DIGITS, ORGANIZATION_DIGITS)):
        problems.append("identity must be 11 digits (a person) or 9 digits (an organisation)")
    address = read_address(email) or ""
    if email and not address:
        problems.append("email is not an e-mail address; leave it empty when there is none")
    if len(name) > LONGEST_NAME:
        problems.append(f"name has more than {LONGEST_NAME} characters")
    if not name.isprintable():
        problems.append("name has a control character")
    if reserved not in ("true", "false"):
        problems.append("reserved must be true or false")
    return {"identity": identity, "name": name, "email": address, "is_reserved": reserved == "true"}, problems
