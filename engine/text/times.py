"""Times in the form that machines read, and in the zone of people."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import tzinfo


def rfc3339(moment: datetime, timespec: str = "milliseconds") -> str:
    """An aware time in UTC with a Z behind it (RFC 3339, 5.6); `timespec` as `isoformat` takes it."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")


def local(moment: datetime, zone: tzinfo | None) -> datetime:
    """An aware time in a zone (None: of this machine); in UTC where that has no date for it.

    Events may be of the year 1, or of 9999.
    """
    try:
        return moment.astimezone(zone)
    except (ValueError, OverflowError):
        return moment.astimezone(UTC)
