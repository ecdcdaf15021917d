"""What a reply says, without what differs from one e-mail to the next: refusals that are alike have one wording."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from engine.email.smtp import Reply

LONGEST = 160  # characters of a wording
WORD = 24  # characters of a word; a longer one is an identifier
DIGITS = 12  # of a key
ADDRESS, LINK, HOST, VARYING = "<address>", "<link>", "<host>", "…"
_CODE = re.compile(r"#?[245]\.\d{1,3}\.\d{1,3}")
_HOST = re.compile(r"(?:[\w-]+\.)+[A-Za-z]{2,}")
_AROUND = "<>()[]{}'\",;:.!?"


def wording(reply: Reply) -> str:
    """Code and text of a reply without addresses, links, names of hosts, numbers and identifiers."""
    words: list[str] = []
    for word in reply.text.split():
        shown = _shown(word)
        if not (words and shown == words[-1] == VARYING):
            words.append(shown)
    return " ".join([*([str(reply.code)] if reply.code else []), *words])[:LONGEST].rstrip()


def key(text: str) -> str:
    """The short name of a wording, for addresses and columns."""
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:DIGITS]


def _shown(word: str) -> str:
    if _CODE.fullmatch(word):
        return word
    if "@" in word:
        return ADDRESS
    if "://" in word:
        return LINK
    if _HOST.fullmatch(word.strip(_AROUND)):
        return HOST
    return VARYING if len(word) > WORD or any(map(str.isdigit, word)) else word
