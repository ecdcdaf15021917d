"""The summary of an order with very many e-mails."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from api.summaries import Piece, piece_of, texts
from engine.models import EmailState
from engine.orders import reading
from tests.helpers.processing import the_order
from tests.helpers.rows import add_email, add_order

if TYPE_CHECKING:
    import pytest

    from engine.db.store import Store


def test_a_summary_in_pieces_says_the_same_as_a_whole_one(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.write() as connection:
        seq = add_order(connection, senders_reference='Å"')
        for number in range(4):
            state = EmailState.SUCCEEDED if number else EmailState.FAILED
            add_email(connection, seq, address=f"{number}@example.no", state=state)
    order_id = the_order(store, seq).id

    async def read(after: reading.Progress | None) -> Piece:
        with store.read() as connection:
            return piece_of(connection, "ttd", order_id, after)

    async def whole() -> bytes:
        first = await read(None)
        return first.text if first.reached is None else b"".join([text async for text in texts(read, first)])

    expected = json.loads(asyncio.run(whole()))
    assert (expected["generated"], expected["succeeded"]) == (4, 3)
    for size in (1, 2, 3, 4):
        monkeypatch.setattr(reading, "PIECE", size)
        assert json.loads(asyncio.run(whole())) == expected
