"""While a part does not answer, one caller at a time waits for it; when it answers, everybody calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.runtime.circuit import Circuit, Open

if TYPE_CHECKING:
    from collections.abc import Callable


class Refused(Exception):
    """The part answers, and says no."""


def circuit() -> Circuit:
    return Circuit(lambda error: None if isinstance(error, TimeoutError) else not isinstance(error, Refused))


def fail(part: Circuit, error: Exception) -> None:
    with pytest.raises(type(error)), part.calling():
        raise error


def succeed(part: Circuit) -> None:
    with part.calling():
        pass


def test_while_one_tries_the_others_are_told_at_once() -> None:
    part = circuit()
    fail(part, OSError())
    with part.calling(), pytest.raises(Open), part.calling():
        pass
    with part.calling(), part.calling():
        pass


def test_a_refusal_is_an_answer() -> None:
    part = circuit()
    fail(part, OSError())
    fail(part, Refused())
    assert not part.open


def test_an_error_of_which_nobody_knows_changes_nothing() -> None:
    part = circuit()
    fail(part, TimeoutError())
    assert not part.open
    fail(part, OSError())
    fail(part, TimeoutError())
    assert part.open


def overtake(part: Circuit, later: Callable[[Circuit], None]) -> None:
    """A call that fails, and while it runs a later one."""
    with part.calling():
        later(part)
        raise OSError


@pytest.mark.parametrize("later", [succeed, lambda part: fail(part, Refused())])
def test_a_call_that_began_before_others_were_answered_says_nothing_new(later: Callable[[Circuit], None]) -> None:
    """A connection that was begun before the database came up may fail seconds after others have succeeded."""
    part = circuit()
    with pytest.raises(OSError):  # noqa: PT011 it is the one that was raised
        overtake(part, later)
    assert not part.open
