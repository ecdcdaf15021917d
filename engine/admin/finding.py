"""Something that is wrong, as people are told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from engine.admin.advice import LOOK
from engine.text.language import translated

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime


class See(TypedDict):
    """A list that shows more of it, with the words of the link."""

    resource: str
    filter: Mapping[str, str]
    text: str


class Finding(TypedDict):
    """What is wrong: its level (problem, warning), a sentence without its full stop, and what to do."""

    level: str
    text: str
    since: datetime | None
    advice: str
    see: See | None


def finding(
    level: str, text: str, since: datetime | None = None, advice: str = LOOK, see: See | None = None
) -> Finding:
    """A finding; its advice is a text that was marked."""
    return {"level": level, "text": text, "since": since, "advice": translated(advice), "see": see}
