"""Numbers of things in words, such as "1 e-mail" and "2,000 orders", shares, and spans of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.text.language import N2_, _, current, ngettext
from engine.text.language import number as written

if TYPE_CHECKING:
    from collections.abc import Mapping

MANY = 2  # of what there may be more
LEAST = 0.01  # per cent; of less it is said that it is less
WHOLE = 10  # per cent, from which on they are whole ones
_NAMES = {
    "orders": N2_("%(num)s order", "%(num)s orders"),
    "emails": N2_("%(num)s e-mail", "%(num)s e-mails"),
    "deliveries": N2_("%(num)s delivery", "%(num)s deliveries"),
    "fan_outs": N2_("%(num)s fan-out", "%(num)s fan-outs"),
    "webhooks": N2_("%(num)s webhook", "%(num)s webhooks"),
    "recipients": N2_("%(num)s recipient", "%(num)s recipients"),
    "addresses": N2_("%(num)s address", "%(num)s addresses"),
    "events": N2_("%(num)s event", "%(num)s events"),
    "subscriptions": N2_("%(num)s subscription", "%(num)s subscriptions"),
    "recurring": N2_("%(num)s recurring order", "%(num)s recurring orders"),
    "jobs": N2_("%(num)s job", "%(num)s jobs"),
    "audit": N2_("%(num)s line", "%(num)s lines"),
    "keys": N2_("%(num)s key", "%(num)s keys"),
    "senders": N2_("%(num)s sender", "%(num)s senders"),
    "contacts": N2_("%(num)s contact", "%(num)s contacts"),
    "rows": N2_("%(num)s row", "%(num)s rows"),
    "wakes": N2_("%(num)s wake-up", "%(num)s wake-ups"),
    "templates": N2_("%(num)s template", "%(num)s templates"),
}


@dataclass(frozen=True, slots=True)
class Amount:
    """A number of rows; `more`: not all were counted, so there may be more."""

    number: int
    more: bool = False

    def of(self, what: str) -> str:
        """It in words, such as 10,000+ e-mails."""
        return some(self.number, what, more=self.more)


def listed(amounts: Mapping[str, Amount]) -> str:
    """Amounts of several kinds, without those of none; empty: there are no others."""
    return ", ".join(amount.of(what) for what, amount in amounts.items() if amount.number)


def some(number: int, what: str, *, more: bool = False) -> str:
    """A number with its noun: that of a resource, of a lane's rows, or of recipients; `more`: there may be more."""
    one, many = _NAMES[what]
    shown = written(number)
    return ngettext(one, many, MANY, num=shown + "+") if more else ngettext(one, many, number)


def percent(share: float) -> str:
    """A share in per cent: whole ones from ten on, two digits below; nothing that is there is shown as none."""
    number, point = 100 * share, current().point
    if 0 < number < LEAST:
        return f"<{LEAST} %".replace(".", point)
    return f"{number:.0f} %" if number >= WHOLE or not number else f"{number:.2g} %".replace(".", point)


def span(time: float | timedelta) -> str:
    """A span of time (or so many seconds) in its two largest units, such as 3 min 20 s."""
    seconds = time.total_seconds() if isinstance(time, timedelta) else time
    if 0 < seconds < 1:
        return _("%(count)s ms", count=round(seconds * 1000))
    left = round(seconds)
    days, left = divmod(left, 86_400)
    hours, left = divmod(left, 3600)
    minutes, left = divmod(left, 60)
    parts = [_("%(count)s d", count=days)] if days else []
    parts += [_("%(count)s h", count=hours)] if hours else []
    parts += [_("%(count)s min", count=minutes)] if minutes else []
    parts += [in_seconds(str(left))] if left else []
    return " ".join(parts[:2]) or in_seconds("0")


def in_seconds(count: str) -> str:
    """So many seconds, written out."""
    return _("%(count)s s", count=count)
