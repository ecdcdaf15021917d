"""Whatever a caller writes, its size bounds the nodes, steps and text of reading it: counted, not timed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.email.markup import (
    FEW,
    LONGEST,
    MOST_ATTRIBUTES,
    MOST_STEPS,
    MOST_TAGS,
    SMALL,
    fits,
    parsed,
    scanned,
    walked,
)
from engine.email.plain_text import CUT, NO_TEXT, readable
from engine.email.plain_text import LONGEST as LONGEST_TEXT

if TYPE_CHECKING:
    from selectolax.lexbor import LexborNode

NODES_OF_A_TAG = 5  # <table><td> makes tbody and tr as well; text stands before and behind
N = 2_000
MULTIPLYING = {
    "formatting, opened anew in each paragraph": "<p>" + "".join(f"<b a{i}>" for i in range(N)) + "<p>x" * N,
    "the same of seven kinds": "<p>" + "<b><i><u><s><font><tt><big>" * (N // 7) + "<p>x" * N,
    "fonts of all sizes": "".join(f"<font size={i}>" for i in range(N)) + "<div></p>x" * N,
    "links around many blocks": "".join(f"<a a{i}>{'<div>' * 10}" for i in range(N // 10)) + "<p>x" * N,
    "nobr": "<nobr><div>" * N + "x",
    "tables that foster": "<table><b a1><b a2><b a3>x" * (N // 2),
    "misnested": "<b><p>" * N + "</b>x" * N,
    "markers": "<applet>" * N + "<b>" * N + "x",
    "few": "<p>" + "".join(f"<b a{i}>" for i in range(FEW // 2)) + "<p>x" * (FEW // 2 - 1),
    "capital letters": "<P>" + "".join(f"<B\fa{i}>" for i in range(N)) + "<P>x" * N,
}
TOO_MUCH = {
    "deep": "<ul><li>x" * 5_001,
    "deep in foreign content": "<svg><g>" * 5_001 + "</svg>x",
    "attributes of one tag": "<p " + " ".join(f"a{i}" for i in range(N)) + ">x",
    "attributes without space": "<p a='1'" + "".join(f'b{i}=""' for i in range(N)) + ">x",
    "attributes behind a quoted >": "<p " + " ".join(f"a{i}='>'" for i in range(N)) + ">x",
    "tags": "<i>x" * (MOST_TAGS + 1),
    "lines": "<pre>" + "x\n" * (MOST_TAGS + 1),
    "length": "<p>" + "x" * LONGEST,
}
MANY_BODIES = "".join(f"<body a{i}><html b{i}>" for i in range(N)) + "x"


def nodes(html: str) -> tuple[int, int]:
    """The number of nodes in the tree, and its depth."""
    count = deepest = 0
    stack: list[tuple[LexborNode | None, int]] = [(parsed(html).root, 1)]
    while stack:
        node, depth = stack.pop()
        if node is not None:
            count, deepest = count + 1, max(deepest, depth)
            stack += [(node.next, depth), (node.child, depth + 1)]
    return count, deepest


def allowed(html: str) -> int:
    tags = html.count("<")
    multiplied = tags * tags // 4 if len(html) <= SMALL and tags <= FEW else 0
    return NODES_OF_A_TAG * (tags + 1) + multiplied


@pytest.mark.parametrize("html", MULTIPLYING.values(), ids=MULTIPLYING)
def test_no_tag_makes_more_than_a_few_nodes(html: str) -> None:
    assert fits(html)
    assert nodes(html)[0] <= allowed(html)
    assert "x" in readable(html)


@pytest.mark.parametrize("html", TOO_MUCH.values(), ids=TOO_MUCH)
def test_what_the_parser_must_not_get_is_read_without_it(html: str) -> None:
    assert not fits(html)
    assert "x" in readable(html)


def test_attributes_do_not_gather_at_the_body() -> None:
    assert fits(MANY_BODIES)
    tree = parsed(MANY_BODIES)
    assert tree.root is not None
    assert tree.body is not None
    assert not tree.root.attributes
    assert not tree.body.attributes


_NAMES = st.sampled_from(
    [
        *("a", "b", "i", "font", "nobr", "p", "div", "h1", "pre", "li", "dd", "table", "tr", "td", "th", "caption"),
        *("applet", "object", "marquee", "template", "select", "option", "button", "form", "ruby", "svg", "math"),
        *("title", "style", "script", "plaintext", "textarea", "frameset", "body", "html", "br", "img", "!--"),
    ]
)
_SOUP = st.lists(
    st.one_of(
        st.sampled_from(["x", " ", "\0", "&amp", "<", ">", "'", '"', "-->", "]]>", "<![CDATA["]),
        _NAMES.map("<{}>".format),
        _NAMES.map("</{}>".format),
        st.tuples(_NAMES, st.integers(0, 99)).map(lambda tag: f"<{tag[0]} a{tag[1]}='{tag[1]}'>"),
    ),
    max_size=30,
)


@given(_SOUP, _SOUP, st.integers(1, 60))
def test_of_any_soup_the_nodes_grow_as_the_tags_do(head: list[str], tail: list[str], times: int) -> None:
    html = "".join(head) * times + "".join(tail) * times
    assert nodes(html)[0] <= allowed(html)


@given(_SOUP, _SOUP, st.integers(1, 60))
def test_of_any_soup_scanning_says_no_more_than_there_is(head: list[str], tail: list[str], times: int) -> None:
    html = "".join(head) * times + "".join(tail) * times
    seen = list(scanned(html))
    assert len(seen) <= 2 * (html.count("<") + 1)
    assert sum(len(said) for _, said, _ in seen) <= len(html)


def test_what_fits_bounds_the_steps_of_the_parser() -> None:
    html = "<div>" * 10_000
    assert fits(html)
    assert not fits(html + "<div>" * 100)
    assert html.count("<") * (nodes(html)[1] - 2) <= MOST_STEPS  # all but html and body


def test_a_tag_has_a_bounded_number_of_attributes() -> None:
    filler = "<p>" + "x" * 5_000
    assert fits(f"{filler}<p {'a ' * (MOST_ATTRIBUTES - 10)}>")
    assert not fits(f"{filler}<p {'a ' * (MOST_ATTRIBUTES + 10)}>")


def test_a_newsletter_is_laid_out_by_the_parser_however_long_it_is() -> None:
    row = (
        '<tr><td style="font-family: Arial, sans-serif; padding: 0 8px; border: 0; color: #333333; '
        'line-height: 24px; mso-line-height-rule: exactly; text-align: left"><table width="100%"><tr>'
        '<td><b>News {0}</b></td><td><font color="#333333">of <i>today</i></font></td>'
        '<td><a href="https://example.no/{0}?a=1&amp;b=2"><b>read</b></a></td></tr></table></td></tr>\n'
    )
    html = "<html><head><title>t</title><style>p > a { color: red }</style></head><body><table>"
    html += "".join(map(row.format, range(500))) + "</table></body></html>"
    assert len(html) > 160_000
    assert fits(html)
    expected = [f"News {number} of today read (https://example.no/{number}?a=1&b=2)" for number in range(500)]
    assert readable(html).split("\n\n") == [*expected[:-1], expected[-1] + "\n"]


SIMPLE = {
    "blocks": ("<h1>Hei</h1><p>En<br>to</p>", "Hei\n\nEn\nto\n"),
    "lists": ("<ol><li>a<li>b</ol>", "1. a\n2. b\n"),
    "a list that goes on": ("<ol start=3><li>a</ol>", "3. a\n"),
    "images": ("<img alt='a &amp; b' src=c><img alt=d hidden><img alt='e' style='opacity: 0'><img alt>", "a & b\n"),
    "what is flat": ("<div style='max-height:0;overflow:hidden'>a</div><div style='overflow:hidden'>b</div>", "b\n"),
    "links": ("<a class=x href='https://a.no/?b&amp;c'>her</a>.", "her (https://a.no/?b&c).\n"),
    "what is not seen": (
        "<style>a</style><script>if (a<b) c</script><!-- <p>d --><p style='display: none'>e</p><p hidden>f</p>g",
        "g\n",
    ),
    "entities": ("&lt;&aelig;&#230;", "<ææ\n"),
    "a number beyond all bounds": (f"a&#{'9' * 5_000};", f"a&#{'9' * 5_000};\n"),
}


@pytest.mark.parametrize(("html", "text"), SIMPLE.values(), ids=SIMPLE)
def test_the_simpler_way_reads_well_enough(html: str, text: str) -> None:
    assert readable(html + "<!-- -->" * (MOST_TAGS + 1)).removesuffix(CUT) == text
    assert readable(html) == text or "&#9" in html


def test_a_text_made_the_simpler_way_is_bounded() -> None:
    assert readable("<p>" + "x" * LONGEST) == "x" * LONGEST_TEXT + CUT
    assert readable(("<p>" + "x" * LONGEST_TEXT) * 6) == "x" * LONGEST_TEXT + CUT


def test_html_without_text_says_so() -> None:
    assert readable("<i>" * (MOST_TAGS + 1)) == NO_TEXT


def test_what_is_walked_ends_as_it_began() -> None:
    open_: list[str] = []
    for tag, _, starts in walked("<p><a href=x><b>y</a></b><table><tr>z"):
        if tag != "-text" and starts:
            open_.append(tag)
        elif tag != "-text":
            assert open_.pop() == tag
    assert not open_


def test_lists_that_the_parser_does_not_read_keep_the_numbers_that_are_written() -> None:
    lists = "<ol reversed><li>a<li>b</ol><ol start=9 reversed><li>c<li value=4>d<li>e</ol><p>f<sup>2<p>3"
    assert readable(lists + "x" * LONGEST).startswith("- a\n- b\n\n9. c\n4. d\n3. e\n\nf²\n\n3x")
