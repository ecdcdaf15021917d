"""HTML of callers, read at a cost that its size bounds: by a parser where it fits, else by a scanner.

A parser builds what HTML5 prescribes, which can be much more than what was written: elements that format text, and
links, are opened anew in every paragraph behind them until they are closed, so 25 kB can become four million nodes.
And a second `body` gives its attributes to the first. All these get other names before the parser sees them; of what
remains, each tag makes a small number of nodes. The rest is measured: tags look through the open elements, and
attributes through those of their tag.
"""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

from selectolax.lexbor import LexborHTMLParser

if TYPE_CHECKING:
    from collections.abc import Iterator

    from selectolax.lexbor import LexborNode

LONGEST = 1_000_000  # characters for the parser
MOST_TAGS = 20_000  # tags and line breaks whose layout is worked out
MOST_STEPS = 100_000_000  # tags times those of them that may stay open: the parser's steps, at about 5 ns each
MOST_ATTRIBUTES = 300  # of one tag: each is compared with those before it
SMALL = 5_000  # characters, below which attributes cannot be many
FEW = 300  # tags, below which elements cannot multiply to more than MOST_TAGS and a half
LINK, IMAGE = "a", "img"
DOWN = " down"  # behind the first number of a list that is reversed
TEXT = "-text"


def _tags(*names: str) -> re.Pattern[str]:
    """Every start and end tag of these elements, and whatever looks like one, be it in a comment or in a value.

    The letters' cases are written out: with re.IGNORECASE, the search for the first character takes ten times as long.
    """
    either = (
        "".join(f"[{letter}{letter.upper()}]" if letter.isalpha() else letter for letter in name) for name in names
    )
    return re.compile(rf"<(/?)(?:{'|'.join(either)})(?=[\t\n\f\r />])")


_LINKS, _OTHER = _tags(LINK), "x-a"
_MULTIPLYING = _tags(
    *("b", "big", "code", "em", "font", "i", "nobr", "s", "small", "strike", "strong", "tt", "u"),  # formatting
    *("body", "html"),
)
_MAY_STAY_OPEN = re.compile(r"<(?!(?:br|hr|img|meta)[\t\n\f\r />])[a-z]", re.IGNORECASE)
_TAG = re.compile(r"</?[A-Za-z][^>]*")
_BEFORE_ATTRIBUTE = re.compile(r"""[\t\n\f\r /"']+""")
_QUOTED_END = re.compile(r"""=[\t\n\f\r ]*(?:"[^">]*>|'[^'>]*>)""")  # the tag may go on behind the >

# What a style must say for nothing to be seen. What is flat shows unless it is cut off; a font of no size is often a
# layout's, whose cells have one; and what Outlook alone hides (mso-hide) may be a button that it has another way.
_HIDDEN = re.compile(
    r"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*0(?:\.0*)?\s*(?=[;!\"']|$)", re.IGNORECASE
)
_FLAT = re.compile(
    r"(?<![\w-])(?:max-)?(?:height|width)\s*:\s*0(?:\.0*)?(?:[a-z]{2,3}|%)?\s*(?=[;!\"']|$)", re.IGNORECASE
)
_CUT_OFF = re.compile(r"overflow\s*:\s*hidden", re.IGNORECASE)
_MSO_HIDE = re.compile(r"mso-hide\s*:\s*all", re.IGNORECASE)
_SAID_HIDDEN = re.compile(r"\shidden(?![\w-])", re.IGNORECASE)
_VALUE = {
    name: re.compile(rf"""\s{name}\s*=\s*(?:"([^"]*)|'([^']*)|([^\s"'>]*))""", re.IGNORECASE)
    for name in ("href", "alt", "start", "value")
}
_NAME = re.compile(r"/?([a-z][a-z0-9:-]{0,20})", re.IGNORECASE)
_SAID_REVERSED = re.compile(r"\sreversed(?![\w-])", re.IGNORECASE)
_TOLD = {LINK: "href", IMAGE: "alt", "ol": "start", "li": "value"}  # the attribute that is told beside an element
_VOID = frozenset(("br", "hr", "img", "input", "link", "meta"))
_UNSEEN = frozenset(("title", "script", "style", "template", "object", "svg", "math", "select", "iframe"))
# Their content is no markup: it goes to the end tag, if there is one.
_RAW = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("title", "script", "style", "iframe")}
_UNSEEN_NODES = _UNSEEN | {"head", "-comment", "!doctype"}


def fits(html: str) -> bool:
    """Whether the parser's work on it is bounded: nodes, open elements and attributes, counted in linear time."""
    tags = html.count("<")
    if len(html) > LONGEST or tags + html.count("\n") > MOST_TAGS:
        return False
    if tags * tags > MOST_STEPS and tags * len(_MAY_STAY_OPEN.findall(html)) > MOST_STEPS:
        return False
    return len(html) <= SMALL or not (_QUOTED_END.search(html) or any(map(_is_crowded, _TAG.findall(html))))


