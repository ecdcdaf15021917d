"""What becomes of the e-mails of relays that cannot be used: what a worker has stored, in the reader's language."""

from __future__ import annotations

from engine.email.routing import AND_THOSE, OTHERS, WAIT_FOR, WHOSE
from engine.text.language import _, retold, translated


def of_effect(text: str) -> str:
    """What becomes of them, as routes say it."""
    return retold(text, *WAIT_FOR, whose=_whose)


def of_trouble(text: str) -> str:
    """Why a worker's e-mails wait, in the reader's language; the relays' own words stay."""
    effect, bracket, words = text.partition(" (")
    return of_effect(effect) + bracket + words


def _whose(text: str) -> str:
    parts = text.split(AND_THOSE)
    return _(AND_THOSE).join(retold(part, *WHOSE, creators=_names, domains=_names) for part in parts)


def _names(text: str) -> str:
    return ", ".join(translated(name) if name == OTHERS else name for name in text.split(", "))
