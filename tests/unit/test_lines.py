"""Lines of e-mails that wait until another one to their domain has ended."""

from __future__ import annotations

from collections import Counter

from engine.email.lines import LONG, MOST, Lines


def test_whoever_ends_calls_the_next_of_its_line() -> None:
    lines: Lines[int] = Lines(Counter())
    lines.begin("a")
    lines.begin("b")
    assert [lines.join("a", number) for number in (1, 2)] == [[], []]
    assert lines.end("b") is None
    assert lines.end("a") == 1
    lines.begin("a")
    assert lines.end("a") == 2
    lines.begin("a")
    assert lines.end("a") is None


def test_a_line_has_room_only_while_somebody_would_call_it() -> None:
    lines: Lines[int] = Lines(Counter())
    assert lines.room("a", 5) == 0
    lines.begin("a")
    assert lines.room("a", 5) == 5
    lines.join("a", 1)
    assert (lines.room("a", 5), lines.room("a", 10 * LONG)) == (4, LONG - 1)


def test_nobody_stays_in_a_line_that_nobody_would_call() -> None:
    lines: Lines[int] = Lines(Counter())
    assert lines.join("a", 1) == [1]
    lines.begin("a")
    lines.join("a", 1)
    lines.join("a", 2)
    assert lines.end("a") == 1
    assert lines.join("a", 1) == [1, 2]
    assert lines.leave() == []


def test_lines_have_an_end_and_all_of_them_together_too() -> None:
    lines: Lines[int] = Lines(Counter())
    for domain in "abcdef":
        lines.begin(domain)
    left = [lines.join(domain, number) for domain in "abcdef" for number in range(LONG + 1)]
    assert sum(not row for row in left) == MOST
    assert next(row for row in left if row) == [LONG]
    assert len(lines.leave()) == MOST
    assert lines.join("f", 1) == []
