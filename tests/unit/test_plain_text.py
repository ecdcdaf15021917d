"""The plain-text alternative reads as the HTML does."""

from __future__ import annotations

from html import escape, unescape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.email.plain_text import readable

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
    "paragraphs in items": ("<ul><li><p>a</p><p>b</p><li><div>c</div></ul>", "- a\n\nb\n\n- c\n"),
    "items without text": ("<ul><li><li> <li>c</ul>d", "-\n-\n- c\n\nd\n"),
    "numbers of items": (
        '<ol start="-1"><li>a<li>b<li value="5">c<li>d<li value="x">e</ol>',
        "-1. a\n0. b\n5. c\n6. d\n7. e\n",
    ),
    "a list that counts down": (
        "<ol reversed><li>a<li>b</ol><ol start=9 reversed><li>c<li>d",
        "2. a\n1. b\n\n9. c\n8. d\n",
    ),
    "numbers above and below": (
        "10<sup>2</sup> m, 199<sup>90</sup>, 1<sup>st</sup>, H<sub>2</sub>O 1",
        "10² m, 199⁹⁰, 1st, H₂O 1\n",
    ),
    "link with white space in its target": (
        '<a href=" https://a.no/\n b c ">d</a> <a href="tel:+47 22\t000000">22</a> <a href="tel:+4722">+47 22</a>',
        "d (https://a.no/%20b%20c) 22 (tel:+4722000000) +47 22\n",
    ),
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
    "image": ('<img alt="Kart over lokalet" src="x.png"><img alt="">', "Kart over lokalet\n"),
    "images beside each other": ('a<img alt=" B&amp;C\n d ">e<img alt="f"><img alt="g">', "a B&C d e f g\n"),
    "link of an image with words": ('<a href="https://a.no"><img alt="Logo"></a>!', "Logo (https://a.no)!\n"),
    "image that is hidden": ('<img alt="a" style="display:none">b', "b\n"),
    "numbered list that goes on": (
        '<ol start="3"><li>a<li>b</ol><ol start="x"><li>c</ol>',
        "3. a\n4. b\n\n1. c\n",
    ),
    "spacers": (
        "<p>a</p><p>&nbsp;</p><table><tr><td>&nbsp;<td>&zwnj;&#847;&#8199;</table><p>b</p>",
        "a\n\nb\n",
    ),
    "a no-break space between words": ("a&nbsp;b <b>&nbsp;</b>c", "a\xa0b c\n"),
    "flat and cut off": ('<div style="max-height:0;overflow:hidden;mso-hide:all" aria-hidden="true">a</div>b', "b\n"),
    "flat in any spelling": (
        '<p style="HEIGHT : 0PX !important; Overflow: hidden">a<p style="overflow:hidden;width:0.0%">b<p>c',
        "c\n",
    ),
    "flat, but not cut off": ('<div style="max-height:0">a</div>b', "a\nb\n"),
    "cut off, but not flat": ('<div style="overflow:hidden;line-height:0;max-height:0.5em;width:05px">a</div>', "a\n"),
    "invisible": ('<p style="visibility:hidden">a<p style="opacity:0;color:red">b<p style="opacity:0.9">c', "c\n"),
    "a preview that Outlook hides, too": ('<span style="mso-hide:all">a &zwnj;</span>b', "b\n"),
    "a button that Outlook has another way": (
        '<a href="https://a.no" style="mso-hide: all">a</a><div style="mso-hide:all"><a href="https://b.no">b</a></div>',
        "a (https://a.no)\nb (https://b.no)\n",
    ),
    "a layout of no font size": ('<div style="font-size:0"><span style="font-size:12px">a</span></div>', "a\n"),
    "what is for Outlook alone": (
        "<!--[if mso]>a<![endif]-->b<!--[if !mso]><!-->c<!--<![endif]--><![if !x]>d<![endif]>",
        "bcd\n",
    ),
    "hidden": ('<p hidden>a</p><p style="color:red;DISPLAY: NONE">b</p><i>c</i>', "c\n"),
    "not text": ("<title>a</title><style>b</style><script>c</script><template>d</template><!-- e -->f", "f\n"),
    "nothing": ("", ""),
}


@pytest.mark.parametrize(("html", "text"), CASES.values(), ids=CASES)
def test_html_reads_as_text(html: str, text: str) -> None:
    assert readable(html) == text


_TAGS = st.sampled_from(
    ["p", "div", "b", "a", "ul", "ol", "li", "pre", "br", "h1", "span", "blockquote", "sup"]
)  # tables move stray text before them
_SOUP = st.lists(
    st.one_of(st.text("abc \n&<", max_size=5).map(escape), _TAGS.map("<{}>".format), _TAGS.map("</{}>".format))
)


@given(_SOUP)
def test_any_soup_of_tags_keeps_its_letters_in_order(soup: list[str]) -> None:
    given_letters = [letter for part in soup if "<" not in part for letter in unescape(part) if letter in "abc<&"]
    assert [letter for letter in readable("".join(soup)) if letter in "abc<&"] == given_letters
