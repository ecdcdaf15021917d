"""Addresses: the grammar (contract 4.6), stated a second time as a strategy, and its examples."""

from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.text.addresses import read_address, wire_address

LETTERS = string.ascii_letters + string.digits + "æøåÆØÅ"
ATOM = st.text(LETTERS + "!#$%&;'*+-=?^_{|}~`", min_size=1, max_size=20)
LOCAL = st.lists(ATOM, min_size=1, max_size=4).map(".".join)
LABEL = st.text(LETTERS + "-", min_size=1, max_size=15).filter(lambda label: label.strip("-") == label)
TOP = st.text(string.ascii_letters, min_size=2, max_size=14)
NAME = st.tuples(st.lists(LABEL, min_size=1, max_size=9).map(".".join), TOP).map(".".join)
NUMBERS = st.lists(st.integers(0, 999).map(str), min_size=4, max_size=4).map(".".join)
DOMAIN = (NAME | NUMBERS).filter(lambda domain: len(domain) < 150)

GOOD = [
    "a@b.no",
    "first.last+tag@sub.example.com",
    "kåre@blåbær.no",
    "ÆØÅ@ÆØÅ.no",
    "o'neil@example.com",
    "a;b@example.no",
    "a&b@example.no",
    "!#$%&;'*+-=?^_{|}~`@example.no",
    "a@1.2.3.4",
    "a@999.999.999.999",
    "a@x--y.example.no",
    "a@" + "b" * 63 + ".no",
    "a@b.b.b.b.b.b.b.b.b.no",
    "a@example." + "x" * 63,
    "a@example.xn--p1ai",
    "a@example.XN--VERMGENSBERATUNG-PWB",
    "a@example.international",
    "a@bücher.no",
    "a@Bücher.DE",
    "japanese-info@例え.テスト",
    "a@xn--r8jz45g.xn--zckzah",
    "a@пример.рф",
    "a@उदाहरण.भारत",
    "a@ตัวอย่าง.ไทย",
    "a@مثال.إختبار",
    "a@bla\u030abær.no",
    "a@r3---sn.example.no",
    "a@" + "æ" * 49 + ".no",
    "a@1.no",
    "-@b.no",
    "a" * 200 + "@b.no",
    " a@b.no ",
    "\ta@b.no\t",
    "\r\n a@b.no\n",
]
BAD = {
    "nothing": "",
    "blanks": "   ",
    "no at": "a.b.no",
    "no local part": "@b.no",
    "no domain": "a@",
    "two ats": "a@b@c.no",
    "a single label": "a@localhost",
    "a dot in front": ".a@b.no",
    "a dot before the at": "a.@b.no",
    "two dots": "a..b@b.no",
    "two dots in the domain": "a@b..no",
    "a dot behind": "a@b.no.",
    "a hyphen in front of a label": "a@-b.no",
    "a hyphen behind a label": "a@b-.no",
    "a long label": "a@" + "b" * 64 + ".no",
    "ten labels": "a@b.b.b.b.b.b.b.b.b.b.no",
    "a short top": "a@b.n",
    "a long top": "a@b." + "x" * 64,
    "digits in the top": "a@b.n0",
    "a hyphen behind punycode in the top": "a@example.xn--p1ai-",
    "a label that has no A-label": "kari@æø--x.no",
    "a label whose A-label is too long": "a@" + "æ" * 62 + ".no",
    "a domain that becomes too long": "a@" + ".".join(["æ" * 40] * 6) + ".no",
    "a sign in the domain": "a@☃.no",
    "an emoji in the domain": "a@👍.ws",
    "a replacement character": "a@b.no\ufffd",
    "an invisible times inside": "a@b\u2062.no",
    "tabs in a punycode top": "a@b.xn--ee\t\t-",
    "a ligature": "a@\ufb01.no",
    "a single label of other letters": "a@ñ",
    "an ideographic full stop": "a@例え。テスト",
    "scripts of both directions in a label": "a@אa1.no",
    "other letters before the at": "jürgen@b.no",
    "an underscore in the domain": "a@b_c.no",
    "three numbers": "a@1.2.3",
    "a long number": "a@1.2.3.4567",
    "Arabic digits": "a@\u0661.\u0662.\u0663.\u0664",
    "full-width letters": "a@\uff42.no",
    "a literal": "a@[1.2.3.4]",
    "a v6 literal": "a@[IPv6:::1]",
    "quotes": '"a b"@b.no',
    "entities for quotes": "&quot;a&quot;@b.n",
    "a comment": "a(b)@b.no",
    "a display name": "Kari <a@b.no>",
    "angle brackets": "<a@b.no>",
    "a list with commas": "a@b.no,c@d.no",
    "a list with semicolons": "a@b.no;c@d.no",
    "a list with blanks": "a@b.no c@d.no",
    "a blank inside": "a b@b.no",
    "a line end inside": "a@\nb.no",
    "a tab inside": "a\t@b.no",
    "a no-break space inside": "a@b\u00a0.no",
    "a zero-width space inside": "a@b\u200b.no",
    "a zero-width non-joiner in a domain": "a@\u0646\u0645\u200c\u06cc.com",
    "a soft hyphen inside": "a@b\u00ad.no",
    "a byte order mark inside": "a\ufeff@b.no",
    "a word joiner before the at": "a\u2060@b.no",
    "a bidi mark inside": "a@b.\u200fno",
    "nothing but what nobody sees": "\u200b\u00a0\ufeff",
    "NUL": "a\0@b.no",
    "a command behind": "a@b.no>\r\nDATA",
    "a backslash": "a\\b@b.no",
    "a percent-encoded at": "a%40b.no",
    "a lone surrogate": "a\ud800@b.no",
    "a zero-width joiner": "a\u200d@b.no",
    "a right-to-left override": "a\u202e@b.no",
    "255 octets": "a" * 250 + "@b.no",
    "255 octets in fewer characters": "å" * 125 + "@b.no",
}


