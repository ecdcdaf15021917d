"""The rules for posted attachments (contract 4.5), each with its message, and what they become."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import httpx

from engine.errors import Refused
from engine.orders.attachment_request import MIME_TYPES, MOST
from engine.orders.attachments import NewAttachment
from engine.orders.checks import LONGEST_URL
from engine.orders.new_order import TOO_FAR
from engine.text.controls import NOT_IN_A_LINE

if TYPE_CHECKING:
    from collections.abc import Sequence

    from engine.orders.attachment_request import AttachmentRequest
    from engine.orders.checks import Broken
    from engine.orders.rules import Limits

    Posted = Sequence[AttachmentRequest | None]

LONGEST_LABEL = 63  # characters between two dots of a host's name (RFC 1035, 2.3.4)
LONGEST_NAME = 255  # bytes of a filename in UTF-8, as many as file systems take
AZURE = ".blob.core.windows.net"  # hosts whose signatures have a form that is known
VALID_FOR = timedelta(minutes=15)  # after the send time, at least
_SIGNED = ("se", "sig", "sp", "sr")

# They can make a name look like another: directions, and what is not seen.
_DIRECTIONS = re.compile("[\u061c\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\U000e0000-\U000e007f]")
_CONTENT_ID = re.compile(r"[A-Za-z0-9._+-]{1,100}(?:@[A-Za-z0-9._-]{1,100})?")  # what a cid: URL has as it is


def check_attachments(given: Posted | None, at: datetime, limits: Limits, broken: Broken, *, html: bool) -> None:
    """The attachments of an e-mail that is to be sent `at` a time, and whose text may be `html`."""
    if not given:
        return
    if len(given) > MOST:
        broken.add("Attachments", f"An e-mail has at most {MOST} attachments.")
    if sum(len(each.content or b"") for each in given if each) > limits.attachment_bytes:
        broken.add(
            "Attachments", f"The attachments of an e-mail have at most {limits.attachment_bytes:,} bytes together."
        )
    for place, each in enumerate(given[:MOST]):
        if each is None:
            broken.add(f"Attachments[{place}]", "An attachment must not be null.")
        else:
            _check(each, at, limits, broken, f"Attachments[{place}]")
            _check_content_id(each, [other.content_id for other in given[:place] if other], broken, place, html=html)


def enclosed(given: Posted | None) -> tuple[NewAttachment, ...]:
    """The attachments, whose rules were checked."""
    return tuple(
        NewAttachment(
            each.filename.strip(), MIME_TYPES[each.mime_type.lower()], each.content_id, each.content, each.sas_url
        )
        for each in given or ()
        if each
    )


def _check(given: AttachmentRequest, at: datetime, limits: Limits, broken: Broken, place: str) -> None:
    within = broken.within(place)
    _check_name(given.filename, within)
    if given.mime_type.lower() not in MIME_TYPES:
        within.add("MimeType", "Files of this mimeType are not sent; the page /docs lists those that are.")
    if (given.content is None) == (given.sas_url is None):
        broken.add(place, "An attachment has either content or sasUrl.")
    elif given.sas_url is not None and _check_address(given.sas_url, limits, within):
        _check_signature(given.sas_url, at, broken, place)


def _check_name(name: str, broken: Broken) -> None:
    _, dot, extension = name.rpartition(".")
    if not name.strip():
        broken.add("Filename", "The filename must not be blank.")
    elif len(name.encode()) > LONGEST_NAME:
        broken.add("Filename", f"A filename has at most {LONGEST_NAME} bytes in UTF-8.")
    elif NOT_IN_A_LINE.search(name) or _DIRECTIONS.search(name):
        broken.add("Filename", "A filename must not contain control characters.")
    elif "/" in name or "\\" in name or not dot or not extension.strip():
        broken.add("Filename", "A filename has an extension, as in vedtak.pdf, and neither / nor \\.")


def _check_content_id(
    given: AttachmentRequest, before: Sequence[str | None], broken: Broken, place: int, *, html: bool
) -> None:
    name = given.content_id
    if name is None:
        return
    within = broken.within(f"Attachments[{place}]")
    if not _CONTENT_ID.fullmatch(name):
        within.add("ContentId", "A contentId has letters, digits and any of ._+-; an @ and a domain may follow.")
    if name in before:
        within.add("ContentId", "Another attachment has this contentId.")
    if not html or not given.mime_type.lower().startswith("image/"):
        within.add("ContentId", "Only an image of an e-mail with the contentType Html has a contentId.")


def _check_address(address: str, limits: Limits, broken: Broken) -> bool:
    """Whether it is an address that may be fetched from; no message has any part of it."""
    if len(address) > LONGEST_URL or not address.isprintable():
        broken.add("SasUrl", f"A sasUrl has at most {LONGEST_URL:,} characters, none of them control characters.")
        return False
    try:
        limits.guard.check_url(address)
    except Refused as error:
        broken.add("SasUrl", f"The sasUrl must be an absolute https address: {error}.")
        return False
    if not all(0 < len(label) <= LONGEST_LABEL for label in host_of(address).removesuffix(".").split(".")):
        broken.add("SasUrl", "The host of the sasUrl is no name: a part of it is empty or too long.")
        return False
    if not is_allowed(host_of(address), limits.attachment_hosts):
        broken.add(
            "SasUrl", f"The sasUrl must lie on a host that is allowed here: {', '.join(limits.attachment_hosts)}."
        )
        return False
    return True


def host_of(address: str) -> str:
    """The host that a call goes to, in ASCII and lower case."""
    return httpx.URL(address).raw_host.decode("ascii").lower()


def is_allowed(host: str, hosts: Sequence[str]) -> bool:
    """Whether a host is one of these: a name, or the end of names behind `*`."""
    return any(
        host.endswith(each[1:]) and len(host) >= len(each) if each.startswith("*.") else host == each
        for each in map(str.lower, hosts)
    )


def _check_signature(address: str, at: datetime, broken: Broken, place: str) -> None:
    """The signature of an address at Azure Blob Storage: for one blob, to read it, and valid for long enough."""
    if not host_of(address).endswith(AZURE):
        return
    pairs = parse_qsl(httpx.URL(address).query.decode("ascii"), keep_blank_values=True)
    given = {name.lower(): value for name, value in pairs}
    within = broken.within(place)
    expiry = _instant(given.get("se", ""))
    if (
        not all(given.get(name, "").strip() for name in _SIGNED)
        or given["sr"].lower() != "b"
        or len(pairs) != len(given)
    ):
        within.add("SasUrl", "The sasUrl must be signed for one blob: it needs se, sig, sp, and sr=b.")
    elif expiry is None:
        within.add("SasUrl", "The end of the signature (se) is no time.")
    elif "r" not in given["sp"]:
        within.add("SasUrl", "The signature must allow to read: sp has an r.")
    elif expiry < min(at, TOO_FAR) + VALID_FOR:
        minutes = VALID_FOR // timedelta(minutes=1)
        broken.add(place, f"The signature must be valid until {minutes} minutes after the requested send time.")


def _instant(text: str) -> datetime | None:
    try:
        found = datetime.fromisoformat(text.strip())
        return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None
