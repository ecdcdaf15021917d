"""The plain-text alternative of an HTML body: what a reader of the HTML sees, with the targets of links."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from selectolax.lexbor import LexborHTMLParser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selectolax.lexbor import LexborNode

LAYOUT_LIMIT = 20_000  # tags and line breaks whose layout is worked out: bounds it to about 0.4 s
NO_TEXT = "This message has no plain-text version: please open it in a program that shows HTML.\n"

_UNSEEN = frozenset(
    (
        "head",
        "title",
        "script",
        "style",
        "template",
        "object",
        "svg",
        "math",
        "select",
        "-comment",
        "iframe",
        "!doctype",
    )
)
_PARAGRAPH = frozenset(("p", "h1", "h2", "h3", "h4", "h5", "h6", "ul", "ol", "dl", "table", "blockquote", "pre", "hr"))
_LINE = frozenset(
    (
        *("div", "tr", "li", "dt", "dd", "section", "article", "header", "footer", "main", "nav", "aside", "address"),
        *("center", "fieldset", "figure", "figcaption", "form", "caption", "details", "summary"),
    )
)
_CELL = frozenset(("td", "th"))
_HIDDEN = re.compile(r"display\s*:\s*none", re.IGNORECASE)
_SPACE = re.compile(r"[ \t\r\n\f]+")
_TARGET = re.compile(r"https?:\S+|(?:mailto|tel):(?P<said>\S+)", re.IGNORECASE)


def readable(html: str) -> str:
    """Return the text of an HTML body; NO_TEXT where it is too large to lay out."""
    if html.count("<") + html.count("\n") > LAYOUT_LIMIT:
        return NO_TEXT
    body = LexborHTMLParser(html).body
    text = _Text()
    for node, tag, entered in _walk(body and body.child):
        if tag == "-text":
            text.say(node.text_content or "")
        elif entered:
            text.enter(tag)
        else:
            text.leave(node, tag)
    return text.whole()


def _walk(node: LexborNode | None) -> Iterator[tuple[LexborNode, str, bool]]:
    """A node, what is in it and what follows it: elements at their start (True) and at their end (False)."""
    stack = [] if node is None else [(node, True)]
    while stack:
        node, entered = stack.pop()
        tag = node.tag or ""
        if not entered:
            yield node, tag, False
            continue
        if (following := node.next) is not None:
            stack.append((following, True))
        if tag == "-text":
            yield node, tag, True
        elif tag not in _UNSEEN and not _is_hidden(node):
            yield node, tag, True
            stack.append((node, False))
            if (child := node.child) is not None:
                stack.append((child, True))


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    return "hidden" in attributes or bool(_HIDDEN.search(attributes.get("style") or ""))


class _Text:
    """Lines under construction: white space is written only once it is known that something follows."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._breaks = 0  # line ends that stand before whatever comes next
        self._space = False
        self._verbatim = 0  # depth of <pre>
        self._numbers: list[int | None] = []  # of the open lists: the last item's number, None without numbers
        self._links: list[int] = []  # where the open links' texts begin

    def enter(self, tag: str) -> None:
        self._separate(tag)
        if tag == "br":
            self._breaks += 1
        elif tag == "a":
            self._links.append(len(self._parts))
        elif tag in ("ul", "ol"):
            self._numbers.append(0 if tag == "ol" else None)
        elif tag == "li":
            self._begin_item()
        elif tag == "pre":
            self._verbatim += 1

    def leave(self, node: LexborNode, tag: str) -> None:
        if tag == "a":
            self._end_link(node.attributes.get("href") or "", self._links.pop())
        elif tag in ("ul", "ol"):
            self._numbers.pop()
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

    def _begin_item(self) -> None:
        number = self._numbers[-1] if self._numbers else None
        if number is None:
            self._write("-")
        else:
            self._numbers[-1] = number + 1
            self._write(f"{number + 1}.")
        self._space = True

    def _end_link(self, target: str, begins: int) -> None:
        known = _TARGET.fullmatch(target.strip())
        if known and (known["said"] or known[0]) not in "".join(self._parts[begins:]):
            self._space = True
            self._write(f"({known[0]})")

    def _write(self, text: str) -> None:
        if not text:
            return
        if self._parts and self._breaks:
            self._parts.append("\n" * min(self._breaks, 2))
        elif self._parts and self._space:
            self._parts.append(" ")
        self._breaks, self._space = 0, False
        self._parts.append(text)
