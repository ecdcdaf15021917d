"""Times in the form that machines read."""

from __future__ import annotations

from datetime import UTC, datetime


def rfc3339(moment: datetime, timespec: str = "milliseconds") -> str:
    """An aware time in UTC with a Z behind it (RFC 3339, 5.6); `timespec` as `isoformat` takes it."""
    return moment.astimezone(UTC).isoformat(timespec=timespec).replace("+00:00", "Z")
