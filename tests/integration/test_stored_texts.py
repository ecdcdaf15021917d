"""What workers store in English is said in the reader's language; what others have written in it stays."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from api.console.languages import LANGUAGES
from engine.admin.effects import of_trouble
from engine.admin.relays import relays
from engine.admin.words import FAULTY, GIVEN_UP, LOST, of_consequence, of_reason
from engine.db.tables import processes
from engine.diagnosis.relay import SENDER, of_relay, spoken
from engine.email.routing import Routes, Rule
from engine.models import ASKED_AGAIN, GONE, NOT_ACCEPTED, SENT_ANYWAY, new_id
from engine.settings.relays import SETTING
from engine.text import language
from engine.text.language import retold
from tests.helpers.rows import now

if TYPE_CHECKING:
    from engine.db.store import Store

WRITTEN = "[relays.own] in /etc/varsel/routes.toml"
ALL = tuple(Rule(frozenset(creators), frozenset(domains), (("own",),)) for creators, domains in (
    ({"ttd"}, {"example.no"}), ({"nav", "udi"}, ()), ((), {"b.example"}), (set("abcdef"), ()),
))  # fmt: skip


def effect(*down: str) -> str:
    return Routes({}, ("usual",), ALL).without(down)


@pytest.mark.parametrize(
    ("text", "bokmål", "nynorsk"),
    [
        ("Paused by an operator: it's 5 %", "Satt på pause av en operatør: it's 5 %", "Sett på pause av ein operatør"),
        (GONE, "Endepunktet svarte 410 Gone", "Endepunktet svara 410 Gone"),
        (GIVEN_UP % {"why": LOST % {"count": 5}}, "5 arbeidere på rad sluttet", "5 arbeidarar på rad slutta"),
        (GIVEN_UP % {"why": FAULTY % {"count": 3}}, "3 forsøk endte med en feil", "3 forsøk enda med ein feil"),
        (NOT_ACCEPTED[0] % {"answer": "status 503"}, "en hendelse ble ikke godtatt: status 503", "ei hending vart"),
        ("their server is down", "their server is down", "their server is down"),
    ],
)
def test_reasons_are_said_in_the_readers_language(text: str, bokmål: str, nynorsk: str) -> None:  # noqa: PLC2401 its name
    assert of_reason(text) == text
    for code, begins in (("nb", bokmål), ("nn", nynorsk)):
        with language.spoken(LANGUAGES[code]):
            said = of_reason(text)
        assert said.startswith(begins)
        assert "What it has done" not in said


def test_what_follows_an_unclear_answer_is_said_in_the_readers_language() -> None:
    with language.spoken(LANGUAGES["nb"]):
        assert of_consequence(SENT_ANYWAY) == "sendt likevel"
        assert of_consequence(ASKED_AGAIN % {"seconds": 60}) == "spurt igjen om 60 s"


@pytest.mark.parametrize("advice", sorted({fault.advice for fault in SENDER}))
def test_every_advice_about_a_relay_is_translated_wherever_its_address_stands(advice: str) -> None:
    assert advice.count(SETTING) <= 1
    given = advice.replace(SETTING, WRITTEN)
    assert spoken(given) == given
    for code in ("nb", "nn"):
        with language.spoken(LANGUAGES[code]):
            said = spoken(given)
        assert said != given
        assert (WRITTEN in said) == (SETTING in advice)
        assert SETTING not in said


def test_a_relay_that_is_down_is_told_of_in_norwegian_alone(store: Store) -> None:
    found = of_relay(None, "Connection refused", "r:25", WRITTEN)
    state: dict[str, Any] = {"name": "r:25", "state": "down", "since": None, "said": found.text}
    state |= {"advice": found.advice, "effect": effect("own")}
    process: dict[str, Any] = {"id": new_id(now()), "kind": "worker", "host": "h", "pid": 1, "version": "1"}
    process |= {"started": now(), "seen": now(), "relay": "r:25", "relays": json.dumps([state])}
    with store.write() as connection:
        connection.execute(processes.insert().values(process))
        with language.spoken(LANGUAGES["nb"]):
            [told] = relays(connection, [])
    assert told.said == "releet r:25 svarer ikke (Connection refused)"
    assert told.advice == f"Start det, eller rett HOST:PORT i {WRITTEN}."
    assert told.effect == (
        "e-poster fra ttd til example.no og de fra nav, udi og de til b.example og de fra a, b, c, d, e, andre"
        " venter på det; alle andre går over andre releer"
    )


def test_why_a_workers_e_mails_wait_is_said_in_norwegian_and_the_relays_words_stay() -> None:
    with language.spoken(LANGUAGES["nn"]):
        said = of_trouble(f"{effect('usual')} (r:25: Connection refused)")
        assert said == "e-postar ventar, unnateke dei som ei rute sender over andre (r:25: Connection refused)"
        assert of_trouble("Connection refused (e-mails wait)") == "Connection refused (e-mails wait)"


def test_values_are_taken_from_the_whole_text_and_nothing_else() -> None:
    assert retold("a (b) c.", "%(x)s (%(y)s) c.", x=str.upper) == "A (b) c."
    assert retold("a (b) c. d", "%(x)s (%(y)s) c.") == "a (b) c. d"
    assert retold("two\nlines", "%(x)s") == "two\nlines"
    assert retold("", "%(x)s") == ""
