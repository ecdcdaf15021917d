"""The messages between Dramatiq's consumer and its threads."""

from __future__ import annotations

import threading
from queue import Empty
from typing import Any

import pytest

from engine.worker.process import _Messages
from tests.helpers.waiting import SHORT

SOON = SHORT.total_seconds()


def messages() -> Any:
    return _Messages()


def test_a_thread_waits_until_there_is_a_message_whatever_its_time_out() -> None:
    waiting = messages()
    threading.Timer(SOON, waiting.put, ("one",)).start()
    assert waiting.get(timeout=SOON / 100) == "one"


def test_at_the_end_nobody_waits_any_more() -> None:
    waiting = messages()
    threading.Timer(SOON, waiting.end).start()
    with pytest.raises(Empty):
        waiting.get()


def test_what_is_left_at_the_end_can_be_taken() -> None:
    waiting = messages()
    waiting.put("one")
    waiting.end()
    assert waiting.get_nowait() == "one"
    with pytest.raises(Empty):
        waiting.get_nowait()


def test_whoever_does_not_want_to_wait_is_told_that_there_is_nothing() -> None:
    with pytest.raises(Empty):
        messages().get_nowait()
