"""Cells of CSV files: what a spreadsheet or a terminal would obey is text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import pytest

from engine.admin.exports import cell


@pytest.mark.parametrize(
    "text",
    [
        "=1+1",
        "+47 22 00 00 00",
        "-2",
        "@SUM(A1)",
        "\t=1",
        "\rx",
        "\nx",
        "  =1",
        "\uff1d1",
        "\uff0b1",
        "\uff0d1",
        "\uff201",
    ],
)
def test_what_begins_like_a_formula_gets_an_apostrophe(text: str) -> None:
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("text", ["", "kari@example.no", "a=b", "550 5.1.1", "'=1", "blåbær", "a\nb"])
def test_other_text_stays(text: str) -> None:
    assert cell(text) == text


def test_controls_are_escaped() -> None:
    assert cell("a\x1b[31m\x07\x9b") == "a\\x1b[31m\\x07\\x9b"


def test_values_have_their_forms() -> None:
    oslo = timezone(timedelta(hours=1))
    given = [
        None,
        True,
        False,
        -5,
        datetime(2026, 11, 28, 21, 0, tzinfo=oslo),
        ["=1"],
        {"at": datetime(2026, 1, 1, tzinfo=UTC)},
    ]
    assert [cell(value) for value in given] == [
        "",
        "yes",
        "no",
        "-5",
        "2026-11-28 20:00:00",
        '["=1"]',
        '{"at": "2026-01-01T00:00:00.000Z"}',
    ]
