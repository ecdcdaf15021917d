"""What a drill says of a copy that lacks something, and of mails."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from engine.drills.backup import differences
from engine.drills.census import Census, Rows
from engine.drills.counting import Count, compare
from engine.drills.postgresql import at
from engine.errors import Misconfigured

MOMENT = datetime(2026, 11, 29, tzinfo=UTC)
SHAPE = frozenset({"table orders", "index ix_orders_due_at"})
ROWS = {"orders": Rows(10, 12), "audit_log": Rows(4, 4), "pauses": Rows(1, None), "processes": Rows(5, None)}
PAUSED = {"audit_log": Rows(5, 5), "pauses": Rows(4, None), "processes": Rows(0, None)}
ORIGINAL = Census(MOMENT, "0044", ROWS, SHAPE)
RESTORED = Census(MOMENT, "0044", ROWS | PAUSED, SHAPE)


def other(**rows: Rows) -> Census:
    """A restored copy in which these tables are different."""
    return replace(RESTORED, rows=ROWS | PAUSED | rows)


def test_what_the_pause_of_the_lanes_writes_is_no_difference() -> None:
    assert differences(ORIGINAL, RESTORED) == []


@pytest.mark.parametrize(
    ("copy", "said"),
    [
        (replace(RESTORED, revision="0043"), "the schema is at step 0043, and the original's at 0044"),
        (replace(RESTORED, shape=frozenset({"table orders"})), "index ix_orders_due_at: missing"),
        (replace(RESTORED, shape=SHAPE | {"index new"}), "index new: not in the original"),
        (other(orders=Rows(9, 12)), "orders: 9 rows up to 12, not 10 rows up to 12"),
        (other(orders=Rows(10, 11)), "orders: 10 rows up to 11, not 10 rows up to 12"),
        (other(audit_log=Rows(4, 4)), "audit_log: 4 rows up to 4, not 4 rows up to 4"),
        (other(pauses=Rows(0, None)), "pauses: 0 rows, not 1 row"),
    ],
)
def test_what_a_copy_lacks_is_said(copy: Census, said: str) -> None:
    assert differences(ORIGINAL, copy) == [said]


def test_copies_are_counted_by_address_and_message_id() -> None:
    copies = [("a", "1"), ("b", "2"), ("b", "2"), ("c", "3"), ("c", "4"), ("x", "5")]
    assert compare(copies, ["a", "b", "c", "d", "e"], {"a", "b", "c", "d"}) == Count(
        lost=["e"], doubled=["b", "c"], renamed=["c"], unordered=["x"]
    )


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://me:a%20b@h:1/name", "postgresql://me:a%20b@h:1/an%20other%3F"),
        (
            "postgresql://me:a%20b@h:1,i:2/name?sslmode=require",
            "postgresql://me:a%20b@/an%20other%3F?host=h%2Ci&port=1%2C2&sslmode=require&target_session_attrs=read-write",
        ),
    ],
)
def test_another_database_of_a_server_has_an_address_whatever_its_name(url: str, expected: str) -> None:
    assert at(url, "an other?") == expected


@pytest.mark.parametrize("into", ["postgresql://me:s@ret@h/name", "mysql://me:sec/ret@h/name", "sqlite:////ret.db"])
def test_an_address_that_cannot_work_is_refused_and_not_shown(into: str) -> None:
    with pytest.raises(Misconfigured, match=r"^--into: ") as refused:
        at("postgresql://h/name", into)
    assert "ret" not in str(refused.value)
