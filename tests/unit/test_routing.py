"""The relays of the setting, and the rules of the routing file."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.email.routing import Routing
from engine.errors import Misconfigured
from engine.runtime import config_files
from engine.settings.relays import MOST_RELAYS, read_relays, shown

if TYPE_CHECKING:
    from pathlib import Path

SETTING = "3*smtp://a.example:25,smtps://varsel:s3cret@b.example"
A, B = "a.example:25", "b.example:465"


def test_relays_are_separated_by_commas_or_spaces_and_have_weights() -> None:
    for text in (SETTING, SETTING.replace(",", " "), SETTING.replace(",", ",  ")):
        assert [(relay.name, relay.weight) for relay in read_relays(text)] == [(A, 3), (B, 1)]


def test_a_comma_in_a_password_separates_nothing() -> None:
    [first, second] = read_relays("smtps://varsel:a,b@a.example,smtps://varsel:c,d@b.example")
    assert (first.url, second.url) == ("smtps://varsel:a,b@a.example", "smtps://varsel:c,d@b.example")


def test_no_password_is_shown() -> None:
    assert shown(SETTING) == "3*smtp://a.example:25,smtps://b.example"
    assert "s3cret" not in repr(read_relays(SETTING))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "must be smtp://"),
        ("smtp://a,imap://b", "relay 2: must be smtp://"),
        ("smtp://a,", "must be smtp://"),
        ("smtp://v:s3cret@a;smtps://b", "must be smtp://"),
        ("3smtp://a", "must be smtp://"),
        ("0*smtp://a", "weight"),
        ("1000*smtp://a", "weight"),
        ("smtp://a,smtp://v:s3cret@b", "relay 2: a password over plain smtp://"),
        ("smtp://a,smtp://a:25", "named twice"),
        (",".join(f"smtp://r{number}" for number in range(MOST_RELAYS + 1)), "at most"),
    ],
)
def test_relays_that_cannot_work_are_refused_without_a_password(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=r".") as refused:
        read_relays(text)
    assert told in str(refused.value)
    assert "s3cret" not in str(refused.value)


RULES = """
    [relays.own]
    url = "smtp+starttls://varsel:s3cret@own.example"
    weight = 2

    [[route]]
    creators = ["skd"]
    domains = ["example.no", "*.example.no", "blåbær.no"]
    relays = ["own", "a.example:25"]

    [[route]]
    creators = ["skd", "nav"]
    relays = ["own"]
    else = "default"
"""


def test_the_first_rule_that_fits_is_followed(tmp_path: Path) -> None:
    routes = routing_of(tmp_path, RULES).routes
    both, own, usual = (("own", A),), (("own",), (A, B)), ((A, B),)
    assert routes.relays["own"].name == "own (own.example:587)"
    assert routes.relays["own"].weight == 2
    assert routes.choices("skd", "example.no") == both
    assert routes.choices("skd", "far.below.example.no") == both
    assert routes.choices("skd", "xn--blbr-roah.no") == both
    assert routes.choices("skd", "no") == own
    assert routes.choices("skd", "anexample.no") == own
    assert routes.choices("nav", "example.no") == own
    assert routes.choices("ttd", "example.no") == usual
    assert [*routes.choices_of("skd")] == [both, own]
    assert [*routes.choices_of("nav")] == [own]
    assert [*routes.choices_of("ttd")] == [usual]


def test_it_is_told_whose_e_mails_wait_for_a_relay_that_is_down(tmp_path: Path) -> None:
    routes = routing_of(tmp_path, f'{RULES}\n[[route]]\ncreators = ["udi", "brreg"]\nrelays = ["own"]').routes
    assert routes.without([A]) == "its e-mails go over other relays"
    assert routes.without([A, B]) == "e-mails wait, but for those that a route takes over others"
    assert routes.without(["own"]) == "e-mails of brreg, udi wait for it; all others go over other relays"
    own_and_a = "e-mails of skd to *.example.no, example.no, xn--blbr-roah.no and those of brreg, udi wait for them"
    assert routes.without(["own", A]) == f"{own_and_a}; all others go over other relays"
    assert routes.without(["own", A, B]) == "e-mails wait"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("not toml", "is not TOML"),
        ("[else]", "write [relays.NAME]"),
        ("[relays.own]", "needs url"),
        ('[relays.own]\nurl = "smtp://v:s3cret@own.example"', "a password over plain smtp://"),
        ('[relays.own]\nurl = "smtp://h"\nweight = 0', "weight"),
        ('[relays."a.example:25"]\nurl = "smtp://h"', "name has"),
        ('[[route]]\nrelays = ["own"]', "creators, domains or both"),
        ('[[route]]\ncreators = ["skd"]\nrelays = ["nobody"]', "knows no relay nobody; there are a.example:25"),
        ('[[route]]\ncreators = ["skd"]\nrelays = ["a.example:25"]\nelse = "any"', 'else can only be "default"'),
        ('[[route]]\ncreators = []\nrelays = ["a.example:25"]', "creators must be a list"),
        ('[[route]]\ndomains = ["a@b"]\nrelays = ["a.example:25"]', "is no domain"),
        ('[[route]]\ndomains = ["a.*"]\nrelays = ["a.example:25"]', "is no domain"),
        ('[[route]]\nto = "x"\ncreators = ["skd"]\nrelays = ["a.example:25"]', "knows no to"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_without_a_password(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        routing_of(tmp_path, text)
    assert told in str(refused.value)
    assert "s3cret" not in str(refused.value)


def test_a_file_is_followed_and_a_broken_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(config_files, "CHECK", timedelta(0))
    followed = routing_of(tmp_path, RULES)
    before = followed.routes
    assert followed.routes is before
    with caplog.at_level(logging.WARNING):
        (tmp_path / "routes.toml").write_text("broken")
        assert followed.routes is before
        assert followed.routes is before
    assert len(caplog.messages) == 1
    assert "the routes stay as they were" in caplog.text
    (tmp_path / "routes.toml").write_text("")
    assert followed.routes.choices("skd", "example.no") == ((A, B),)


def routing_of(folder: Path, text: str) -> Routing:
    file = folder / "routes.toml"
    file.write_text(text)
    return Routing(SETTING, file)
