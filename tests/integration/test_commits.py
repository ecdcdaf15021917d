"""Group commit, on both databases: stored before answered; one bad item fails alone; nothing waits for ever."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError

from engine.db.commits import GROUP, LARGEST, LARGEST_WAITING, WAITING, GroupCommit
from engine.db.tables import contacts
from engine.errors import KeyInUse, Unavailable
from tests.helpers.rows import contact_names
from tests.helpers.waiting import patience

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from sqlalchemy import Connection

    from engine.db.store import Store

pytestmark = pytest.mark.dialects

Groups = list[list[str]]


def insert(connection: Connection, names: Sequence[str]) -> list[str]:
    rows = [{"identity": "910150804", "name": name, "email": "", "is_reserved": False} for name in names]
    connection.execute(contacts.insert(), rows)
    return [f"stored {name}" for name in names]


def submit(
    store: Store,
    write: Callable[[Connection, Sequence[Any]], Sequence[Any]],
    *items: Any,
    after: Callable[[Sequence[Any]], None] = lambda _: None,
) -> list[Any]:
    """Submit items at once; returns each one's result or exception."""

    async def work() -> list[Any]:
        commits: GroupCommit[Any, Any] = GroupCommit(store, write, after)
        results = await within(
            asyncio.gather(*(commits.submit(item, "ttd", 1) for item in items), return_exceptions=True)
        )
        await within(commits.close())
        return list(results)

    return asyncio.run(work())


async def within(work: Awaitable[Any]) -> Any:
    async with asyncio.timeout(patience()):
        return await work


def test_each_item_gets_its_own_result_once_it_is_on_disk(store: Store) -> None:
    names = [f"name {n}" for n in range(600)]
    seen: list[int] = []

    def after(results: Sequence[Any]) -> None:
        with store.read() as connection:
            seen.append(connection.scalars(select(func.count()).select_from(contacts)).one())
        assert len(results) <= GROUP

    assert submit(store, insert, *names, after=after) == [f"stored {name}" for name in names]
    assert contact_names(store) == names
    assert seen[-1] == 600


def test_items_that_come_while_a_transaction_runs_share_the_next(store: Store) -> None:
    groups: Groups = []
    began, go_on = threading.Event(), threading.Event()

    def write(connection: Connection, names: Sequence[str]) -> list[str]:
        groups.append(list(names))
        began.set()
        assert go_on.wait(patience())
        return insert(connection, names)

    async def work() -> None:
        commits: GroupCommit[str, str] = GroupCommit(store, write, lambda _: None)
        first = asyncio.create_task(commits.submit("first", "ttd", 1))
        await within(asyncio.to_thread(began.wait))
        others = [asyncio.create_task(commits.submit(f"other {n}", "ttd", 1)) for n in range(GROUP + 1)]
        await asyncio.sleep(0)  # each of them has queued up now
        go_on.set()
        await within(asyncio.gather(first, *others))
        await within(commits.close())

    asyncio.run(work())
    assert [len(group) for group in groups] == [1, GROUP, 1]


def grouped(store: Store, *given: tuple[str, int, str]) -> Groups:
    """Submit items (party, size, name) while a transaction runs; returns the groups that follow it."""
    groups: Groups = []
    began, go_on = threading.Event(), threading.Event()

    def write(_connection: Connection, names: Sequence[str]) -> Sequence[str]:
        groups.append(list(names))
        began.set()
        assert go_on.wait(patience())
        return names

    async def work() -> None:
        commits: GroupCommit[str, str] = GroupCommit(store, write, lambda _: None)
        tasks = [asyncio.create_task(commits.submit("first", "ttd", 1))]
        await within(asyncio.to_thread(began.wait))
        tasks += [asyncio.create_task(commits.submit(name, party, size)) for party, size, name in given]
        await asyncio.sleep(0)
        go_on.set()
        await within(asyncio.gather(*tasks))
        await within(commits.close())

    asyncio.run(work())
    return groups[1:]


def test_a_group_is_bounded_by_the_size_of_its_items_and_a_larger_one_is_alone(store: Store) -> None:
    half = LARGEST // 2
    given = [("a", half, "1"), ("a", half, "2"), ("a", 1, "3"), ("a", 2 * LARGEST, "4"), ("a", 1, "5")]
    assert grouped(store, *given) == [["1", "2"], ["3"], ["4"], ["5"]]


def test_nobody_waits_for_all_that_another_has_queued(store: Store) -> None:
    greedy = [("greedy", LARGEST, f"greedy {n}") for n in range(10)]
    groups = grouped(store, *greedy, ("modest", 1, "modest 1"), ("modest", 1, "modest 2"))
    assert groups[:3] == [["greedy 0"], ["modest 1"], ["greedy 1"]]
    assert groups[3] == ["modest 2"]
    assert groups[4:] == [[f"greedy {n}"] for n in range(2, 10)]