def parsed(html: str) -> LexborHTMLParser:
    """The tree of HTML that fits; where much could come of it, what could multiply is a `span`, links are `x-a`."""
    if len(html) > SMALL or html.count("<") > FEW:
        html = _LINKS.sub(rf"<\1{_OTHER}", _MULTIPLYING.sub(r"<\1span", html))
    return LexborHTMLParser(html)


def walked(html: str) -> Iterator[tuple[str, str, bool]]:
    """What is seen of HTML that fits, in its order: TEXT with the text; elements at their start and end (False).

    Beside a LINK's start stands its target, beside an IMAGE the words for it, beside `ol` its first number (DOWN behind
    it where the list is reversed), beside `li` the number that it is given.
    """
    body = parsed(html).body
    stack = [] if body is None or body.child is None else [(body.child, True)]
    while stack:
        node, entered = stack.pop()
        tag = node.tag or ""
        tag = LINK if tag == _OTHER else tag
        if not entered:
            yield tag, "", False
            continue
        if (following := node.next) is not None:
            stack.append((following, True))
        if tag == TEXT:
            yield TEXT, node.text_content or "", True
        elif tag not in _UNSEEN_NODES and not _is_hidden(node):
            yield tag, _told(node, tag), True
            stack.append((node, False))
            if (child := node.child) is not None:
                stack.append((child, True))


def scanned(html: str) -> Iterator[tuple[str, str, bool]]:
    """The same of any HTML, up to MOST_TAGS tags, as its tags stand there: nothing is put right."""
    at, unseen, depth = 0, "", 0  # the element that is not seen, and how often it is open
    for _ in range(MOST_TAGS):
        start = html.find("<", at)
        if not depth:
            yield TEXT, _unescaped(html[at:] if start < 0 else html[at:start]), True
        end = -1 if start < 0 else html.find("-->" if html.startswith("<!--", start) else ">", start)
        if end < 0:
            return
        at = html.index(">", end) + 1
        name = _NAME.match(html, start + 1)
        if name is None:
            continue
        tag, ends = name[1].lower(), html[start + 1] == "/"
        attributes = html[name.end() : at - 1]
        if depth:
            depth += (tag == unseen) * (-1 if ends else 1)
        elif not ends and tag not in _VOID and (tag in _UNSEEN or _is_said_hidden(attributes)):
            unseen, depth = tag, 1
            if tag in _RAW:
                over = _RAW[tag].search(html, at)
                at = over.start() if over else len(html)
        else:
            told = _TOLD.get(tag) if not (tag == IMAGE and _is_said_hidden(attributes)) else None
            down = DOWN if tag == "ol" and _SAID_REVERSED.search(attributes) else ""
            yield tag, _value(told, attributes) + down if told else "", not ends


def _told(node: LexborNode, tag: str) -> str:
    name = _TOLD.get(tag)
    if name is None:
        return ""
    attributes = node.attributes
    told = attributes.get(name) or ""
    return f"{told or _items(node)}{DOWN}" if tag == "ol" and "reversed" in attributes else told


def _items(node: LexborNode) -> int:
    """How many items a list has, from which one that is reversed counts down."""
    number, child = 0, node.child
    while child is not None:
        number += child.tag == "li"
        child = child.next
    return number


def _is_crowded(tag: str) -> bool:
    return len(tag) > 2 * MOST_ATTRIBUTES and len(_BEFORE_ATTRIBUTE.findall(tag)) > MOST_ATTRIBUTES


def _is_hidden(node: LexborNode) -> bool:
    attributes = node.attributes
    style = attributes.get("style")
    return "hidden" in attributes or bool(
        style and _may_hide(style) and (_hides(style) or (_MSO_HIDE.search(style) and _is_text(node)))
    )


def _is_said_hidden(attributes: str) -> bool:
    return _may_hide(attributes) and bool(_SAID_HIDDEN.search(attributes) or _hides(attributes))


def _may_hide(style: str) -> bool:
    """Whether it is worth a closer look: most styles are not."""
    said = style.lower()
    return "none" in said or "hid" in said or "opacity" in said


def _hides(style: str) -> bool:
    return bool(_HIDDEN.search(style) or (_CUT_OFF.search(style) and _FLAT.search(style)))


def _is_text(node: LexborNode) -> bool:
    """Whether an element holds text alone, and is no link: a preheader, and not a part of the layout."""
    if node.tag in (LINK, _OTHER):
        return False
    child = node.child
    while child is not None and child.tag == TEXT:
        child = child.next
    return child is None


def _value(name: str, attributes: str) -> str:
    found = _VALUE[name].search(attributes)
    return _unescaped(next(filter(None, found.groups()), "")) if found else ""


def _unescaped(text: str) -> str:
    try:
        return unescape(text)
    except ValueError:  # the number of a character has more digits than Python reads
        return text
