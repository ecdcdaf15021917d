"""The plain-text alternative of an HTML body: what a reader of the HTML sees, with the targets of links."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.email.markup import DOWN, IMAGE, LINK, TEXT, fits, scanned, walked

if TYPE_CHECKING:
    from collections.abc import Iterable

LONGEST = 200_000  # characters of a text made without the parser
NO_TEXT = "This message has no plain-text version: please open it in a program that shows HTML.\n"
CUT = "\nThe rest of this message can be read in a program that shows HTML.\n"

_PARAGRAPH = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre", "hr"))
_LINE = frozenset(
    (
        *("div", "tr", "li", "dt", "dd", "section", "article", "header", "footer", "main", "nav", "aside", "address"),
        *("center", "fieldset", "figure", "figcaption", "form", "caption", "details", "summary"),
    )
)
_CELL = frozenset(("td", "th"))
_SPACE = re.compile(r"[ \t\r\n\f]+")
_NUMBER = re.compile(r"-?[0-9]{1,6}")
_INVISIBLE = re.compile(r"[\s\u00ad\u034f\u200b-\u200f\u2060\ufeff]*")  # spacers of a layout, fillers of a preview
_TARGET = re.compile(r"https?:\S+|(?:mailto|tel):(?P<said>\S+)", re.IGNORECASE)
_NO_PART = {ord(character): None for character in "\t\n\r"}  # ignored anywhere in an address (WHATWG URL, 4.4)
_RAISED = {  # so that 10<sup>2</sup> is not 102
    "sup": str.maketrans("0123456789+-=()", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾"),
    "sub": str.maketrans("0123456789+-=()", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎"),
}


def readable(html: str) -> str:
    """Return the text of an HTML body; if the parser must not get it, a simpler text, at most LONGEST and CUT."""
    if fits(html):
        return _laid_out(walked(html))
    seen = scanned(html)  # <pre> becomes a paragraph: its lines are not counted
    text = _laid_out(("p" if tag == "pre" else tag, said[: LONGEST + 1], starts) for tag, said, starts in seen)
    return text[:LONGEST] + CUT if len(text) > LONGEST else text or NO_TEXT


def _laid_out(seen: Iterable[tuple[str, str, bool]]) -> str:
    text = _Text()
    for tag, said, starts in seen:
        if tag == TEXT:
            text.say(said)
        elif starts:
            text.enter(tag, said)
        else:
            text.leave(tag)
    return text.whole()


class _Text:
    """Lines under construction: white space is written only when something follows."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._breaks = 0  # line ends before whatever comes next
        self._space = False
        self._verbatim = 0  # depth of <pre>
        self._lists: list[tuple[int, int] | None] = []  # open lists: next number and step, None without numbers
        self._marked = False  # whether an item's mark was written last: text follows it on the same line
        self._raised: list[str] = []  # the open elements of _RAISED
        self._link: tuple[str, int] | None = None  # the open link's target, and where its text begins

    def enter(self, tag: str, told: str) -> None:
        self._separate(tag)
        if tag == "br":
            self._breaks += 1
        elif tag == LINK:
            self._end_link()  # links do not nest
            self._link = told, len(self._parts)
        elif tag == IMAGE:
            self._show(told)
        elif tag == "ol":
            self._lists.append(_numbering(told))
        elif tag == "ul":
            self._lists.append(None)
        elif tag == "li":
            self._begin_item(told)
        elif tag in _RAISED:
            self._raised.append(tag)
        elif tag == "pre":
            self._verbatim += 1

    def leave(self, tag: str) -> None:
        if tag == LINK:
            self._end_link()
        elif tag in ("ul", "ol") and self._lists:
            self._lists.pop()
        elif tag in _RAISED and self._raised:
            self._raised.pop()
        elif tag == "li":
            self._marked = False
        elif tag == "pre":
            self._verbatim -= 1
        self._separate(tag)

    def say(self, text: str) -> None:
        if self._verbatim:
            first, *rest = text.split("\n")
            self._write(first)
            for line in rest:
                self._breaks += 1
                self._write(line)
            return
        said = _SPACE.sub(" ", text)
        if self._raised:
            said = said.translate(_RAISED[self._raised[-1]])
        if not said.isascii() and _INVISIBLE.fullmatch(said):
            said = " "
        if said.startswith(" "):
            self._space = True
        self._write(said.strip(" "))
        if said.endswith(" "):
            self._space = True

    def whole(self) -> str:
        text = "".join(self._parts)
        return text + "\n" if text else ""

    def _separate(self, tag: str) -> None:
        if tag in _PARAGRAPH:
            self._breaks = max(self._breaks, 2)
        elif tag in _LINE:
            self._breaks = max(self._breaks, 1)
        elif tag in _CELL:
            self._space = True
        else:
            return
        self._raised.clear()  # their end tags may be missing

    def _begin_item(self, told: str) -> None:
        self._marked = False
        if not self._lists or (numbers := self._lists[-1]) is None:
            self._write("-")
        else:
            number, step = int(told) if _NUMBER.fullmatch(told) else numbers[0], numbers[1]
            self._lists[-1] = number + step, step
            self._write(f"{number}.")
        self._marked = True

    def _show(self, words: str) -> None:
        """Write an image's alternative text, separated from the words around it."""
        if said := _SPACE.sub(" ", words).strip():
            self._space = True
            self._write(said)
            self._space = True

    def _end_link(self) -> None:
        target, begins = self._link or ("", 0)
        self._link = None
        target = target.strip().translate(_NO_PART)
        known = _TARGET.fullmatch(target.replace(" ", "" if target.lower().startswith("tel:") else "%20"))
        if known and (known["said"] or known[0]) not in "".join("".join(self._parts[begins:]).split()):
            self._space = True
            self._write(f"({known[0]})")

    def _write(self, text: str) -> None:
        if not text:
            return
        if self._marked:
            self._parts.append(" ")
        elif self._parts and self._breaks:
            self._parts.append("\n" * min(self._breaks, 2))
        elif self._parts and self._space:
            self._parts.append(" ")
        self._breaks, self._space, self._marked = 0, False, False
        self._parts.append(text)


def _numbering(told: str) -> tuple[int, int] | None:
    """The first number of a list and the step to the next; None: a reversed list without a known first number."""
    first, down = told.removesuffix(DOWN), told.endswith(DOWN)
    if not _NUMBER.fullmatch(first):
        return None if down else (1, 1)
    return int(first), -1 if down else 1
