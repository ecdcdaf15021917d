"""Posted attachments of e-mails, and the types of their members; their rules are in attachment_rules.py."""

from __future__ import annotations

from base64 import b64decode, b64encode
from typing import Annotated

from pydantic import BeforeValidator, Field, WithJsonSchema
from pydantic_core import PydanticCustomError

from engine.orders.members import Members

MOST = 10  # attachments of one e-mail
QUANTUM = 4  # characters of base64 that stand for three bytes

# The media types that Altinn's provider takes (contract 4.5).
_SUBTYPES = {
    "application": """
        epub+zip gzip json msword ogg onenote pdf rtf vnd.ms-excel vnd.ms-excel.sheet.binary.macroEnabled.12
        vnd.ms-excel.sheet.macroEnabled.12 vnd.ms-fontobject vnd.ms-outlook vnd.ms-powerpoint
        vnd.ms-powerpoint.presentation.macroEnabled.12 vnd.ms-powerpoint.slideshow.macroEnabled.12 vnd.ms-publisher
        vnd.ms-word.document.macroEnabled.12 vnd.openxmlformats-officedocument.presentationml.presentation
        vnd.openxmlformats-officedocument.presentationml.slideshow vnd.openxmlformats-officedocument.spreadsheetml.sheet
        vnd.openxmlformats-officedocument.wordprocessingml.document vnd.visio x-7z-compressed x-rar-compressed x-tar xml
        zip""",
    "audio": "aac midi mpeg ogg opus wav webm x-ms-wma",
    "font": "otf ttf woff woff2",
    "image": "bmp gif jpeg png svg+xml tiff vnd.microsoft.icon webp",
    "text": "calendar csv plain xml",
    "video": "3gpp 3gpp2 mp4 mpeg ogg webm x-ms-wmv x-msvideo",
}
MIME_TYPES = {
    f"{kind}/{subtype}".lower(): f"{kind}/{subtype}" for kind, texts in _SUBTYPES.items() for subtype in texts.split()
}


def _base64(value: object) -> object:
    """The bytes of a base64 text as RFC 4648, 4, writes it: no white space, padded, no bit that means nothing."""
    if value is None:
        return None
    text = value if isinstance(value, str) else "="
    try:
        content = b64decode(text, validate=True)
    except ValueError:
        content = None
    if content is None or b64encode(content[len(content) // 3 * 3 :] or content[-3:]).decode() != text[-QUANTUM:]:
        raise PydanticCustomError("base64", "must be base64 (RFC 4648, 4), without white space and with its padding")
    return content


Base64 = Annotated[
    bytes | None,
    BeforeValidator(_base64),
    WithJsonSchema({"anyOf": [{"type": "string", "contentEncoding": "base64"}, {"type": "null"}]}),
]


class AttachmentRequest(Members):
    """A file that comes with the e-mail: its content, or the address where it is fetched when the e-mail is due."""

    filename: str = Field(description="as the recipient sees it, with its extension", examples=["vedtak.pdf"])
    mime_type: str = Field(
        description=f"in any case one of {', '.join(sorted(MIME_TYPES.values()))}", examples=["application/pdf"]
    )
    content: Base64 = Field(None, description="the file in base64, in place of sasUrl")
    sas_url: str | None = Field(
        None,
        description="https, on a host that the installation allows; the signature of an address at Azure Blob Storage"
        " must be valid until 15 minutes after the send time",
        repr=False,
    )
    content_id: str | None = Field(
        None, description="of an image that the HTML shows: <img src='cid:NAME'> with NAME the contentId"
    )


Attachments = Annotated[
    tuple[AttachmentRequest | None, ...] | None, Field(description="files that come with the e-mail")
]
