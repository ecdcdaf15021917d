"""Quotas of creators at intake, on both databases: nothing is stored beyond them, and what is paced waits."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select

from engine.admin import details
from engine.admin.quotas import QuotaStanding, standings
from engine.db.readers import Readers
from engine.db.retention import prune_some
from engine.db.tables import orders, quota_use
from engine.errors import Conflict, Invalid, KeyReused, QuotaExceeded
from engine.models import ContentType, OrderState
from engine.observability import metrics
from engine.orders import reading
from engine.orders.contacts import ContactTable
from engine.orders.intake import Intake
from engine.orders.new_order import NewOrder
from engine.orders.quotas import Quotas
from engine.orders.receipts import Key, Receipt
from tests.helpers.entrances import no_template
from tests.helpers.rows import count

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
    from pathlib import Path

    from engine.db.store import Store

pytestmark = pytest.mark.usefixtures("same_day")
MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)


def an_order(recipients: int = 1, send_time: datetime | None = None) -> NewOrder:
    to = [{"emailAddress": f"kari{n}@example.no"} for n in range(recipients)]
    return NewOrder("a", "b", ContentType.PLAIN, to, requested_send_time=send_time)  # type: ignore[arg-type]


class Taking:
    """Intake under these quotas, by as many `web` processes as are asked for."""

    def __init__(self, store: Store, folder: Path) -> None:
        self.store = store
        self._file = folder / "quotas.toml"

    def given(self, quotas: str) -> Taking:
        self._file.write_text(quotas)
        return self

    def run(self, work: Callable[..., Awaitable[Any]], processes: int = 1) -> Any:
        async def opened() -> Any:
            async with AsyncExitStack() as stack:
                return await work(*[await stack.enter_async_context(self._intake()) for _ in range(processes)])

        return asyncio.run(opened())

    def place(self, *placed: NewOrder, creator: str = "ttd") -> list[Any]:
        """The results of orders that come one after another."""

        async def work(entrance: Intake) -> list[Any]:
            return [await outcome(entrance, creator, each) for each in placed]

        return list(self.run(work))

    def used(self, creator: str = "ttd", **use: Any) -> None:
        """Say what has been used."""
        with self.store.write() as connection:
            connection.execute(quota_use.insert().values(creator=creator, **use))

    @asynccontextmanager
    async def _intake(self) -> AsyncIterator[Intake]:
        readers = Readers(self.store.engine.url.render_as_string(hide_password=False))
        quotas = Quotas(self._file)
        entrance = Intake(
            self.store, readers, ContactTable(), quotas, "noreply@varsel.example", lambda _: None, str, no_template
        )
        yield entrance
        await entrance.close()
        await readers.close()


@pytest.fixture
def taking(store: Store, tmp_path: Path) -> Taking:
    return Taking(store, tmp_path)


async def outcome(entrance: Intake, creator: str, placed: NewOrder, key: Key | None = None) -> Any:
    try:
        return await entrance.place(creator, placed, key)
    except (Invalid, KeyReused, QuotaExceeded) as error:
        return error


def kinds(results: Sequence[Any]) -> list[type]:
    return [type(result) for result in results]


def beginning(length: timedelta) -> datetime:
    at = datetime.now(UTC)
    return at - (at - datetime(1970, 1, 1, tzinfo=UTC)) % length


def of_creator(store: Store, creator: str) -> int:
    with store.read() as connection:
        return connection.scalars(select(func.count()).where(orders.c.creator == creator)).one()


@pytest.mark.dialects
def test_a_quota_holds_however_many_processes_take_orders_in_at_once(taking: Taking) -> None:
    taking.given("[default]\nper_day = 50\n")

    async def work(*entrances: Intake) -> list[Any]:
        posted = [(entrance, creator) for _ in range(20) for entrance in entrances for creator in ("ttd", "skd")]
        results = await asyncio.gather(*(outcome(entrance, creator, an_order(2)) for entrance, creator in posted))
        return list(results)

    results = taking.run(work, processes=3)
    stored = [result for result in results if isinstance(result, Receipt)]
    refused = [result for result in results if isinstance(result, QuotaExceeded)]
    assert (len(stored), len(refused)) == (50, 70)
    assert [of_creator(taking.store, creator) for creator in ("ttd", "skd")] == [25, 25]
    assert sorted(receipt.allowances[0].left for receipt in stored) == sorted([*range(0, 50, 2)] * 2)


def test_a_named_creator_has_a_quota_of_its_own_and_nobody_elses_changes(taking: Taking) -> None:
    taking.given("[default]\nper_day = 1\n[creators.skd]\nper_day = 2\n[creators.nav]\n")
    two = [an_order(), an_order()]
    assert kinds(taking.place(*two)) == [Receipt, QuotaExceeded]
    assert kinds(taking.place(*two, creator="skd")) == [Receipt, Receipt]
    assert [receipt.allowances for receipt in taking.place(*two, creator="nav")] == [(), ()]


def test_a_refused_order_leaves_the_others_of_its_group_alone_and_uses_nothing_up(taking: Taking) -> None:
    taking.given("[creators.ttd]\nper_day = 5\n")
    posted = [("ttd", 3), ("ttd", 3), ("ttd", 6), ("skd", 6), ("ttd", 2)]

    async def work(entrance: Intake) -> list[Any]:
        placed = (outcome(entrance, creator, an_order(recipients)) for creator, recipients in posted)
        return list(await asyncio.gather(*placed))

    assert kinds(taking.run(work)) == [Receipt, QuotaExceeded, Invalid, Receipt, Receipt]
    assert count(taking.store, orders) == 3


def test_a_quota_of_a_day_outlives_the_process_and_ends_with_the_day(taking: Taking) -> None:
    taking.given("[default]\nper_day = 1\n")
    assert kinds(taking.place(an_order())) == [Receipt]
    assert kinds(taking.place(an_order())) == [QuotaExceeded]
    taking.used("skd", day=beginning(DAY) - DAY, in_day=1)
    assert kinds(taking.place(an_order(), creator="skd")) == [Receipt]


def test_a_minute_that_is_used_up_is_over_with_the_next(taking: Taking) -> None:
    taking.given("[default]\nper_minute = 9\n")
    taking.used("ttd", minute=beginning(MINUTE) - MINUTE, in_minute=9)
    taking.used("skd", minute=beginning(MINUTE) + 60 * MINUTE, in_minute=9)
    assert kinds(taking.place(an_order(9))) == [Receipt]
    [refusal] = taking.place(an_order(), creator="skd")
    assert 59 * MINUTE < refusal.retry_after <= 61 * MINUTE


def test_a_known_key_gets_its_first_answer_and_costs_nothing(taking: Taking) -> None:
    taking.given("[default]\nper_day = 2\n")

    async def work(entrance: Intake) -> list[Any]:
        given = [("k", "f"), ("k", "f"), ("other", "f"), ("k", "f"), ("k", "g"), ("third", "f"), ("third", "f")]
        return [await outcome(entrance, "ttd", an_order(), Key(*key)) for key in given]

    first, again, other, full, reused, *refused = taking.run(work)
    assert (first.replayed, again.replayed, other.replayed, full.replayed) == (False, True, False, True)
    assert first.order_id == again.order_id == full.order_id
    assert kinds([reused, *refused]) == [KeyReused, QuotaExceeded, QuotaExceeded]
    taking.given("")
    assert not taking.run(lambda entrance: entrance.place("ttd", an_order(), Key("third", "f"))).replayed


def test_paced_orders_are_stored_as_posted_and_due_when_the_quota_allows(taking: Taking) -> None:
    taking.given("[default]\nper_minute = 2\nexceeded = 'pace'\n")
    ahead = beginning(MINUTE) + 60 * MINUTE
    taking.used(minute=ahead, in_minute=0)
    later = ahead + 30 * MINUTE
    results = taking.place(an_order(2), an_order(), an_order(1, later), an_order(5), an_order())
    paced_until = [ahead, ahead + MINUTE, None, ahead + 2 * MINUTE, ahead + 4 * MINUTE]
    assert [result.paced_until for result in results] == paced_until
    with taking.store.read() as connection:
        rows = connection.execute(select(orders).order_by(orders.c.seq)).all()
        shown = [details.order(connection, row.id) for row in rows]
    assert [row.due_at for row in rows] == [until or later for until in paced_until]
    assert all(row.requested_send_time == row.created for row in rows if row.requested_send_time != later)
    assert all(row.rank is None for row in rows)
    untils = [f"{until or later:%Y-%m-%d %H:%M} UTC" for until in paced_until]
    paced = [f"Its creator's quota is used up until {each}: the order is sent then" for each in untils]
    paced[2] = "Waits for its send time"
    assert [each["next_attempt"] for each in shown] == [row.due_at for row in rows]
    assert all(each["why"].startswith(why) for each, why in zip(shown, paced, strict=True))


def test_an_order_can_be_cancelled_while_it_is_paced(taking: Taking) -> None:
    taking.given("[default]\nper_minute = 2\nexceeded = 'pace'\n")
    [now_due] = taking.place(an_order())
    taking.used("skd", minute=beginning(MINUTE) + 60 * MINUTE, in_minute=0)
    [paced] = taking.place(an_order(), creator="skd")
    with taking.store.write() as connection:
        assert reading.cancel(connection, "skd", paced.order_id)[0].state == OrderState.CANCELLED
        with pytest.raises(Conflict):
            reading.cancel(connection, "ttd", now_due.order_id)


def test_orders_that_exceeded_a_quota_are_counted(taking: Taking) -> None:
    def counted() -> list[float]:
        names = ("refused", "paced")
        return [metrics.EXCESS_ORDERS.labels(name)._value.get() for name in names]  # noqa: SLF001 it has no other way

    before = counted()
    taking.given("[default]\nper_day = 1\n[creators.skd]\nper_day = 1\nexceeded = 'pace'\n")
    taking.place(an_order(), an_order(), an_order())
    taking.place(an_order(), an_order(), creator="skd")
    assert [later - earlier for earlier, later in zip(before, counted(), strict=True)] == [2, 1]


def test_what_nobody_uses_any_more_is_forgotten(taking: Taking) -> None:
    old, new = beginning(DAY) - 3 * DAY, beginning(DAY)
    taking.used("ttd", day=old, in_day=1)
    taking.used("skd", day=new, in_day=1)
    taking.used("nav", minute=new, in_minute=1, day=old, in_day=1)
    with taking.store.write() as connection:
        prune_some(connection, DAY)
        assert set(connection.scalars(select(quota_use.c.creator))) == {"skd", "nav"}


def test_operators_see_what_is_left(taking: Taking, tmp_path: Path) -> None:
    taking.given("[default]\nper_day = 10\n[creators.skd]\nper_minute = 5\nper_day = 7\nexceeded = 'pace'\n")
    ahead = beginning(MINUTE) + 60 * MINUTE
    taking.used("skd", minute=ahead, in_minute=5, day=beginning(DAY), in_day=6)
    taking.place(an_order(4))
    with taking.store.read() as connection:
        found = standings(connection, Quotas(tmp_path / "quotas.toml"))
    assert found == [
        QuotaStanding("skd", 5, 0, 7, 1, "pace", ahead + MINUTE),
        QuotaStanding("ttd", None, None, 10, 6, "refuse", None),
    ]
