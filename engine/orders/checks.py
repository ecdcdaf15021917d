"""Rules that orders of both generations have in common (contract 4.2 to 4.7): each names the field that breaks it."""

from __future__ import annotations

import re
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

from engine.errors import Refused
from engine.models import LONGEST_SUBJECT
from engine.orders.contacts import ORGANIZATION_DIGITS, PERSON_DIGITS
from engine.orders.new_order import TOO_FAR
from engine.text import keywords
from engine.text.controls import NOT_IN_A_BODY, NOT_IN_A_LINE
from engine.text.urls import LOOPBACK_HOST

if TYPE_CHECKING:
    from datetime import datetime

    from engine.orders.rules import Limits
    from engine.outbound import Guard

GRACE = timedelta(minutes=5)  # a send time of the first generation may lie this far back (contract 4.2)
LONGEST_REFERENCE = 500  # characters: in any script, they fit into a PostgreSQL index entry
LONGEST_URL = 2_000

_PUBLIC_URL = re.compile(r"https?://[A-Za-z0-9.-]+\.[A-Za-z]{2,}(?::\d{1,5})?(?:[/?#][^\s]*)?", re.IGNORECASE)
_LOOPBACK_URL = re.compile(rf"https?://{LOOPBACK_HOST}(?::\d{{1,5}})?(?:[/?#][^\s]*)?", re.IGNORECASE)


class Broken:
    """Collects the broken rules per field. `place`: what the names of fields begin with, such as `Reminders[0].`."""

    __slots__ = ("errors", "place")

    def __init__(self, errors: dict[str, list[str]] | None = None, place: str = "") -> None:
        self.errors: dict[str, list[str]] = {} if errors is None else errors
        self.place = place

    def add(self, field: str, message: str) -> None:
        """A field, named from here, breaks a rule."""
        self.errors.setdefault(self.place + field, []).append(message)

    def within(self, place: str) -> Broken:
        """The same collection, for fields inside of this one."""
        return Broken(self.errors, f"{self.place}{place}.")


def check_texts(subject: str, body: str, broken: Broken) -> None:
    """Subject and body, which are not blank."""
    if len(subject) > LONGEST_SUBJECT:
        broken.add("Subject", f"A subject has at most {LONGEST_SUBJECT} characters.")
    if NOT_IN_A_LINE.search(subject):
        broken.add("Subject", "A subject must not contain control characters.")
    if keywords.count(subject, body) > keywords.MOST:
        broken.add("Body", f"An order has at most {keywords.MOST:,} keywords.")
    if NOT_IN_A_BODY.search(body):
        broken.add("Body", "A body must not contain control characters, except tabs and line ends.")


def check_time(when: datetime, earliest: datetime, broken: Broken) -> None:
    """A requested send time."""
    if when.tzinfo is None:
        broken.add("RequestedSendTime", "The requested send time must have a time zone, such as Z or +01:00.")
        when = zoned(when)
    if when < earliest:
        broken.add("RequestedSendTime", "The requested send time must not be in the past.")
    if when >= TOO_FAR:
        broken.add("RequestedSendTime", f"The requested send time must be before the year {TOO_FAR.year}.")


def zoned(when: datetime) -> datetime:
    """A time for further checks, if its lack of a zone is told already."""
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def check_name(field: str, text: str | None, broken: Broken) -> None:
    """A text of the sender's that is stored and shown."""
    if len(text or "") > LONGEST_REFERENCE:
        broken.add(field, f"At most {LONGEST_REFERENCE} characters are allowed.")
    if NOT_IN_A_LINE.search(text or ""):
        broken.add(field, "Control characters are not allowed.")


def check_action(action: str | None, resource: str | None, broken: Broken) -> None:
    """A resource's action."""
    if action and not ((resource or "").strip() and action.strip()):
        broken.add("ResourceAction", "A resource action needs a resourceId, and must not be blank.")


def check_endpoint(url: str, guard: Guard, broken: Broken) -> None:
    """A condition endpoint."""
    field = "ConditionEndpoint"
    fits = len(url) <= LONGEST_URL and url.isprintable()
    if not fits or not (_PUBLIC_URL.fullmatch(url) or (guard.allow_private and _LOOPBACK_URL.fullmatch(url))):
        broken.add(field, "The condition endpoint must be an absolute http or https address of a public host.")
        return
    try:
        guard.check_url(url)
    except Refused as error:
        broken.add(field, f"The condition endpoint is refused: {error}.")


def check_sender(given: str | None, limits: Limits, broken: Broken) -> None:
    """The sender that an order names."""
    if fault := limits.identities.fault(given, limits.sender):
        broken.add("SenderEmailAddress", fault)


def check_person(number: str, broken: Broken) -> None:
    """A national identity number."""
    if not _digits(number, PERSON_DIGITS):
        broken.add("NationalIdentityNumber", "A national identity number has exactly 11 digits.")


def check_organization(number: str, field: str, broken: Broken) -> None:
    """An organisation's number; each generation has its own name for the field."""
    if not _digits(number, ORGANIZATION_DIGITS):
        broken.add(field, "An organisation number has exactly 9 digits.")


def _digits(text: str, count: int) -> bool:
    return len(text) == count and text.isascii() and text.isdigit()
