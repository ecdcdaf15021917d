"""Fair shares: what one party may use, what is left for others, and the order in which waiting parties are served."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import Overrun
from engine.runtime.shares import EAGERNESS, Shares, in_turns


def fill(shares: Shares, party: str) -> int:
    """Take all slots that a party may have; returns their number."""
    count = 0
    while shares.fits(party):
        shares.take(party)
        count += 1
    return count


@pytest.mark.parametrize(("total", "alone"), [(1, 1), (2, 2), (3, 2), (60, 40), (300, 200), (600, 400)])
def test_a_party_alone_gets_two_thirds(total: int, alone: int) -> None:
    assert fill(Shares(total), "a") == alone


@pytest.mark.parametrize("others", [0, 3, 50, 59, 60, 70])
def test_the_room_of_a_party_is_as_many_slots_as_it_gets_one_after_another(others: int) -> None:
    shares = Shares(60)
    shares.take("b", others)
    room = shares.room("a")
    assert fill(shares, "a") == max(room, 0)
    shares.give_back("a", max(room, 0))
    shares.give_back("b", others)
    assert shares.room("a") == 40


def test_a_newcomer_finds_a_free_slot_beside_many_that_take_all_they_can() -> None:
    shares = Shares(600)
    taken = [fill(shares, f"greedy {number}") for number in range(5)]
    assert taken == [400, 134, 44, 15, 5]
    assert shares.fits("a stranger")


def test_whoever_has_many_gets_no_more_until_the_others_have_theirs() -> None:
    shares = Shares(300)
    fill(shares, "a"), fill(shares, "b")
    for _ in range(100):
        shares.give_back("a")
    assert fill(shares, "b") > 0
    assert shares.fits("c")


def test_many_slots_at_once_are_had_together_or_not_at_all() -> None:
    shares = Shares(64)
    while shares.fits("greedy", 8):
        shares.take("greedy", 8)
    assert shares.fits("a stranger", 8)
    assert not shares.fits("a stranger", 17)
    shares.give_back("greedy", 8)
    assert shares.fits("greedy", 8)


def test_each_party_is_first_once_before_anybody_is_twice() -> None:
    assert in_turns("aaabbc") == [0, 3, 5, 1, 4, 2]


def test_a_copy_is_tried_out_without_the_original() -> None:
    shares = Shares(3)
    fill(shares.copy(), "a")
    assert fill(shares, "a") == 2


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.booleans())), st.integers(1, 20))
def test_slots_are_neither_lost_nor_made(steps: list[tuple[str, bool]], total: int) -> None:
    shares, used = Shares(total), Counter[str]()
    for party, more in steps:
        if more and shares.fits(party):
            shares.take(party)
            used[party] += 1
        elif not more and used[party]:
            shares.give_back(party)
            used[party] -= 1
        assert shares.full == (used.total() >= total)
        assert shares.fits(party) == (used[party] < EAGERNESS * (total - used.total()))


def test_of_those_who_wait_each_party_is_served_in_turn_and_in_order() -> None:
    served: list[str] = []

    async def work(shares: Shares, name: str) -> None:
        async with shares.slot(name[0]):
            served.append(name)
            await asyncio.sleep(0)

    async def run() -> None:
        shares = Shares(1)
        await shares.wait("x")
        tasks = [asyncio.create_task(work(shares, name)) for name in ("a1", "a2", "a3", "b1", "b2", "c1")]
        await asyncio.sleep(0)
        shares.give_back("x")
        await asyncio.gather(*tasks)
        assert not shares.full

    asyncio.run(run())
    assert [name for name in served if name[0] == "a"] == ["a1", "a2", "a3"]
    assert served.index("b1") < served.index("a3")
    assert len(served) == 6


def test_whoever_is_cancelled_while_it_waits_or_is_served_takes_no_slot_along() -> None:
    async def run() -> None:
        shares = Shares(1)
        await shares.wait("x")
        waiting = [asyncio.create_task(shares.wait(party)) for party in "ab"]
        await asyncio.sleep(0)
        waiting[0].cancel()
        shares.give_back("x")
        waiting[1].cancel()  # it has its slot already, and does not know
        await asyncio.gather(*waiting, return_exceptions=True)
        assert not shares.full
        assert shares.fits("c")

    asyncio.run(run())


def test_of_one_party_so_many_wait_and_no_more() -> None:
    async def run() -> None:
        shares = Shares(1, most=3)
        await shares.wait("a")
        waiting = [asyncio.create_task(shares.wait("a")) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(Overrun, match="3 of your requests"):
            await shares.wait("a")
        waiting.append(asyncio.create_task(shares.wait("b")))
        waiting[0].cancel()
        await asyncio.sleep(0)
        waiting.append(asyncio.create_task(shares.wait("a")))  # in the place of the one that waits no longer
        await asyncio.sleep(0)
        assert not waiting[-1].done()
        for _ in range(3):
            shares.give_back("a")
            await asyncio.sleep(0)
        assert [task.done() for task in waiting] == [True] * 4

    asyncio.run(run())


def test_what_has_begun_keeps_its_slot_to_its_end_though_nobody_waits_for_it() -> None:
    async def run() -> None:
        shares, end = Shares(1), asyncio.Event()
        task = asyncio.create_task(shares.run("a", end.wait))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert shares.full
        end.set()
        await shares.wait("b")

    asyncio.run(run())
