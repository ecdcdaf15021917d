"""What the client does, step by step, without doing it: a plan asks for an exchange or a pause, and gets the outcome.

The synchronous and the asynchronous client carry out the same plans, so that they cannot differ.
"""

from __future__ import annotations

import random
from collections.abc import Generator
from dataclasses import dataclass
from itertools import count
from time import monotonic
from typing import TYPE_CHECKING, Generic, TypeAlias, TypeVar

from varsel.client.calls import Answer, Call
from varsel.client.errors import StillOpen, Unreachable, error_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

T = TypeVar("T")
FIRST, LARGEST = 0.2, 8.0  # seconds between attempts, before they are spread
LAST = 1.0  # seconds that a question has at the end of a wait
LEAST = 0.1  # seconds that an attempt has, when there is any time left
AWAY = {502, 503, 504}  # a proxy or the installation cannot answer for the moment
CONFLICT, OVERRUN, REDIRECT = 409, 429, 300


@dataclass(frozen=True, slots=True)
class Exchange:
    """Send this, and wait so many seconds for the connection and for each part of the answer."""

    call: Call[object]
    timeout: float


@dataclass(frozen=True, slots=True)
class Pause:
    """Wait so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Failure:
    """There was no answer; `sent`: the installation may have got the request. `final`: another try cannot help."""

    error: Exception
    sent: bool
    final: bool = False


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds: of one attempt, and of all attempts with the pauses between them."""

    timeout: float
    deadline: float


Outcome: TypeAlias = Answer | Failure | None  # of a pause: nothing
Plan: TypeAlias = Generator[Exchange | Pause, Outcome, T]


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Entries, and the call that asks for those behind them."""

    entries: Sequence[object]
    following: Call[T] | None


def send(call: Call[T], limits: Limits) -> Plan[T]:
    """The answer's body; ApiError or Unreachable when there is none."""
    return call.read((yield from _answer(call, limits)))


def page(call: Call[T], limits: Limits) -> Plan[Page[T]]:
    """One page of a list."""
    assert call.pages is not None, "only lists have pages"  # noqa: S101
    answer = yield from _answer(call, limits)
    return Page(call.pages.entries(answer.body), call.pages.after(call, answer))


def wait(call: Call[T], is_over: Callable[[T], bool], timeout: float, limits: Limits) -> Plan[T]:
    """Ask until it is over, less and less often; StillOpen after so many seconds."""
    end = monotonic() + timeout
    for attempt in count(1):
        left = max(LAST, end - monotonic())
        found = yield from send(call, Limits(limits.timeout, min(limits.deadline, left)))
        if is_over(found):
            return found
        pause = _backoff(attempt)
        if monotonic() + pause > end:
            break
        yield Pause(pause)
    raise StillOpen(f"not over after {timeout:g} seconds")


def _answer(call: Call[T], limits: Limits) -> Plan[Answer]:
    end = monotonic() + limits.deadline
    for attempt in count(1):
        outcome = _understood((yield Exchange(call, max(LEAST, min(limits.timeout, end - monotonic())))))
        pause = _pause(call, outcome, attempt)
        if pause is None or monotonic() + pause >= end:
            break
        yield Pause(pause)
    if isinstance(outcome, Answer) and outcome.status < REDIRECT:
        return outcome
    if isinstance(outcome, Answer):
        raise error_of(outcome)
    assert outcome is not None, "an exchange has an outcome"  # noqa: S101
    attempts = "1 attempt" if attempt == 1 else f"{attempt} attempts"
    raise Unreachable(f"no answer after {attempts}: {outcome.error!r}") from outcome.error


def _understood(outcome: Outcome) -> Outcome:
    """An outcome; an answer that is no JSON is none: it is a proxy's own page, or broke off."""
    if isinstance(outcome, Answer) and outcome.status < REDIRECT:
        try:
            _ = outcome.body
        except ValueError as error:
            return Failure(error, sent=True)
    return outcome


def _pause(call: Call[T], outcome: Outcome, attempt: int) -> float | None:
    """Seconds until the next attempt; None: there is none, since the answer is final or it might be done twice."""
    match outcome:
        case Failure(final=False, sent=sent) if call.repeatable or not sent:
            return _backoff(attempt)
        case Answer(status=status) if status == OVERRUN and outcome.retry_after is not None:  # nothing was done
            return max(outcome.retry_after, _backoff(attempt))
        case Answer(status=status) if status in AWAY and call.repeatable:
            return max(outcome.retry_after or 0.0, _backoff(attempt))
        case Answer(status=status) if status == CONFLICT and call.keyed and attempt > 1:  # an earlier attempt runs on
            return _backoff(attempt)
    return None


def _backoff(attempt: int) -> float:
    """Doubles with each attempt, and is spread over its upper half, so that clients do not come back together."""
    return min(FIRST * 2.0 ** min(attempt - 1, 10), LARGEST) * random.uniform(0.5, 1.0)  # noqa: S311 no secret
