"""What a relay calls a message that it has taken over: the identifier that its own log has, read from its reply.

There is no rule for it (RFC 5321 leaves the text to the relay); these are the forms of the relays in wide use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

SHORTEST, LONGEST = 4, 100  # characters of an identifier
_AROUND = "<>()[].,:;"
_TIME = 9  # digits that a time has at least: seconds since 1970
# Words that stand before an identifier: of our own inbox, Stalwart, Haraka and qmail.
_BEFORE = (("kept", "as"), ("queued", "with", "id"), ("queued",), ("qp",))
_MOST = "queued as "  # of most relays; looked for first, since it takes a tenth of the time
_NAMED = ("id=", "internalid=")  # of Exim; of Exchange
_BEHIND = ("message", "accepted")  # of Sendmail and OpenSMTPD


def queue_id(text: str) -> str | None:
    """The identifier in the text of a reply that accepts a message; None: it has none that is known as such."""
    for word in _named(text):
        if len(word) >= SHORTEST and any(each.isdigit() for each in word):
            return word[:LONGEST]
    return None


def _named(text: str) -> Iterator[str]:
    """The words that stand where a relay says its identifier."""
    _, found, tail = text.partition(_MOST)
    if found and (behind := tail.split(maxsplit=1)):  # Postfix, Halon, SendGrid, Mailpit
        yield behind[0].strip(_AROUND)
    words = [word.strip(_AROUND) for word in text.split()]
    said = [word.lower() for word in words]
    for place, word in enumerate(said):
        before, behind_it = tuple(said[max(0, place - 3) : place]), tuple(said[place + 1 : place + 3])
        if word.startswith(_NAMED):
            yield words[place].partition("=")[2]
        elif (
            behind_it == _BEHIND
            or any(before[-len(form) :] == form for form in _BEFORE)
            or _of_a_service(before, behind_it)
        ):
            yield words[place]


def _of_a_service(before: tuple[str, ...], behind: tuple[str, ...]) -> bool:
    """Whether it stands as Amazon SES writes it, last and behind an OK, or as Gmail does, behind an OK and a time."""
    if before[-2:-1] == ("ok",):
        return before[-1].isdigit() and len(before[-1]) >= _TIME
    return before[-1:] == ("ok",) and not behind
