"""Whether more e-mails fail than is usual. Both figures are sums of history: nothing is scanned.

The rule: of the e-mails that ended in the last ten minutes, at least ten failed; that is at least 5 % of them, and
three times the share of the 22 hours before the last two. Where so many fail every day that three times as many cannot,
it is half of the way from the usual share to all. Where nothing failed in those 22 hours, the usual share is none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from engine.admin.aftermath import LATELY
from engine.admin.amounts import percent
from engine.observability.history import ACCEPTED, FAILED
from engine.text.language import N_, _, number

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

MINUTES = LATELY // timedelta(minutes=1)  # that are looked at
NEW = 2  # of the day's hours that are too new to be usual: the present one has just begun, perhaps
LEAST = 10  # e-mails
SHARE, TIMES = 0.05, 3


@dataclass(frozen=True, slots=True)
class Unusual:
    """An unusual rate of failures."""

    failed: int  # e-mails in the last MINUTES
    ended: int  # likewise, those that were accepted included
    usual: float  # share

    def text(self, *, over: bool) -> str:
        """A sentence without its full stop; `over`: none of these e-mails is failed any more."""
        fail = N_(
            "Unusually many e-mails fail: %(failed)s in the last %(minutes)s minutes,"
            " %(share)s of those that ended; %(usual)s is usual"
        )
        failed = N_(
            "Unusually many e-mails failed: %(failed)s in the last %(minutes)s minutes,"
            " %(share)s of those that ended; %(usual)s is usual"
        )
        return _(
            failed if over else fail,
            failed=number(self.failed),
            minutes=MINUTES,
            share=percent(self.failed / self.ended),
            usual=percent(self.usual),
        )


def unusual(hour: Mapping[str, Sequence[int]], day: Mapping[str, Sequence[int]]) -> Unusual | None:
    """Whether it is so; `hour` in minutes and `day` in hours, by series, up to now."""
    failed, accepted = (sum(hour[series][-MINUTES:]) for series in (FAILED, ACCEPTED))
    before, well = (sum(day[series][:-NEW]) for series in (FAILED, ACCEPTED))
    usual = before / (before + well) if before else 0.0
    least = max(SHARE, min(TIMES * usual, (1 + usual) / 2))
    if failed < LEAST or failed < least * (failed + accepted):
        return None
    return Unusual(failed, failed + accepted, usual)
