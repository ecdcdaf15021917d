"""The plain-text alternative reads as the HTML does."""

from __future__ import annotations

from html import escape, unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.plain_text import readable

CASES = {
    "paragraphs": ("<h1>Hei</h1><p>En</p><p>To</p>", "Hei\n\nEn\n\nTo\n"),
    "lines": ("a<br>b<div>c</div>d", "a\nb\nc\nd\n"),
    "breaks in a row": ("a<br><br><br><br>b", "a\n\nb\n"),
    "white space": ("  a \n <b> b</b>c <i> d </i> e  ", "a bc d e\n"),
    "a space between elements": ("<b>a</b> <i>b</i><u>c</u>", "a bc\n"),
    "entities": ("&lt;p&gt; &amp; &aelig;&nbsp;x", "<p> & æ\xa0x\n"),
    "list": ("<p>x<ul><li>a<li>b</ul>y", "x\n\n- a\n- b\n\ny\n"),
    "numbered list": ("<ol><li>a<li>b<ul><li>c</ul><li>d</ol>", "1. a\n2. b\n\n- c\n\n3. d\n"),
    "an item of no list": ("<li>a", "- a\n"),
    "table": ("<table><tr><th>a<th>b<tr><td>1<td>2</table>", "a b\n1 2\n"),
    "tables that lay out": (
        "<table><tr><td><table><tr><td>a</table><tr><td>b</table>",
        "a\n\nb\n",
    ),
    "verbatim": ("<pre>  a\n    b\n\nc</pre>d", "  a\n    b\n\nc\n\nd\n"),
    "link": ('<a href="https://a.no/?b=1&amp;c=2">her</a>.', "her (https://a.no/?b=1&c=2).\n"),
    "link that says its target": ('<a href="https://a.no/">https://a.no/</a>', "https://a.no/\n"),
    "link to an address": (
        '<a href="mailto:a@b.no">a@b.no</a> <a href="mailto:c@d.no">C</a>',
        "a@b.no C (mailto:c@d.no)\n",
    ),
    "link to a telephone": ('<a href="tel:+4722000000">+4722000000</a>', "+4722000000\n"),
    "link to a script": ('<a href="javascript:alert(1)">a</a><a href="#b">b</a><a>c</a>', "abc\n"),
    "link of an image": ('<a href="https://a.no"><img src="x.png"></a>', "(https://a.no)\n"),
    "hidden": ('<p hidden>a</p><p style="color:red;DISPLAY: NONE">b</p><i>c</i>', "c\n"),
    "not text": ("<title>a</title><style>b</style><script>c</script><template>d</template><!-- e -->f", "f\n"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("html", "text"), CASES.values(), ids=CASES)
def test_html_reads_as_text(html: str, text: str) -> None:
    assert readable(html) == text


_TAGS = st.sampled_from(
    ["p", "div", "b", "a", "ul", "ol", "li", "pre", "br", "h1", "span", "blockquote"]
)  # tables move stray text before them
_SOUP = st.lists(
    st.one_of(st.text("abc \n&<", max_size=5).map(escape), _TAGS.map("<{}>".format), _TAGS.map("</{}>".format))
)


@given(_SOUP)
def test_any_soup_of_tags_keeps_its_letters_in_order(soup: list[str]) -> None:
    given_letters = [letter for part in soup if "<" not in part for letter in unescape(part) if letter in "abc<&"]
    assert [letter for letter in readable("".join(soup)) if letter in "abc<&"] == given_letters
