"""The log has one line a minute with a count for the same fault, and all lines for different ones."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from engine.diagnosis import of_database
from engine.errors import Unavailable
from engine.observability import repeats
from engine.observability.logs import bound
from tests.helpers.log import logging_as
from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    import pytest

log = logging.getLogger("engine.tests")


def lines(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line.split("Z ", 1)[1] for line in capsys.readouterr().err.splitlines() if "Z " in line]


def fail(number: int) -> None:
    try:
        int(f"no number {number}")
    except ValueError:
        log.exception("number %d failed", number)


@logging_as("text")
def test_a_fault_that_repeats_is_told_once_and_counted_when_the_process_ends(
    capsys: pytest.CaptureFixture[str],
) -> None:
    for _ in range(1000):
        log.warning("the database %s; 100 %% of it", "does not answer")
    for handler in logging.getLogger().handlers[:]:
        handler.close()
    told = "WARNING engine.tests the database does not answer; 100 % of it"
    assert lines(capsys) == [told, f"{told} (and 999 more times within a minute)"]


@logging_as("text")
def test_the_count_is_told_when_the_minute_is_over_and_the_next_is_told_anew(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "PERIOD", 0.2)
    found: list[str] = []

    def told() -> bool:
        found.extend(lines(capsys))
        return any("more times" in line for line in found)

    def again() -> bool:
        log.warning("away")
        return told()

    wait_for(again)
    found.clear()
    log.warning("away")
    wait_for(again)
    assert "WARNING engine.tests away" in found


@logging_as("text")
def test_what_differs_is_no_repeat(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        log.warning("number %d", number)
        with bound(order_id=number):
            log.error("set aside")
    for _ in range(3):
        log.info("settled")
    assert len(lines(capsys)) == 9


@logging_as("text")
def test_what_came_of_another_request_is_a_repeat(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(3):
        with bound(trace_id=number):
            log.warning("refused")
    assert len(lines(capsys)) == 1


@logging_as("text")
def test_the_same_bug_with_many_rows_shows_its_trace_once(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(100):
        with bound(delivery=number):
            fail(number)
    output = capsys.readouterr().err
    assert output.count("Traceback") == 1
    assert "number 0 failed" in output


@logging_as("text")
def test_a_part_that_is_away_is_a_line_without_a_trace(capsys: pytest.CaptureFixture[str]) -> None:
    error = Unavailable("the database", diagnosis=of_database(OSError("no route to host")))
    log.critical("Consumer encountered an unexpected error.", exc_info=error)
    told = "Consumer encountered an unexpected error. the database does not answer in time (no route to host)"
    [line] = lines(capsys)
    assert line.startswith(f"CRITICAL engine.tests {told}. Look whether")


@logging_as("text")
def test_a_part_whose_words_are_others_each_time_is_told_once_a_minute(capsys: pytest.CaptureFixture[str]) -> None:
    for number in range(20):
        away = of_database(OSError(f"connection refused (attempt {number})"))
        log.warning("the next tick asks again: %s", away)
        log.critical("Consumer encountered a connection error: %s", ConnectionError(away))
    assert len(lines(capsys)) == 2
