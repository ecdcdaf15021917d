"""Digests of recipients: who has come before in an order is found in memory, at 16 to 32 bytes for each recipient.

A digest has 64 bits, and a salt that nobody outside knows: among a million recipients, the chance that any two share
one is 1 in 36 million.
"""

from __future__ import annotations

from array import array
from collections import OrderedDict
from hashlib import blake2b
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from uuid import UUID

SIZE = 8  # bytes of a digest
SALT = 16  # bytes
KEPT = 64_000_000  # bytes of sets that a process keeps between two requests
_SMALLEST = 1 << 12  # slots


def digested(keys: Iterable[str], salt: bytes) -> array[int]:
    """The digests of what recipients are known by."""
    return array("Q", b"".join([blake2b(key.encode(), digest_size=SIZE, key=salt).digest() for key in keys]))


class Digests:
    """A set of digests: a table with open addressing, since a set of Python's takes 100 bytes for each."""

    def __init__(self) -> None:
        self._slots = array("Q", bytes(SIZE * _SMALLEST))
        self._used = 0

    @property
    def size(self) -> int:
        """Bytes."""
        return SIZE * len(self._slots)

    def add(self, digests: Sequence[int]) -> list[bool]:
        """Add digests; tells of each whether it is new."""
        while 2 * (self._used + len(digests)) > len(self._slots):
            self._grow()
        slots, mask, new = self._slots, len(self._slots) - 1, list[bool]()
        for given in digests:
            digest = given or 1  # an empty slot is 0
            place = digest & mask
            while (known := slots[place]) and known != digest:
                place = (place + 1) & mask
            slots[place] = digest
            new.append(not known)
        self._used += new.count(True)
        return new

    def _grow(self) -> None:
        before = self._slots
        self._slots, self._used = array("Q", bytes(2 * SIZE * len(before))), 0
        slots, mask = self._slots, len(self._slots) - 1
        for digest in before:
            if digest:
                place = digest & mask
                while slots[place]:
                    place = (place + 1) & mask
                slots[place] = digest
                self._used += 1


class KeptDigests:
    """The sets that were used last, each for an order of which so many lines are taken."""

    def __init__(self) -> None:
        self._sets: OrderedDict[tuple[UUID, int], Digests] = OrderedDict()

    def take(self, order_id: UUID, lines: int) -> Digests | None:
        """The set, which its taker alone changes."""
        return self._sets.pop((order_id, lines), None) if lines else Digests()

    def keep(self, order_id: UUID, lines: int, digests: Digests) -> None:
        """Keep a set for the next request."""
        self._sets[order_id, lines] = digests
        while sum(each.size for each in self._sets.values()) > KEPT:
            self._sets.popitem(last=False)
