"""How many e-mails are claimed at a time."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from engine.email.tempo import BATCH, LATELY, LEAST, Tempo

if TYPE_CHECKING:
    import pytest

MOST = 200


def after(monkeypatch: pytest.MonkeyPatch, *took: float) -> Tempo:
    """A tempo that knows attempts of so many seconds."""
    now, tempo = [0.0], Tempo()
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    for each in took:
        with tempo.attempt():
            now[0] += each
    return tempo


def test_as_many_are_claimed_as_the_connections_send_in_a_moment(monkeypatch: pytest.MonkeyPatch) -> None:
    assert after(monkeypatch, 0.04, 0.04).batch(12, MOST) == int(12 * BATCH / 0.04)


def test_a_fast_relay_and_an_unknown_one_get_the_largest_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Tempo().batch(12, MOST) == MOST
    assert after(monkeypatch, 0.001).batch(12, MOST) == MOST
    assert after(monkeypatch, 0.0).batch(12, MOST) == MOST


def test_each_connection_has_an_email_however_slow_the_relay_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert after(monkeypatch, 30.0).batch(100, MOST) == 100
    assert after(monkeypatch, 30.0).batch(500, MOST) == MOST


def test_a_claim_is_worth_its_cost_however_slow_the_relay_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert after(monkeypatch, 30.0).batch(12, MOST) == LEAST


def test_what_was_slow_is_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    assert after(monkeypatch, 30.0, *[0.001] * 10 * LATELY).batch(12, MOST) == MOST
