"""The plan of an order: when its parts go, and why then."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import update

from engine.db.tables import emails, orders
from engine.errors import NotFound
from engine.models import EmailState
from engine.orders import plans, upload_reading, uploads
from engine.orders.quotas import Quotas
from engine.queue.calendars import Calendars
from engine.queue.windows import DAY, Span, Window
from tests.helpers.processing import batch, place, the_order
from tests.helpers.rows import now
from tests.helpers.uploads import lines, make_portions, opened, sent, seq_of

if TYPE_CHECKING:
    from pathlib import Path
    from uuid import UUID

    from engine.db.store import Store

pytestmark = pytest.mark.dialects

HOUR = timedelta(hours=1)
FAR = "Etc/GMT+12"
HERE, THERE = {"emailAddress": "here@example.no"}, {"emailAddress": "there@example.no", "timeZone": FAR}


def around() -> Window:
    """A window that is open now for two hours, in UTC."""
    minute = now().hour * 60 + now().minute
    return Window("UTC", span=Span((minute - 120) % DAY, (minute + 120) % DAY))


def planned(store: Store, seq: int, calendars: Calendars | None = None) -> list[tuple[int, timedelta | None, set[str]]]:
    """The parts of a plan: how many recipients, in what time from now, and the kinds of reasons."""
    name: UUID = the_order(store, seq).id
    with store.read() as connection:
        plan = plans.find(connection, "ttd", name, calendars or Calendars())
    return [
        (part.recipients, part.at - now() if part.at else None, {reason.kind.value for reason in part.reasons})
        for part in plan.parts
    ]


def test_before_its_emails_are_made_the_parts_are_the_time_zones(store: Store, tmp_path: Path) -> None:
    seq = place(
        store, HERE, HERE, THERE, due_in=HOUR / 2, sending_window=around().text(), condition_endpoint="https://x"
    )
    [(two, soon, why), (one, later, why_later)] = planned(store, seq)
    assert (two, one) == (2, 1)
    assert soon
    assert later
    assert timedelta(0) < soon < HOUR < 9 * HOUR < later < 11 * HOUR
    assert (why, why_later) == ({"requestedTime", "condition"}, {"requestedTime", "condition", "window"})
    file = tmp_path / "calendars.toml"
    file.write_text('[calendars.shut]\nquiet = ["00:00-24:00"]\n')
    shut = place(store, sending_window=Window("UTC", calendar="shut").text())
    assert planned(store, shut, Calendars(file)) == [(1, None, {"window", "calendar"})]
    late = place(store, due_in=2 * HOUR, expires_at=now() + HOUR)
    assert planned(store, late) == [(1, None, {"requestedTime", "expiry"})]


def test_after_that_they_are_what_the_emails_wait_for(store: Store) -> None:
    seq = place(store, *({"emailAddress": f"{number}@example.no"} for number in range(6)))
    batch(store)
    with store.write() as connection:
        of = [update(emails).where(emails.c.address == f"{number}@example.no") for number in range(6)]
        connection.execute(of[1].values(due_at=None, rank=None, paused_by="domain:example.no"))
        connection.execute(of[2].values(state=EmailState.SENDING, rank=None, due_at=now() + HOUR))
        connection.execute(of[3].values(due_at=now() + 2 * HOUR, rank=None, attempts=2))
        connection.execute(of[4].values(due_at=now() + 3 * HOUR, rank=1, waits_for="domain example.no"))
        connection.execute(of[5].values(due_at=None, rank=None, state=EmailState.SUCCEEDED))
    found = {next(iter(kinds)): (count, at) for count, at, kinds in planned(store, seq)}
    assert found.keys() == {"turn", "pause", "inFlight", "retry", "limit"}
    assert {count for count, _ in found.values()} == {1}
    assert found["pause"][1] is found["limit"][1] is None
    retried = found["retry"][1]
    assert retried
    assert HOUR < retried < 2 * HOUR


def test_a_pause_and_a_quota_are_told_and_others_do_not_see_it(store: Store) -> None:
    paused = place(store, paused_by="creator:ttd")
    with store.write() as connection:
        connection.execute(update(orders).values(due_at=None))
    assert planned(store, paused) == [(1, None, {"pause"})]
    paced = place(store)
    with store.write() as connection:
        connection.execute(update(orders).where(orders.c.seq == paced).values(due_at=now() + HOUR))
    [(_, at, kinds)] = planned(store, paced)
    assert kinds == {"quota"}
    assert at
    assert at > HOUR / 2
    with pytest.raises(NotFound), store.read() as connection:
        plans.find(connection, "skd", the_order(store, paced).id, Calendars())


def test_recipients_who_followed_their_order_are_parts_of_its_plan(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(upload_reading, "PORTION", 2)
    name = opened(store)
    seq = seq_of(store, name)
    sent(store, name, lines(*(f"mottaker{number}@example.no" for number in range(5))))
    with store.write() as connection:
        uploads.close(connection, Quotas(None), "ttd", name, valid_only=False)
    assert [count for count, *_ in planned(store, seq)] == [5]
    batch(store)
    monkeypatch.setattr("engine.orders.portions.WAITING", 2)
    make_portions(store)
    assert [(count, why) for count, _, why in planned(store, seq)] == [(3, {"turn"}), (2, {"turn"})]


def test_an_open_order_waits_for_its_sender(store: Store) -> None:
    name = opened(store)
    sent(store, name, lines("a@example.no", "b@example.no"))
    with store.read() as connection:
        [part] = plans.find(connection, "ttd", name, Calendars()).parts
    assert (part.recipients, part.at, [reason.kind for reason in part.reasons]) == (2, None, ["open"])
