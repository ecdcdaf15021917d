"""The file of limits: what it may say, what it is told when it says something else, and that changes are followed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.email.limits import NONE, Limit, Limits
from engine.email.pressure import Kind
from engine.errors import Misconfigured
from engine.runtime import config_files

if TYPE_CHECKING:
    from pathlib import Path


def test_without_a_file_there_are_no_limits() -> None:
    assert Limits().of(Kind.DOMAIN, "example.no") == NONE


def test_a_domain_is_found_however_it_is_spelled(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text('[domain."BLÅBÆR.no"]\nrate = 0.5\nconnections = 2\n[relay."Relay.example:25"]\nrate = 7\n')
    found = Limits(file)
    assert found.of(Kind.DOMAIN, "xn--blbr-roah.no") == Limit(0.5, 2)
    assert found.of(Kind.RELAY, "relay.example:25") == Limit(7)
    assert found.of(Kind.DOMAIN, "relay.example:25") == NONE


def test_a_relay_is_found_by_its_name_in_the_routes_or_by_its_place(tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text('[relay.Bulk]\nrate = 1\n[relay."mail.example.no:465"]\nrate = 2\n')
    found = Limits(file)
    assert found.of(Kind.RELAY, "Bulk (bulk.example.no:587)") == Limit(1)
    assert found.of(Kind.RELAY, "other (mail.example.no:465)") == Limit(2)
    assert found.of(Kind.RELAY, "mail.example.no:465") == Limit(2)
    assert found.of(Kind.RELAY, "third (third.example.no:465)") == NONE


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[", "is not TOML"),
        ('[host."example.no"]\nrate = 1', "knows no 'host'"),
        ("domain = 3", "domain is no table"),
        ('[domain."*.example.no"]\nrate = 1', "a limit is for one domain, without *"),
        ('[domain."example.no"]', "must have rate or connections and nothing else"),
        ('[domain."example.no"]\nrat = 1', "must have rate or connections and nothing else"),
        ('[relay."r:25"]\nconnections = 1', "must have rate and nothing else"),
        ('[domain."example.no"]\nrate = 0', "rate must be a number from 0.01"),
        ('[domain."example.no"]\nrate = nan', "rate must be a number from 0.01"),
        ('[domain."example.no"]\nrate = true', "rate must be a number from 0.01"),
        ('[domain."example.no"]\nrate = "10"', "rate must be a number from 0.01"),
        ('[domain."example.no"]\nconnections = 0', "connections must be a whole number"),
        ('[domain."example.no"]\nconnections = 1.5', "connections must be a whole number"),
    ],
)
def test_a_file_that_cannot_be_used_is_told_what_is_wrong(text: str, told: str, tmp_path: Path) -> None:
    file = tmp_path / "limits.toml"
    file.write_text(text)
    with pytest.raises(Misconfigured, match=told):
        Limits(file)


def test_changes_are_followed_and_a_fault_leaves_the_limits_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(config_files, "CHECK", timedelta(0))
    file = tmp_path / "limits.toml"
    file.write_text('[domain."example.no"]\nrate = 10\n')
    found = Limits(file)
    file.write_text('[domain."example.no"]\nrate = 2000\n')
    assert found.of(Kind.DOMAIN, "example.no") == Limit(2000)
    file.write_text("rubbish")
    assert found.of(Kind.DOMAIN, "example.no") == Limit(2000)
    assert [message.partition(":")[0] for message in caplog.messages] == ["the limits stay as they were"]
