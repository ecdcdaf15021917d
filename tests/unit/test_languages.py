"""The reader's language: which one it is, how it writes numbers, and that nobody else gets it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from api.console.languages import LANGUAGES, NAMES, preferred
from engine.admin.amounts import some, span
from engine.admin.words import of_processes
from engine.text.language import current, decimal, gettext, ngettext, number, spoken, translated


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("", "en"),
        ("nb", "nb"),
        ("nb-NO,nb;q=0.9,no;q=0.8,nn;q=0.7,en-US;q=0.6,en;q=0.5", "nb"),
        ("nn-NO, nn;q=0.9, en;q=0.5", "nn"),
        ("no", "nb"),
        ("no-NO", "nb"),
        ("NB-no", "nb"),
        ("en-GB,en;q=0.9,nb;q=0.8", "en"),
        ("sv;q=1.0, da, nn;q=0.5, nb;q=0.2", "nn"),
        ("nb;q=0.2, nn;q=0.3", "nn"),
        ("nb;q=0, nn", "nn"),
        ("nb;q=0", "en"),
        ("fr", "en"),
        ("*", "en"),
        ("nb;q=much, nn;q=0.1", "nn"),
        (";;,,=", "en"),
    ],
)
def test_the_language_that_the_browser_wants_most(header: str, code: str) -> None:
    assert preferred(header).code == code


def test_each_language_is_named_in_itself() -> None:
    assert NAMES == {"en": "English", "nb": "norsk bokmål", "nn": "norsk nynorsk"}


def test_numbers_are_written_as_the_language_does() -> None:
    written = [number(1_234_567), decimal(0.25, 2), decimal(1_234.5), decimal(12.0, 0)]
    assert written == ["1,234,567", "0.25", "1,234.5", "12"]
    for code in ("nb", "nn"):
        with spoken(LANGUAGES[code]):
            written = [number(1_234_567), decimal(0.25, 2), decimal(1_234.5), decimal(12.0, 0)]
        assert written == ["1\u00a0234\u00a0567", "0,25", "1\u00a0234,5", "12"]


def test_plurals_and_spans_are_the_languages_own() -> None:
    assert [some(1, "emails"), some(2_000, "emails")] == ["1 e-mail", "2,000 e-mails"]
    with spoken(LANGUAGES["nb"]):
        assert [some(1, "emails"), some(2_000, "emails")] == ["1 e-post", "2\u00a0000 e-poster"]
        assert span(timedelta(hours=3, minutes=20)) == "3 t 20 min"
    with spoken(LANGUAGES["nn"]):
        assert some(2_000, "emails") == "2\u00a0000 e-postar"


def test_processes_of_a_kind_are_one_or_many_in_each_language() -> None:
    one, many = ["scheduler"], ["web", "instant", "worker", "scheduler"] * 2
    assert [of_processes(one), of_processes(many)] == [
        "1 scheduler runs",
        "2 instant workers, 2 schedulers, 2 web processes, 2 workers run",
    ]
    for code, told in (
        ("nb", "2 instant-arbeidere, 2 planleggere, 2 webprosesser, 2 arbeidere kjører"),
        ("nn", "2 instant-arbeidarar, 2 planleggarar, 2 webprosessar, 2 arbeidarar køyrer"),
    ):
        with spoken(LANGUAGES[code]):
            assert of_processes(many) == told


def test_what_no_catalogue_has_stays_english() -> None:
    with spoken(LANGUAGES["nb"]):
        assert translated("what nobody has marked: 100 %") == "what nobody has marked: 100 %"
        assert translated("") == "", "and not what the catalogue says of itself"
        assert gettext("%(share)s %% of %(what)s", share=5, what="%s") == "5 % of %s"
        assert ngettext("%(num)s unmarked thing", "%(num)s unmarked things", 1_000) == "1\u00a0000 unmarked things"


def test_each_task_and_thread_speaks_its_readers_language() -> None:
    async def seen_by(code: str, begun: asyncio.Barrier) -> list[str]:
        with spoken(LANGUAGES[code]):
            await begun.wait()  # all of them at once
            task = asyncio.create_task(_code())
            return [current().code, await task, await asyncio.to_thread(lambda: current().code)]

    async def all_at_once() -> list[list[str]]:
        begun = asyncio.Barrier(3)
        return await asyncio.gather(*(seen_by(code, begun) for code in ("en", "nb", "nn")))

    assert asyncio.run(all_at_once()) == [[code] * 3 for code in ("en", "nb", "nn")]
    assert current().code == "en"


async def _code() -> str:
    return current().code
