"""Recipients as lines, of NDJSON or of CSV: each is read and checked by itself, so that none spoils those behind it.

Unlike in RFC 4180, no line of CSV ends within quotes. So a line is a recipient, wherever somebody begins to read, and a
quotation mark that is left open costs one line.
"""

from __future__ import annotations

import csv
from codecs import BOM_UTF8
from math import isfinite
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pydantic_core import from_json

from engine.errors import Invalid
from engine.orders.checks import Broken, check_organization, check_person
from engine.queue.windows import zones
from engine.templating.content import LOCALE
from engine.text.addresses import bare, read_address

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from engine.orders.new_order import Recipient

LONGEST_LINE = 16_384  # bytes
MOST_VALUES = 100  # of a recipient
LONGEST_NAME = 100  # characters of a value's name
OTHER_ENDS = "Lines end with LF or CRLF; CR alone ends none."
HEADER = "line 1"  # the field of what is wrong with a CSV's first line
_EMAIL, _PERSON, _ORGANIZATION = "emailAddress", "nationalIdentityNumber", "organizationNumber"
_KNOWN_BY = {name.lower(): name for name in (_EMAIL, _PERSON, _ORGANIZATION)}
_LOCALE, _ZONE = "locale", "timeZone"
_OWN = {name.lower(): name for name in (_LOCALE, _ZONE)}
_MEMBERS = _KNOWN_BY | _OWN | {"values": "values"}
_ONE_OF_THEM = "A recipient needs one of emailAddress, nationalIdentityNumber and organizationNumber, and no other."
_VALUES = frozenset({str, int, float, bool, type(None)})
_SEPARATORS = ",;\t"  # what spreadsheets write


class Fault(NamedTuple):
    """Why a line is not a recipient; `column`: what is wrong, "" if that is the whole line."""

    column: str
    reason: str


class Form(Protocol):
    """How lines are written."""

    def read(self, line: bytes) -> Recipient | Fault | None:
        """The recipient of a line; None: the line is blank."""


class JsonLines:
    """Each line is a JSON object: a recipient as orders have it, perhaps with `values` of its own."""

    def read(self, line: bytes) -> Recipient | Fault | None:
        """See Form."""
        if not line or line.isspace():
            return None
        try:
            found = from_json(line.removeprefix(BOM_UTF8), allow_inf_nan=False, cache_strings="keys")
        except ValueError as error:
            return Fault("", f"This is not JSON: {error}.")
        if not isinstance(found, dict):
            return Fault("", "A line must be a JSON object.")
        address = found.get(_EMAIL)
        if len(found) == 1 + ("values" in found) and type(address) is str and (address := read_address(address)):
            usual: Recipient = {"emailAddress": address}  # as nearly all lines are
            return _with_values(usual, found["values"]) if "values" in found else usual
        return self._checked(found)

    def _checked(self, found: dict[str, object]) -> Recipient | Fault:
        given: dict[str, object] = {}
        for name, member in found.items():
            known = _MEMBERS.get(name.lower())
            if known is None:
                return Fault(name[:LONGEST_NAME], "A recipient has no such member; what is its own stands in values.")
            if known != "values" and not (member is None or isinstance(member, str)):
                return Fault(known, "This must be a string.")
            given[known] = member
        values = given.pop("values", None)
        own = {name: str(given.pop(name) or "") for name in _OWN.values() if name in given}
        entry = _with_own(_recipient(**{name: str(member) for name, member in given.items() if member}), own)
        return entry if values is None or isinstance(entry, Fault) else _with_values(entry, values)


