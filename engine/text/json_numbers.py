"""JSON as it is read from others: every number in it is one that JSON can write again."""

from __future__ import annotations

import re
from math import isfinite
from typing import Any

from pydantic_core import from_json

# What every number that no float can hold has: three digits in its exponent, or more digits than the largest float.
_MAY_BE_TOO_LARGE = re.compile(rb"[0-9][eE]\+?0*[0-9]{3}|(?<![0-9])[0-9]{309}")


def read_json(text: bytes) -> Any:  # type: ignore[explicit-any]  # JSON
    """The value of a text in UTF-8; ValueError when it is not JSON, or has too large a number, such as 1e999."""
    value = from_json(text, allow_inf_nan=False)
    if _MAY_BE_TOO_LARGE.search(text) and not _finite(value):
        raise ValueError("a number is out of range")
    return value


def _finite(value: object) -> bool:
    if isinstance(value, dict):
        return all(map(_finite, value.values()))
    if isinstance(value, list):
        return all(map(_finite, value))
    return not isinstance(value, float) or isfinite(value)
