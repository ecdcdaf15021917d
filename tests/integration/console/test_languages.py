"""Each page is in its reader's language, whole: no English text is left where a translation says something else."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from typing import TYPE_CHECKING

import pytest

from tests.helpers.console import Site, fill, pages
from tests.helpers.console_texts import SHOWN, UNSPOKEN, catalogue

if TYPE_CHECKING:
    from engine.db.store import Store

TEXT = "Åse@example.no"
SAME = {"live", "creator:", "Time"}  # names of a kind of key and of a condition; and what an hour is in Norwegian
QUESTIONS = (
    "/console/orders/{orders}/resend",
    "/console/emails/{emails}/retry",
    "/console/emails/all/retry",
    "/console/subscriptions/{subscriptions}/resume",
    "/console/deliveries/{deliveries}/retry",
    "/console/pause?kind=lane&value=emails",
    "/console/pause?kind=creator&value=nobody",
    "/console/resume?kind=domain&value=example.no",
    "/console/drain",
    "/console/keys/1/revoke",
    "/console/recurring/{recurring}/delete",
    "/console/find?q=Åse@example.no",
    "/console/find",
    "/console/persons",
    "/console/zone",
    "/console/orders/1/2/3",
    "/console/orders/019a3f0e-7c1b-7000-8000-1a2b3c4d5e6f",
    "/console/orders/x",
    "/console/rates?span=month",
)


@pytest.mark.parametrize("code", ["nb", "nn"])
def test_no_page_has_an_english_text(site: Site, store: Store, code: str) -> None:
    keys = fill(store, TEXT, "etikett")
    browser = site.browser("anna")
    browser.client.headers["accept-language"] = f"{code}, en;q=0.1"
    left = english(code)
    told = {}
    for path in (*pages(keys), *(each.format(**keys) for each in QUESTIONS)):
        answer = browser.get(path)
        assert answer.headers["content-language"] == code, path
        assert f'<html lang="{code}"' in answer.text, path
        if found := {text for text in shown(answer.text) if left.fullmatch(text)}:
            told[path] = found
    assert told == {}


def test_the_test_of_it_finds_english(site: Site, store: Store) -> None:
    fill(store, TEXT, "etikett")
    found = [
        text for text in shown(site.browser("anna").get("/console/overview").text) if english("nb").fullmatch(text)
    ]
    assert {"Waiting now", "Nothing is in flight.", "Paused"} & {*found} == {"Waiting now", "Paused"}


def test_the_browsers_language_holds_until_the_reader_chooses_another(site: Site) -> None:
    browser = site.browser("kari")
    browser.client.headers["accept-language"] = "nn-NO, nb;q=0.9"
    page = browser.get("/console/overview")
    assert '<h2 id="h-pauses">Sett på pause</h2>' in page.text
    assert page.headers["vary"] == "Accept, Accept-Language, Cookie"
    assert browser.post("/console/zone", language="nb", back="/console/orders").headers["location"] == "/console/orders"
    assert "Fra nå av vises tider i nettleserens tidssone." in browser.get("/console/overview").text
    assert '<option value="nb" lang="nb" selected>norsk bokmål</option>' in browser.get("/console/zone").text
    browser.post("/console/zone", language="")
    assert '<html lang="nn"' in browser.get("/console/overview").text
    browser.client.cookies.set("varsel_language", "../../etc/passwd", path="/console")
    assert '<html lang="nn"' in browser.get("/console/overview").text, "what is no language is not believed"


def test_two_readers_at_once_see_the_same_overview_each_in_their_language(site: Site, store: Store) -> None:
    fill(store, TEXT, "etikett")
    english_one, norwegian = site.browser("anna"), site.browser("ola")
    norwegian.client.headers["accept-language"] = "nb"
    pages = [each.get("/console/overview").text for each in (english_one, norwegian, english_one)]
    said = ["No scheduler runs" in page for page in pages], ["Ingen planlegger kjører" in page for page in pages]
    assert said == ([True, False, True], [False, True, False])


def test_who_is_not_signed_in_is_told_so_in_their_language(site: Site) -> None:
    browser = site.browser("ola")
    browser.client.cookies.clear()
    browser.client.headers["accept-language"] = "no"
    assert "<h1>Logg inn</h1>" in browser.get("/console/sign-in").text
    refused = browser.post("/console/sign-in", name="ola", password="wrong", next="/console")
    assert "Dette navnet og dette passordet hører ikke sammen." in refused.text
    assert "Du er ikke logget inn, eller ikke lenger." in browser.post("/console/drain").text


def english(code: str) -> re.Pattern[str]:
    """Texts that a translation replaces; what stands for a value is any text."""
    texts = set()
    for message in catalogue(code):
        ids = [message.id] if isinstance(message.id, str) else message.id
        said = [message.string] if isinstance(message.string, str) else list(message.string or ())
        texts |= {each for each in ids if each and each not in said}
    return re.compile("|".join(_pattern(each) for each in sorted(texts) if _is_told_apart(each)))


def _is_told_apart(text: str) -> bool:
    """Whether it is known from other texts whatever its values are."""
    bare = re.sub(r"%\(\w+\)s|\{\w+\}|<[^>]+>", "", text)
    return text not in SAME and (bare == text or len(bare) > len("from ... to ..."))


def _pattern(text: str) -> str:
    parts = re.split(r"%\(\w+\)s|\{\w+\}", re.sub("<[^>]+>", "", text.replace("%%", "%")))
    return ".+".join(map(re.escape, parts)).strip()


def shown(page: str) -> list[str]:
    """What a page says: its texts, and those of its attributes."""
    parser = _Shown()
    parser.feed(page)
    parser.close()
    return [text for text in map(str.strip, parser.found) if text]


class _Shown(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._silent += tag in UNSPOKEN
        self.found += [value for name, value in attrs if name in SHOWN and value]

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in UNSPOKEN

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.found.append(data)
