"""Quotas of creators: their file, which is followed, and what in it is refused."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.errors import Misconfigured
from engine.orders.quotas import Excess, Quota, Quotas
from engine.runtime import config_files

if TYPE_CHECKING:
    from pathlib import Path

EACH = """
[default]
per_minute = 600
per_day = 50_000

[creators.ttd]
per_minute = 6_000
exceeded = "pace"

[creators.skd]
"""


def written(folder: Path, text: str) -> Path:
    file = folder / "quotas.toml"
    file.write_text(text)
    return file


def test_a_named_creator_has_its_own_quota_alone_and_others_have_the_default(tmp_path: Path) -> None:
    found = Quotas(written(tmp_path, EACH)).find({"ttd", "skd", "nav"})
    assert found == {"ttd": Quota(6_000, None, Excess.PACE), "nav": Quota(600, 50_000, Excess.REFUSE)}


@pytest.mark.parametrize("text", [None, "", "[default]\nexceeded = 'pace'\n"])
def test_without_a_quota_nobody_has_one(tmp_path: Path, text: str | None) -> None:
    assert Quotas(None if text is None else written(tmp_path, text)).find({"ttd"}) == {}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("default = 600", "default: is no table"),
        ("creators = 600", "knows no 'creators' in this form"),
        ("[creators]\nttd = 600", "creators.'ttd': is no table"),
        ("[[creators.ttd]]", "creators.'ttd': is no table"),
        ("[creators.'']", "no creator has such a name"),
        (f"[creators.{'a' * 101}]", "no creator has such a name"),
        ("[ttd]\nper_day = 1", "knows no 'ttd'; write"),
        ("[default]\nper_hour = 1", "default: knows no 'per_hour'; there are per_minute, per_day and exceeded"),
        ("[default]\nper_day = 0", "default: per_day must be a number of recipients from 1 to 1,000,000,000"),
        ("[default]\nper_day = -1", "per_day must be"),
        ("[default]\nper_day = 1_000_000_001", "per_day must be"),
        ("[default]\nper_day = 1.5", "per_day must be"),
        ("[default]\nper_day = inf", "per_day must be"),
        ("[default]\nper_minute = true", "per_minute must be"),
        ("[default]\nper_minute = '600'", "per_minute must be"),
        ("[default]\nexceeded = 'drop'", "exceeded must be one of refuse, pace, in quotes"),
        ("[default]\nexceeded = ['pace']", "exceeded must be one of refuse, pace"),
        ("[default", "is not TOML"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_in_a_line(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(Misconfigured) as refused:
        Quotas(written(tmp_path, text))
    assert fault in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"quotas\.toml: No such file"):
        Quotas(tmp_path / "quotas.toml")


def test_a_changed_file_is_followed_and_a_broken_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(config_files, "CHECK", timedelta(0))
    quotas = Quotas(written(tmp_path, "[default]\nper_day = 1\n"))
    written(tmp_path, "[default]\nper_day = 22\n")
    assert quotas.find({"ttd"}) == {"ttd": Quota(per_day=22)}
    written(tmp_path, "[default]\nper_day = 'many'\n")
    assert quotas.find({"ttd"}) == {"ttd": Quota(per_day=22)}
    assert [record.message.partition(":")[0] for record in caplog.records] == ["the quotas stay as they were"]
    written(tmp_path, "")
    assert quotas.find({"ttd"}) == {}