class CsvLines:
    """Lines of CSV under `header`, their first one; Invalid if that does not name the columns of recipients.

    Columns that are no address are values, and texts. The separator is a comma, a semicolon or a tab.
    """

    def __init__(self, header: bytes) -> None:
        try:
            text = header.removeprefix(BOM_UTF8).decode()
        except UnicodeDecodeError:
            raise Invalid({HEADER: ["The text must be UTF-8."]}) from None
        self._separator = max(_SEPARATORS, key=text.count)
        cells = Fault("", OTHER_ENDS) if "\r" in text.rstrip("\r") else self._cells(text)
        if isinstance(cells, Fault):
            raise Invalid({HEADER: [cells.reason]})
        names = [bare(name) for name in cells]
        _check_names(names)
        self._width = len(names)
        self._known_by = [(place, _KNOWN_BY[name.lower()]) for place, name in enumerate(names) if _is_known(name)]
        self._emails_alone = [name for _, name in self._known_by] == [_EMAIL]
        self._own = [(place, _OWN[name.lower()]) for place, name in enumerate(names) if name.lower() in _OWN]
        itself = _KNOWN_BY | _OWN
        self._values = [(place, name) for place, name in enumerate(names) if name.lower() not in itself]

    def read(self, line: bytes) -> Recipient | Fault | None:
        """See Form."""
        try:
            cells = self._cells(line.decode())
        except UnicodeDecodeError:
            return Fault("", "The text must be UTF-8.")
        if isinstance(cells, Fault):
            return cells
        if not any(cells):
            return None
        if len(cells) != self._width:
            return Fault("", f"The line has {len(cells)} cells, but the first line names {self._width} columns.")
        known_by = {name: cells[place] for place, name in self._known_by if cells[place]}
        if self._emails_alone and (address := read_address(known_by.get(_EMAIL, ""))):
            entry: Recipient | Fault = {"emailAddress": address}
        else:
            entry = _recipient(**known_by)
        entry = _with_own(entry, {name: cells[place] for place, name in self._own})
        if self._values and not isinstance(entry, Fault):
            entry["values"] = {name: cells[place] for place, name in self._values}
        return entry

    def _cells(self, text: str) -> Sequence[str] | Fault:
        if '"' not in text:
            return text.split(self._separator)
        try:
            return next(csv.reader((text,), delimiter=self._separator, strict=True))
        except csv.Error as error:
            return Fault(
                "", f"This is not CSV in one line: a quotation mark is open at its end, or stands alone ({error})."
            )


def key(recipient: Recipient) -> str:
    """What recipients who are the same have in common."""
    address = recipient.get("emailAddress")
    if address:
        return address.lower()
    return recipient.get("nationalIdentityNumber") or recipient.get("organizationNumber") or ""


def _recipient(
    emailAddress: str = "",  # noqa: N803 as posted
    nationalIdentityNumber: str = "",  # noqa: N803
    organizationNumber: str = "",  # noqa: N803
) -> Recipient | Fault:
    if bool(emailAddress) + bool(nationalIdentityNumber) + bool(organizationNumber) != 1:
        return Fault("", _ONE_OF_THEM)
    if emailAddress:
        address = read_address(emailAddress)
        return {"emailAddress": address} if address else Fault(_EMAIL, "This is not a valid e-mail address.")
    broken = Broken()
    number = bare(nationalIdentityNumber or organizationNumber)
    if nationalIdentityNumber:
        check_person(number, broken)
        entry: Recipient = {"nationalIdentityNumber": number}
    else:
        check_organization(number, "OrganizationNumber", broken)
        entry = {"organizationNumber": number}
    told = next(iter(broken.errors.values()), None)
    return Fault(next(iter(entry)), told[0]) if told else entry


def _with_own(entry: Recipient | Fault, own: Mapping[str, str]) -> Recipient | Fault:
    """With the recipient's locale and zone, if they are given."""
    if isinstance(entry, Fault):
        return entry
    if locale := own.get(_LOCALE):
        if not LOCALE.fullmatch(locale):
            return Fault(_LOCALE, "A locale is a language with its subtags, such as nb or en-GB.")
        entry["locale"] = locale
    if zone := own.get(_ZONE):
        if zone not in zones():
            return Fault(_ZONE, "This is no IANA time zone, such as Europe/Oslo.")
        entry["timeZone"] = zone
    return entry


def _with_values(entry: Recipient, given: object) -> Recipient | Fault:
    if not isinstance(given, dict):
        return Fault("values", "This must be a JSON object.")
    if len(given) > MOST_VALUES:
        return Fault("values", f"A recipient has at most {MOST_VALUES} values.")
    for name, value in given.items():
        if len(name) > LONGEST_NAME:
            return Fault("values", f"The name of a value has at most {LONGEST_NAME} characters.")
        if type(value) not in _VALUES or (type(value) is float and not isfinite(value)):
            return Fault(f"values.{name}", "A value must be a string, a number, true, false or null.")
    entry["values"] = given
    return entry


def _check_names(names: Sequence[str]) -> None:
    lower = [name.lower() for name in names]
    if not any(map(_is_known, names)):
        text = f"The first line must name the columns, one of them {_EMAIL}, {_PERSON} or {_ORGANIZATION}."
    elif not all(names):
        text = "Each column needs a name."
    elif len(set(lower)) != len(lower):
        text = "Two columns have the same name."
    elif len(names) > MOST_VALUES or max(map(len, names)) > LONGEST_NAME:
        text = f"There are at most {MOST_VALUES} columns, whose names have at most {LONGEST_NAME} characters."
    else:
        return
    raise Invalid({HEADER: [text]})


def _is_known(name: str) -> bool:
    return name.lower() in _KNOWN_BY
