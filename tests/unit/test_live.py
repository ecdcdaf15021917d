"""Live pages of the console: which one ends when there are too many."""

from __future__ import annotations

from contextlib import ExitStack

import anyio

from api.console.live import IN_ALL, OF_ONE, LivePage, LivePages


def test_one_more_page_of_an_operator_ends_the_oldest_of_that_operator() -> None:
    live = LivePages()
    with ExitStack() as stack:

        def opened(name: str) -> LivePage:
            return stack.enter_context(live.opened(name, anyio.Event()))

        other = opened("ola")
        pages = [opened("kari") for _ in range(OF_ONE + 2)]
        assert [page.displaced for page in pages] == [True] * 2 + [False] * OF_ONE
        assert [page.ending.is_set() for page in pages[:3]] == [True, True, False]
        assert not other.displaced


def test_a_page_that_ended_leaves_its_place() -> None:
    live = LivePages()
    with live.opened("kari", anyio.Event()) as kept:
        for _ in range(2 * IN_ALL):
            with live.opened("kari", anyio.Event()), live.opened("ola", anyio.Event()):
                pass
        assert not kept.displaced


def test_of_all_pages_one_more_ends_the_oldest_of_whoever_has_most() -> None:
    live = LivePages()
    with ExitStack() as stack:
        single = stack.enter_context(live.opened("ola", anyio.Event()))
        many = [
            stack.enter_context(live.opened(f"operator {number}", anyio.Event()))
            for number in range(IN_ALL // OF_ONE)
            for _ in range(OF_ONE)
        ]
        assert [page.displaced for page in many] == [True] + [False] * (IN_ALL - 1)
        assert not single.displaced
