"""Which claimed e-mails may go now, and until when: by their orders' sending windows, and orders that were put off."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, update

from engine.db.rows import Rows, run
from engine.db.tables import Instant, emails, milliseconds
from engine.models import EXPIRY
from engine.queue import due, windows
from engine.queue.due import HandedBack

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from sqlalchemy import Connection

    from engine.db.records import Email, Letter
    from engine.queue.calendars import Calendars
    from engine.queue.windows import Hours

LOOK_AGAIN = timedelta(days=1)  # at a window that never opens, since its calendar has changed
_GIVEN = Rows(seq=BigInteger(), expires_at=Instant())
_EXTEND = update(emails).where(emails.c.seq == _GIVEN["seq"]).values(expires_at=_GIVEN["expires_at"])


class Opened(NamedTuple):
    """When a window opens in a zone, which many e-mails have in common, and when it closes if it is open now."""

    opens: datetime | None
    closes: datetime | None

    @classmethod
    def at(cls, now: datetime, hours: Hours) -> Opened:
        """As it is now."""
        opens = hours.opening(now)
        return cls(opens, hours.closing(now) if opens == now else None)


def keep_times(
    connection: Connection,
    claimed: Sequence[Email],
    letters: Mapping[int, Letter],
    calendars: Calendars,
    now: datetime,
) -> tuple[Sequence[Email], Mapping[int, datetime]]:
    """Hand back the claimed e-mails that may not go yet; returns the others, and by `seq` when windows close for them.

    The time for which a window lets an e-mail wait does not count in its life, unless its order says when it expires.
    """
    if not any(letter.sending_window or letter.withdrawn_until for letter in letters.values()):
        return claimed, {}
    known: dict[tuple[str, str | None], Opened] = {}
    later: list[tuple[Email, datetime, datetime]] = []
    going: list[Email] = []
    closings: dict[int, datetime] = {}
    for email in claimed:
        letter = letters[email.order_seq]
        is_cancelled = letter.withdrawn_at is not None and letter.withdrawn_until is None
        if letter.withdrawn_until and letter.withdrawn_until > now:
            later.append((email, letter.withdrawn_until, letter.expires_at or letter.withdrawn_until + EXPIRY))
            continue
        if letter.sending_window and not is_cancelled and now < email.expires_at:
            name = letter.sending_window, email.time_zone
            its = known.get(name) or known.setdefault(
                name, Opened.at(now, calendars.hours(windows.read(name[0]), name[1]))
            )
            if its.opens != now:
                wait = its.opens - now if its.opens else timedelta(0)
                later.append((email, its.opens or now + LOOK_AGAIN, letter.expires_at or email.expires_at + wait))
                continue
            if its.closes:
                closings[email.seq] = its.closes
        going.append(email)
    due.hand_back_later(
        connection, due.EMAILS, [HandedBack(email, min(begins, expires) - now) for email, begins, expires in later]
    )
    run(connection, _EXTEND, [{"seq": email.seq, "expires_at": milliseconds(ends)} for email, _, ends in later])
    return going, closings
