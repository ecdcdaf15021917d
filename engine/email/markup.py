"""HTML of callers, read at a cost that its size bounds: by a parser if it fits, else by a scanner.

A parser builds what HTML5 prescribes, which can be much more than what was written: elements that format text, and
links, are opened anew in every paragraph until they are closed, so 25 kB can become four million nodes. A second `body`
gives its attributes to the first. All these elements are renamed before the parser sees them; each remaining tag makes
a small number of nodes. The other costs are counted: each tag searches the open elements, and each attribute those of
its tag.
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
MOST_TAGS = 20_000  # tags and line breaks that are laid out
MOST_STEPS = 100_000_000  # tags times the tags that may stay open: the parser's steps, at about 5 ns each
MOST_ATTRIBUTES = 300  # of one tag: each is compared with those before it
SMALL = 5_000  # characters, below which attributes cannot be many
FEW = 300  # tags, below which elements cannot multiply to more than MOST_TAGS and a half
LINK, IMAGE = "a", "img"
DOWN = " down"  # follows the first number of a reversed list
TEXT = "-text"


def _tags(*names: str) -> re.Pattern[str]:
    """Every start and end tag of these elements, and whatever looks like one, even in a comment or a value.

    Both cases of each letter are written out: with re.IGNORECASE, finding the first character takes ten times as long.
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
_QUOTED_END = re.compile(r"""=[\t\n\f\r ]*(?:"[^">]*>|'[^'>]*>)""")  # the tag may go on after the >

# Styles that hide an element. A flat element shows unless its overflow is hidden. A font size of 0 does not count: it
# is often on a layout whose cells set their own. What only Outlook hides (mso-hide) may be a button that it shows
# another way.
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
_TOLD = {LINK: "href", IMAGE: "alt", "ol": "start", "li": "value"}  # the attribute that is returned with an element
_VOID = frozenset(("br", "hr", "img", "input", "link", "meta"))
_UNSEEN = frozenset(("title", "script", "style", "template", "object", "svg", "math", "select", "iframe"))
# Their content is not markup: it ends at the end tag, if there is one.
_RAW = {name: re.compile(f"</{name}", re.IGNORECASE) for name in ("title", "script", "style", "iframe")}
_UNSEEN_NODES = _UNSEEN | {"head", "-comment", "!doctype"}


def fits(html: str) -> bool:
    """Whether the parser's work is bounded; nodes, open elements and attributes are counted in linear time."""
    tags = html.count("<")
    if len(html) > LONGEST or tags + html.count("\n") > MOST_TAGS:
        return False
    if tags * tags > MOST_STEPS and tags * len(_MAY_STAY_OPEN.findall(html)) > MOST_STEPS:
        return False
    return len(html) <= SMALL or not (_QUOTED_END.search(html) or any(map(_is_crowded, _TAG.findall(html))))


def parsed(html: str) -> LexborHTMLParser:
    """The tree of HTML that fits; if it is large, elements that multiply become `span`, and links `x-a`."""
    if len(html) > SMALL or html.count("<") > FEW:
        html = _LINKS.sub(rf"<\1{_OTHER}", _MULTIPLYING.sub(r"<\1span", html))
    return LexborHTMLParser(html)


def walked(html: str) -> Iterator[tuple[str, str, bool]]:
    """What a reader sees of HTML that fits, in order: TEXT with the text; elements at their start and end (False).

    A LINK's start has its target, an IMAGE its alternative text, `ol` its first number (followed by DOWN in a reversed
    list), and `li` the number that it is given.
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
    """The same for any HTML, up to MOST_TAGS tags, as they are written: nothing is corrected."""
    at, unseen, depth = 0, "", 0  # the hidden element, and how often it is open
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
    """How many items a list has: a reversed one counts down from there."""
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
    """Whether a style needs a closer look: most do not."""
    said = style.lower()
    return "none" in said or "hid" in said or "opacity" in said


def _hides(style: str) -> bool:
    return bool(_HIDDEN.search(style) or (_CUT_OFF.search(style) and _FLAT.search(style)))


def _is_text(node: LexborNode) -> bool:
    """Whether an element holds only text and is no link: a preheader, not a part of the layout."""
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
