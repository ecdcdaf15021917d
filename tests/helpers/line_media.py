"""For Schemathesis, which loads this: how bodies of lines are written."""

from __future__ import annotations

import json
from typing import Any

import schemathesis


@schemathesis.serializer("application/x-ndjson", "text/csv")
def in_lines(_context: Any, value: Any) -> bytes:
    """A line of JSON; a text as it is."""
    return (value if isinstance(value, str) else json.dumps(value)).encode("utf-8", "surrogatepass")
