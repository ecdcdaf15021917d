"""What was sent, compared with what was ordered."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


@dataclass(frozen=True)
class Count:
    """Addresses by what went wrong with their mail; there should be none."""

    lost: list[str]  # no relay has taken a mail over
    doubled: list[str]  # more than one copy; an address stands here once per copy too many
    renamed: list[str]  # copies with different Message-IDs
    unordered: list[str]  # nobody asked for it


def compare(copies: Iterable[tuple[str, str]], ordered: Iterable[str], taken: Collection[str]) -> Count:
    """Compare copies (address and Message-ID of each) with what was ordered: one for each address.

    `taken`: the addresses whose mail a relay has taken over.
    """
    ids: dict[str, list[str]] = defaultdict(list)
    for address, message_id in copies:
        ids[address].append(message_id)
    wanted = set(ordered)
    return Count(
        lost=sorted(wanted.difference(taken)),
        doubled=sorted(address for address, its in ids.items() for _ in its[1:]),
        renamed=sorted(address for address, its in ids.items() if len(set(its)) > 1),
        unordered=sorted(ids.keys() - wanted),
    )
