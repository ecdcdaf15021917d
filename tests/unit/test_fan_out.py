"""The number of keys under which an event is looked up is bounded, whatever its type."""

from __future__ import annotations

import pytest

from engine.events.fan_out import ANY, MOST_DOTS, keys, pairs, type_keys
from tests.helpers.rows import an_event

SUBJECTS = 3  # any, its own, its alternative one


@pytest.mark.parametrize("type_", ["." * 500, "a." * 250, "a" * 500, "a.b", "a." * MOST_DOTS + "a"])
def test_the_keys_of_an_event_are_few_whatever_its_type_is(type_: str) -> None:
    event = an_event(type=type_, alternative_subject="/organisation/910514318")
    assert len(list(keys(event))) <= SUBJECTS * (2 + MOST_DOTS)


def test_an_event_is_found_under_its_type_and_every_beginning_that_a_filter_can_be() -> None:
    assert list(type_keys("a.b.c")) == [ANY, "a.b.c", "a.*", "a.b.*"]
    parts = [str(number) for number in range(MOST_DOTS + 2)]
    found = list(type_keys(".".join(parts)))
    assert found[2:] == [".".join(parts[:count]) + ".*" for count in range(1, MOST_DOTS + 1)]


def test_what_nobody_asks_for_has_no_keys() -> None:
    event = an_event()
    resource_alone, _ = pairs(event)
    assert {key[:2] for key in keys(event, {resource_alone})} == {resource_alone}
    assert not list(keys(event, ()))
