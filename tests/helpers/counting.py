"""Counting mail: the mails that relays got, compared with the orders."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tests.helpers import suite

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from tests.servers.smtp_session import Envelope


@dataclass(frozen=True)
class Count:
    """Addresses by what went wrong with their mail; there should be none."""

    lost: list[str]  # no relay has taken a mail over
    doubled: list[str]  # more than one copy; an address stands here once per copy too many
    renamed: list[str]  # copies with different Message-IDs
    unordered: list[str]  # nobody asked for it


def count(envelopes: Iterable[Envelope], addresses: Iterable[str]) -> Count:
    """Compare mails with what was ordered: one for each address.

    Give all `messages` of a relay that refused none, since it may have taken over what it could not confirm any more;
    the `accepted` ones of a relay that did.
    """
    accepted: set[str] = set()
    copies: dict[str, list[str]] = defaultdict(list)
    for envelope in envelopes:
        for address in envelope.rcpt_tos:
            copies[address].append(envelope.message_id)
            if envelope.accepted:
                accepted.add(address)
    ordered = set(addresses)
    return Count(
        lost=sorted(ordered - accepted),
        doubled=sorted(address for address, ids in copies.items() for _ in ids[1:]),
        renamed=sorted(address for address, ids in copies.items() if len(set(ids)) > 1),
        unordered=sorted(copies.keys() - ordered),
    )


def tell(capsys: pytest.CaptureFixture[str], scenario: str, counted: Count) -> None:
    """Show the numbers of lost and doubled mails at the end of the run."""
    suite.tell(capsys.request.node, f"{scenario}: {len(counted.lost)} lost, {len(counted.doubled)} doubled")
