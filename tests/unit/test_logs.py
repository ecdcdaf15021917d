"""Logs: one record is one line, whatever it contains, and says what it is about."""

from __future__ import annotations

import json
import logging
import re
import threading
import warnings
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.observability import logs
from tests.helpers.log import logging_as

log = logging.getLogger("engine.test")
ORDER = UUID("0197b9a4-5d5c-7c3b-9a7e-2f1d0c4b8a65")
FORGED = "\n2026-01-01T00:00:00.000Z INFO engine forged\r\x1b[2J\u202e\x85\u2028\x9b31m"
TERMINAL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


CONTINUED = re.compile(r"(?:<\d>)?    ")


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().err.splitlines()


def objects(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.split("\n")[:-1]]


def fail(text: str) -> None:
    raise ValueError(text)


def test_json_is_an_object_per_line_with_time_level_logger_and_message(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as("json"):
        log.info("%d of %s", 3, "blåbær")
    [line] = objects(capsys)
    at = line.pop("time")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", at)
    assert abs(datetime.fromisoformat(at).timestamp() - datetime.now().astimezone().timestamp()) < 60
    assert line == {"level": "INFO", "logger": "engine.test", "message": "3 of blåbær"}


def test_what_is_bound_stands_in_every_line_of_the_block_and_in_none_after_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with logging_as("json"):
        with logs.bound(lane="emails", order_id=ORDER), logs.bound(delivery=7, lane="webhooks"):
            logging.getLogger("others").warning("inner")
        log.info("outer")
    inner, outer = objects(capsys)
    assert (inner["lane"], inner["order_id"], inner["delivery"]) == ("webhooks", str(ORDER), 7)
    assert set(outer) == {"time", "level", "logger", "message"}


def test_text_says_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as("text"):
        with logs.bound(order_id=ORDER, event_id="a b] forged"):
            log.info("three")
        log.info("four")
    bound, free = said(capsys)
    assert bound.partition(" ")[2] == f'INFO engine.test [order_id={ORDER} event_id="a b] forged"] three'
    assert free.endswith("Z INFO engine.test four")


def test_for_a_journal_each_line_has_its_priority_and_no_time(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as("journal"):
        log.info("three")
        log.warning("four")
        log.error("five\nsix")
    assert said(capsys) == ["<6>engine.test three", "<4>engine.test four", "<3>engine.test five", "<3>    six"]


def test_a_thread_does_not_see_what_another_has_bound(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as("json"), logs.bound(order_id=ORDER):
        other = threading.Thread(target=log.info, args=("elsewhere",))
        other.start()
        other.join()
    assert "order_id" not in objects(capsys)[0]


@pytest.mark.parametrize("format_", logs.FORMATS)
def test_no_text_forges_a_line_or_moves_the_terminal(format_: str, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as(format_), logs.bound(event_id=FORGED):
        log.info("it said %s", FORGED)
        try:
            fail(FORGED)
        except ValueError:
            log.exception("refused %s", FORGED)
    told = capsys.readouterr().err
    assert not TERMINAL.search(told)
    own = [line for line in told.split("\n")[:-1] if not CONTINUED.match(line)]
    assert len(own) == 2
    assert "ValueError" in told


@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(), format_=st.sampled_from(sorted(logs.FORMATS)))
def test_any_text_is_one_record(text: str, format_: str, capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as(format_), logs.bound(event_id=text):
        log.info("it said %s", text)
    told = capsys.readouterr().err
    assert not TERMINAL.search(told)
    assert [line for line in told.split("\n")[:-1] if not CONTINUED.match(line)] == [told.split("\n")[0]]
    if format_ == "json":
        line = json.loads(told)
        assert (line["message"], line["event_id"]) == (f"it said {text}", text)


def test_an_exception_is_in_its_line(capsys: pytest.CaptureFixture[str]) -> None:
    with logging_as("json"):
        try:
            dict[str, str]()["missing"]
        except KeyError:
            log.exception("could not")
    [line] = objects(capsys)
    assert line["exception"].startswith("Traceback")
    assert line["exception"].endswith("KeyError: 'missing'")


def test_libraries_and_warnings_speak_the_same_format(capsys: pytest.CaptureFixture[str]) -> None:
    server = logging.getLogger("uvicorn")
    server.addHandler(logging.StreamHandler())
    server.propagate = False
    with logging_as("json"):
        logging.getLogger("uvicorn.error").warning("late")
        logging.getLogger("others").info("chatter")
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert [line["logger"] for line in objects(capsys)] == ["uvicorn.error", "py.warnings"]
