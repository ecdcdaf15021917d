"""The keys that a web process knows, and whose key came with a request.

All keys in force are read together, twice a second at most: a request costs a hash and a look-up by that hash, whether
the key is good or not, and no question to the database. What is made or revoked is so everywhere in two seconds. An
attacker who measures the look-up learns about hashes, from which no key follows.
"""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import or_, select, update

from engine.auth.api_keys.secrets import KeyKind, hashed, is_key
from engine.db.dialects import Now, after
from engine.db.fresh import Fresh
from engine.db.tables import api_keys
from engine.errors import InvalidToken, VarselError
from engine.models import Caller, creator_of_tests
from engine.runtime.clock import steady

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import Connection

    from engine.db.readers import Readers
    from engine.db.writers import Writers

log = logging.getLogger(__name__)

NOTE_EVERY = timedelta(minutes=1)  # between two notes that a key was used
PARTY = "api keys"  # whose share of slots the look takes
IN_FORCE = tuple(or_(ends.is_(None), ends > Now()) for ends in (api_keys.c.revoked, api_keys.c.expires))
_KEYS = select(*(api_keys.c[name] for name in ("seq", "hash", "kind", "creator", "scopes", "guests"))).where(*IN_FORCE)


@dataclass(frozen=True, slots=True)
class KnownKey:
    """A key in force, and who sends it."""

    seq: int
    caller: Caller


class Keyring:
    """The keys of one web process."""

    def __init__(self, readers: Readers, writers: Writers) -> None:
        self._writers = writers
        self._keys = Fresh(partial(readers.read, PARTY, known_keys))
        self._noted: dict[int, float] = {}  # by a key's `seq`: when its use was noted, by the steady clock
        self._used: set[int] = set()  # that is still to be written
        self._writing: asyncio.Task[None] | None = None

    async def caller(self, key: str) -> Caller:
        """Whose key it is; InvalidToken, or Unavailable."""
        if not is_key(key):
            raise InvalidToken("the API key is malformed: a part of it is missing or changed")
        known = (await self._keys.now()).get(hashed(key))
        if known is None:
            raise InvalidToken("the API key is unknown, revoked or expired")
        self._note(known.seq)
        return known.caller

    async def close(self) -> None:
        """Wait until what is being written is written."""
        if self._writing:
            await self._writing

    def _note(self, seq: int) -> None:
        """Write that a key was used, unless that was written lately; no request waits for it."""
        if steady() - self._noted.get(seq, float("-inf")) < NOTE_EVERY.total_seconds():
            return
        self._noted[seq] = steady()
        self._used.add(seq)
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())

    async def _write(self) -> None:
        while self._used:
            seqs, self._used = sorted(self._used), set()
            with suppress(VarselError):  # the next use is noted in a minute
                await self._writers.write(PARTY, note_use, seqs)


def known_keys(connection: Connection) -> Mapping[str, KnownKey]:
    """The keys in force, by their hashes."""
    return {
        row.hash: KnownKey(row.seq, _caller(row.kind, row.creator, row.scopes, row.guests))
        for row in connection.execute(_KEYS)
    }


def note_use(connection: Connection, seqs: Sequence[int]) -> None:
    """Note that keys were used just now; of several processes, one a minute does."""
    lately = api_keys.c.last_used > after(-NOTE_EVERY)
    its = (api_keys.c.seq.in_(seqs), or_(api_keys.c.last_used.is_(None), ~lately))
    connection.execute(update(api_keys).where(*its).values(last_used=Now()))


def _caller(kind: str, creator: str, scopes: str, guests: str) -> Caller:
    name = creator_of_tests(creator) if kind == KeyKind.TEST else creator
    its: Collection[str] | None = frozenset(guests.split()) if kind == KeyKind.TEAM else None
    return Caller(
        creator=name,
        scopes=frozenset(scopes.split()),
        platform=False,
        identity=None if "/" in name else f"/org/{name}",
        by_key=True,
        guests=its,
    )