@given(LOCAL, DOMAIN)
def test_what_the_grammar_makes_is_an_address(local: str, domain: str) -> None:
    assert read_address(f"{local}@{domain}") == f"{local}@{domain}"


@given(st.text(LETTERS + "@.-_ \"'<>(),;:\\[]\r\n\0\u2028ü", max_size=300))
def test_what_is_taken_for_an_address_is_one_line_with_one_mailbox(text: str) -> None:
    if address := read_address(text):
        assert address in text
        assert address.isprintable()
        assert address.count("@") == 1
        assert not set(address) & set(' "<>(),:\\[]')
        assert len(address.encode()) <= 254


@pytest.mark.parametrize("address", GOOD)
def test_the_contracts_good_examples_are_taken(address: str) -> None:
    assert read_address(address) == address.strip()
    assert len(wire_address(address.strip())[0].encode()) <= 254


@pytest.mark.parametrize(
    "around",
    [
        "\t",
        "\r\n",
        "\u00a0",
        "\u3000",
        "\u2028",
        "\u00ad",
        "\u200b",
        "\u200d",
        "\u200e",
        "\u202a",
        "\u2060",
        "\u2069",
        "\ufeff",
    ],
    ids=ascii,
)
def test_what_pasting_leaves_around_an_address_is_taken_off(around: str) -> None:
    for address in ("a@b.no", "info@例え.テスト"):
        assert read_address(f"{around} {address}{around}{around}") == address


@pytest.mark.parametrize("address", BAD.values(), ids=BAD)
def test_other_forms_are_refused(address: str) -> None:
    assert read_address(address) is None


@pytest.mark.parametrize(
    "hostile",
    [
        "a." * 10**6 + "@b.no",
        "a@" + "b." * 10**6,
        "a@" + "b-" * 10**6 + ".no",
        "-" * 10**6,
        "a@b.no" + " " * 10**6 + "x",
    ],
    ids=["atoms", "labels", "hyphens", "local", "blanks"],
)
def test_long_hostile_input_is_answered(hostile: str) -> None:
    assert read_address(hostile) is None
    assert read_address(hostile[:253] + "!") is None  # short enough to be matched against the whole pattern
