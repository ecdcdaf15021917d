"""Counting mail: the mails that relays got, compared with the orders."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.drills.counting import Count, compare
from tests.helpers import suite

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from tests.servers.smtp_session import Envelope

__all__ = ["Count", "count", "tell"]


def count(envelopes: Iterable[Envelope], addresses: Iterable[str]) -> Count:
    """Compare mails with what was ordered: one for each address.

    Give all `messages` of a relay that refused none, since it may have taken over what it could not confirm any more;
    the `accepted` ones of a relay that did.
    """
    received = list(envelopes)
    copies = [(address, each.message_id) for each in received for address in each.rcpt_tos]
    return compare(copies, addresses, {address for each in received if each.accepted for address in each.rcpt_tos})


def tell(capsys: pytest.CaptureFixture[str], scenario: str, counted: Count) -> None:
    """Show the numbers of lost and doubled mails at the end of the run."""
    suite.tell(capsys.request.node, f"{scenario}: {len(counted.lost)} lost, {len(counted.doubled)} doubled")
