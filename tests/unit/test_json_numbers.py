"""JSON that others send: no number in it is infinite."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.text.json_numbers import read_json

LARGE = ["1e999", "-1E+400", "1e0000309", "1" * 310 + ".0", "0.1e310", "123456789e301"]


@pytest.mark.parametrize("number", LARGE)
@pytest.mark.parametrize("around", ["{}", '{{"a": [{}]}}', "[0.5, [[{}]]]"])
def test_a_number_that_no_float_holds_is_refused(number: str, around: str) -> None:
    with pytest.raises(ValueError, match="out of range"):
        read_json(around.format(number).encode())


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "1" * 5_000, "[" * 300, '"\\ud800"', "\xff", ""])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        read_json(text.encode("latin-1"))


@given(st.recursive(st.none() | st.booleans() | st.floats(allow_nan=False, allow_infinity=False) | st.integers()
                    | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))  # fmt: skip
def test_all_else_is_read(value: object) -> None:
    assert read_json(json.dumps(value).encode()) == value
    assert read_json(json.dumps([value, "1e999", "9" * 400]).encode()) == [value, "1e999", "9" * 400]
