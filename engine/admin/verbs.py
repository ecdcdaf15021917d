"""What an amount of rows does, such as "1 e-mail waits" and "2,000 orders are due"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.admin.amounts import MANY
from engine.queue import due
from engine.text.language import ngettext

if TYPE_CHECKING:
    from engine.admin.amounts import Amount


def are_due(amount: Amount, what: str) -> str:
    """So many rows of a lane are due."""
    return ngettext("%(what)s is due", "%(what)s are due", _plural(amount), what=amount.of(what))


def wait(amount: Amount, what: str) -> str:
    """So many wait."""
    return ngettext("%(what)s waits", "%(what)s wait", _plural(amount), what=amount.of(what))


def are_paused(amount: Amount, what: str) -> str:
    """So many are paused; webhooks, with what pauses them."""
    if what == due.WEBHOOKS.name:
        return ngettext(
            "%(what)s is paused with its subscription",
            "%(what)s are paused with their subscriptions",
            _plural(amount),
            what=amount.of(what),
        )
    return ngettext("%(what)s is paused", "%(what)s are paused", _plural(amount), what=amount.of(what))


def match(amount: Amount, what: str) -> str:
    """So many match."""
    return ngettext("%(what)s matches", "%(what)s match", _plural(amount), what=amount.of(what))


def _plural(amount: Amount) -> int:
    return MANY if amount.more else amount.number
