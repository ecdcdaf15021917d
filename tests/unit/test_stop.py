"""The signal that asks a process to end is heard at any moment."""

from __future__ import annotations

import signal
import sys
import threading
from functools import partial
from itertools import count
from typing import TYPE_CHECKING, Any

import pytest

from engine.runtime.stop import ENDING, Stop
from tests.helpers.waiting import patience, wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType


@pytest.fixture(autouse=True)
def _own_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in ENDING}
    pipe = signal.set_wakeup_fd(-1)
    yield
    signal.set_wakeup_fd(pipe)
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_ends_the_wait_at_whatever_step_of_it_the_signal_comes(number: signal.Signals) -> None:
    for step in count():
        stop = Stop()
        if _steps(partial(stop.wait, 0), step, number) <= step:
            break
        assert stop.is_set()
    assert step > 0


def test_a_signal_of_which_the_waiting_thread_hears_nothing_ends_the_wait() -> None:
    def waits() -> bool:
        """In the system's call: at no other step of `wait`, behind its first line, do other threads run."""
        frame = sys._current_frames()[threading.main_thread().ident or 0]  # noqa: SLF001 documented under this name
        return frame.f_code is Stop.wait.__code__ and frame.f_lineno > frame.f_code.co_firstlineno

    def take() -> None:
        wait_for(waits)
        signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

    stop = Stop()
    other = threading.Thread(target=take)
    other.start()
    assert stop.wait(patience())
    other.join()


def test_any_number_of_signals_is_taken() -> None:
    stop = Stop()
    assert not stop.is_set()
    for _ in range(10_000):
        signal.raise_signal(signal.SIGTERM)
    assert stop.wait()


def test_another_signal_ends_a_wait_and_sets_nothing() -> None:
    before = signal.getsignal(signal.SIGUSR1)
    stop = Stop(signal.SIGUSR1)
    signal.raise_signal(signal.SIGUSR1)
    assert not stop.wait(patience())  # at once
    signal.raise_signal(signal.SIGUSR1)
    signal.raise_signal(signal.SIGTERM)
    assert stop.wait()
    assert stop.is_set()
    signal.signal(signal.SIGUSR1, before)


def _steps(call: Callable[[], object], step: int, number: signal.Signals) -> int:
    """Call it, with the signal at this one of its steps; returns the number of its steps (Python instructions)."""
    seen = 0

    def trace(frame: FrameType, event: str, _: Any) -> Callable[..., Any]:
        nonlocal seen
        frame.f_trace_opcodes = True
        if event == "opcode":
            seen += 1
            if seen == step + 1:
                signal.raise_signal(number)
        return trace

    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(None)
    return seen