@pytest.mark.parametrize("bug", [False, True])
def test_an_item_that_cannot_be_written_fails_alone(store: Store, *, bug: bool) -> None:
    def write(connection: Connection, names: Sequence[Any]) -> list[str]:
        if bug and None in names:
            raise ValueError("a mistake of ours")
        return insert(connection, names)  # a name must not be NULL

    results = submit(store, write, "a", None, "b")
    assert (results[0], results[2]) == ("stored a", "stored b")
    assert isinstance(results[1], ValueError if bug else IntegrityError)
    assert contact_names(store) == ["a", "b"]


def test_a_result_that_is_an_exception_is_raised_and_the_others_stay(store: Store) -> None:
    def write(connection: Connection, names: Sequence[str]) -> list[Any]:
        insert(connection, [name for name in names if name != "b"])
        return [KeyInUse(name) if name == "b" else name for name in names]

    first, second, third = submit(store, write, "a", "b", "c")
    assert (first, third) == ("a", "c")
    assert isinstance(second, KeyInUse)
    assert contact_names(store) == ["a", "c"]


def test_a_database_that_does_not_answer_is_told_to_each(store: Store) -> None:
    def write(_connection: Connection, _names: Sequence[str]) -> list[str]:
        raise Unavailable("the database")

    assert [type(result) for result in submit(store, write, "a", "b")] == [Unavailable, Unavailable]


def test_an_item_whose_request_was_given_up_is_stored_all_the_same(store: Store) -> None:
    async def work() -> None:
        commits: GroupCommit[str, str] = GroupCommit(store, insert, lambda _: None)
        with store.write():  # nothing can be committed before this ends
            given_up = asyncio.create_task(commits.submit("given up", "ttd", 1))
            await asyncio.sleep(0)
            given_up.cancel()
            patient = asyncio.create_task(commits.submit("patient", "ttd", 1))
            await asyncio.sleep(0)
        assert await within(patient) == "stored patient"
        await within(commits.close())

    asyncio.run(work())
    assert contact_names(store) == ["given up", "patient"]


def test_closing_commits_what_waits(store: Store) -> None:
    async def work() -> list[Any]:
        commits: GroupCommit[str, str] = GroupCommit(store, insert, lambda _: None)
        waiting = [asyncio.create_task(commits.submit(str(n), "ttd", 1)) for n in range(20)]
        await asyncio.sleep(0)
        await within(commits.close())
        return list(await within(asyncio.gather(*waiting)))

    assert len(asyncio.run(work())) == len(contact_names(store)) == 20


def test_when_too_many_of_one_party_wait_its_next_is_told_to_come_again_and_others_find_room(store: Store) -> None:
    began, go_on = threading.Event(), threading.Event()

    def write(_connection: Connection, names: Sequence[int]) -> Sequence[int]:
        began.set()
        assert go_on.wait(patience())
        return names

    async def work() -> None:
        commits: GroupCommit[int, int] = GroupCommit(store, write, lambda _: None)
        tasks = [asyncio.create_task(commits.submit(0, "ttd", 1))]
        await within(asyncio.to_thread(began.wait))
        tasks += [asyncio.create_task(commits.submit(n, "ttd", 1)) for n in range(WAITING // 2)]
        crowd = [asyncio.create_task(commits.submit(n, "ttd", 1)) for n in range(WAITING)]
        await asyncio.wait(crowd, return_when=asyncio.FIRST_EXCEPTION)
        tasks += [task for task in crowd if not task.done()]
        assert any(isinstance(task.exception(), Unavailable) for task in crowd if task.done())
        tasks.append(asyncio.create_task(commits.submit(-1, "nav", 1)))
        await asyncio.sleep(0)
        assert not tasks[-1].done()
        go_on.set()
        await within(asyncio.gather(*tasks))
        await within(commits.close())

    asyncio.run(work())


def test_a_party_whose_items_are_too_many_bytes_is_told_to_come_again_and_others_are_not(store: Store) -> None:
    began, go_on = threading.Event(), threading.Event()
    large = LARGEST_WAITING // 12

    def write(_connection: Connection, names: Sequence[int]) -> Sequence[int]:
        began.set()
        assert go_on.wait(patience())
        return names

    async def work() -> None:
        commits: GroupCommit[int, int] = GroupCommit(store, write, lambda _: None)
        tasks = [asyncio.create_task(commits.submit(n, "ttd", large)) for n in range(8)]
        await within(asyncio.to_thread(began.wait))
        with pytest.raises(Unavailable):
            await commits.submit(-1, "ttd", 1)
        tasks.append(asyncio.create_task(commits.submit(8, "nav", large)))
        tasks[1].cancel()  # what it counted for is given back all the same
        go_on.set()
        await within(asyncio.gather(*tasks, return_exceptions=True))
        tasks = [asyncio.create_task(commits.submit(n, "ttd", large)) for n in range(8)]
        assert await within(asyncio.gather(*tasks)) == list(range(8))
        await within(commits.close())

    asyncio.run(work())
