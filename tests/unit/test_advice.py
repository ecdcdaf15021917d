"""What to do is said by the command where one reads commands, and by its place where one reads the console."""

from __future__ import annotations

import pytest

from engine.admin.advice import BY_ITSELF, CLOCK, GROUPS, IN_CONSOLE
from engine.admin.finding import finding


@pytest.mark.parametrize("advice", IN_CONSOLE)
def test_the_console_names_no_command_where_it_shows_the_same(advice: str) -> None:
    found = finding("problem", "Something is wrong", advice=advice)
    assert "`varsel " in found["advice"]
    assert "`" not in found["in_console"]


def test_of_several_advices_each_is_said_for_its_reader() -> None:
    found = finding("problem", "The relay is down", advice=["Start it.", BY_ITSELF])
    assert found["advice"] == f"Start it. {BY_ITSELF}"
    assert found["in_console"] == "Start it. E-mails go on by themselves, within seconds, when it is back."


def test_what_the_console_cannot_do_is_a_command_there_too() -> None:
    assert finding("problem", "No scheduler runs", advice=CLOCK)["in_console"] == CLOCK
    assert "below" in finding("problem", "Many fail", advice=GROUPS)["in_console"]
