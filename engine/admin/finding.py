"""Something that is wrong, as people are told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypedDict

from engine.admin.advice import IN_CONSOLE, LOOK
from engine.text.language import translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


class See(TypedDict):
    """A list that shows more of it, with the words of the link."""

    resource: str
    filter: Mapping[str, str]
    text: str


class Finding(TypedDict):
    """What is wrong: its level (problem, warning), a sentence without its full stop, and what to do.

    `in_console`: what to do, for who looks at the console's overview. `resume`: kind and value of the pause that it
    tells of.
    """

    level: str
    text: str
    since: datetime | None
    advice: str
    in_console: str
    see: See | None
    resume: tuple[str, str] | None


def finding(
    level: str, text: str, since: datetime | None = None, advice: str | Sequence[str] = LOOK, see: See | None = None
) -> Finding:
    """A finding; its advice is a text that was marked, or several."""
    texts = [advice] if isinstance(advice, str) else advice
    return {
        "level": level,
        "text": text,
        "since": since,
        "advice": " ".join(map(translated, texts)),
        "in_console": " ".join(translated(IN_CONSOLE.get(each, each)) for each in texts),
        "see": see,
        "resume": None,
    }
