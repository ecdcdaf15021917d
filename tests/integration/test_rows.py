"""Rows that are sent as one JSON parameter arrive unchanged, on both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Boolean, Integer, Text, delete, event, select, update

from engine.db import rows
from engine.db.rows import Rows, run
from engine.db.tables import contacts

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from engine.db.store import Store

pytestmark = pytest.mark.dialects

GIVEN = Rows(seq=Integer(), identity=Text(), name=Text(), email=Text(), is_reserved=Boolean())
INSERT = GIVEN.insert_into(contacts)
RENAME = update(contacts).where(contacts.c.seq == GIVEN["seq"]).values(name=GIVEN["name"], is_reserved=True)
LETTERS = st.characters(exclude_categories=["Cs"], exclude_characters="\0")  # PostgreSQL's text holds no NUL
CONTACTS = st.lists(
    st.fixed_dictionaries(
        {
            "identity": st.just("310307314"),
            "name": st.text(LETTERS),
            "email": st.text(LETTERS),
            "is_reserved": st.booleans(),
        }
    ),
    max_size=20,
)


def contact(seq: int, name: str = "Kari") -> dict[str, Any]:
    return {"seq": seq, "identity": "310307314", "name": name, "email": "", "is_reserved": False}


def stored(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row) for row in connection.execute(select(contacts).order_by(contacts.c.seq)).mappings()]


@given(CONTACTS)
@settings(max_examples=50, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_what_is_inserted_is_what_was_given(store: Store, given_rows: list[dict[str, Any]]) -> None:
    numbered = [{"seq": seq} | row for seq, row in enumerate(given_rows, 1)]
    with store.write() as connection:
        connection.execute(delete(contacts))
        run(connection, INSERT, numbered)
        assert stored(connection) == numbered


def test_an_update_changes_the_rows_that_are_given_and_no_others(store: Store) -> None:
    with store.write() as connection:
        run(connection, INSERT, [contact(1), contact(2), contact(3)])
        run(connection, RENAME, [{"seq": 1, "name": "Ola"}, {"seq": 3, "name": "Eva"}, {"seq": 9, "name": "Nobody"}])
        names = [(row["name"], row["is_reserved"]) for row in stored(connection)]
    assert names == [("Ola", True), ("Kari", False), ("Eva", True)]


def test_no_rows_are_no_statement(store: Store) -> None:
    with store.write() as connection:
        run(connection, INSERT, [])
        assert stored(connection) == []


def test_rows_too_large_for_one_parameter_are_split(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    statements = []
    event.listen(store.engine, "before_cursor_execute", lambda *args: statements.append(args[2]))
    monkeypatch.setattr(rows, "LARGEST", 1_000)
    given_rows = [contact(seq, "x" * 300) for seq in range(1, 8)]
    with store.write() as connection:
        run(connection, INSERT, [*given_rows, contact(8, "y" * 5_000)])
        assert stored(connection) == [*given_rows, contact(8, "y" * 5_000)]
    inserts = [statement for statement in statements if statement.startswith("INSERT")]
    assert len(inserts) == 5  # twos of the small ones, and a large one alone
