"""The JSON of events, read so that its text is kept.

In an `Invalid` raised here, "" is the text as a whole, "[3]" the fourth event of a batch, and `data` an event's data.
"""

from __future__ import annotations

import json
import re
from functools import partial
from itertools import chain
from math import isfinite
from typing import TYPE_CHECKING, Any, TypeVar

from engine.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Callable

    Read = TypeVar("Read")

Members = dict[str, tuple[Any, str]]  # of a JSON object, by name: the value and its text

MOST_EVENTS = 1_000  # in a batch
DEEPEST = 64  # levels of data: readers of the event must be able to parse it, too
MOST_DIGITS = 300  # of a whole number that templates may count with
LONGEST_SHOWN = 50  # characters

_KINDS = {dict: "Object", list: "Array", str: "String", int: "Number", float: "Number", type(None): "Null"}
_SPACE = r"[ \t\n\r]*"
_OBJECT = re.compile(rf"\{{{_SPACE}(\}}{_SPACE})?")
_ARRAY = re.compile(rf"\[{_SPACE}(\]{_SPACE})?")
_NAME_AND_COLON = re.compile(rf'"((?:[^"\\\x00-\x1f]++|\\.)*+)"{_SPACE}:{_SPACE}')
_AFTER_MEMBER = re.compile(rf"{_SPACE}([,}}]){_SPACE}")
_AFTER_ELEMENT = re.compile(rf"{_SPACE}([,\]]){_SPACE}")
# For valid JSON; a string without an end matches, too, so that the pattern never backtracks.
_BEFORE_SPACE = re.compile(rf'((?:[^" \t\n\r]++|"(?:[^"\\]++|\\.?)*+"?)++){_SPACE}')


def read_object(body: bytes) -> Members:
    """Read a JSON object and keep the text of its members; Invalid when it is not one, or a name occurs twice."""
    return _parsed(body, _object)


def read_batch(body: bytes, make: Callable[[Members], Read]) -> list[Read]:
    """Read a JSON array of objects and call `make` with each; every Invalid gets the object's place."""
    return _parsed(body, partial(_array, make))


def read_value(body: bytes) -> tuple[Any, str]:
    """Read JSON of any kind: the value and its text; Invalid when it is not JSON."""
    return _parsed(body, _value)


def compact(value: Any, text: str) -> str:
    """The text of a JSON value without space between its tokens; Invalid (`data`) when it is nested too deeply."""
    if text.count("[") + text.count("{") > DEEPEST and _depth_exceeds(value, DEEPEST):
        raise invalid("data", f"The data is nested more than {DEEPEST} levels deep")
    return "".join(_BEFORE_SPACE.findall(text))


def values(text: str) -> Any:
    """The values of stored JSON, for templates; a number that Python cannot read or would change stays text."""
    return _READER.decode(text)


def kind(value: Any) -> str:
    """The name of a JSON value's kind, for messages."""
    return str(value) if isinstance(value, bool) else _KINDS[type(value)]


def shown(text: str) -> str:
    """A text for messages: short, in quotes, only printable characters."""
    return repr(text[:LONGEST_SHOWN])


def twice(name: str) -> Invalid:
    """The error for a name that occurs twice."""
    return invalid("", f"The name {shown(name)} occurs twice")


def invalid(place: str, text: str) -> Invalid:
    """The error for one broken rule."""
    return Invalid({place: [text]})


def placed(error: Invalid, place: str) -> Invalid:
    """The same error at another place."""
    return Invalid({place: [text for texts in error.errors.values() for text in texts]})


def _parsed(body: bytes, read: Callable[[str, int], tuple[Read, int]]) -> Read:
    """Read a whole JSON text: `read` gets the text and where to begin, and returns where it stopped."""
    try:
        text = body.decode("utf-8-sig").strip(" \t\n\r")
        found, end = read(text, 0)
        if end != len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except RecursionError:
        raise invalid("", "The body is nested too deeply") from None
    except UnicodeDecodeError:
        raise invalid("", "The body is not valid JSON: it is not UTF-8") from None
    except ValueError as error:
        raise invalid("", f"The body is not valid JSON: {error}") from None
    return found


def _value(text: str, at: int) -> tuple[tuple[Any, str], int]:
    value, end = _DECODER.raw_decode(text, at)
    return (value, text[at:end]), end


def _array(make: Callable[[Members], Read], text: str, at: int) -> tuple[list[Read], int]:
    start = _ARRAY.match(text, at)
    if not start:
        raise invalid("", f"Cannot decode element of kind '{kind(_value(text, at)[0][0])}' as a batch of CloudEvents")
    found: list[Read] = []
    mark, at = "]" if start[1] else ",", start.end()
    while mark == ",":
        if len(found) == MOST_EVENTS:
            raise invalid("", f"A batch has at most {MOST_EVENTS} events")
        try:
            members, at = _object(text, at)
            found.append(make(members))
        except Invalid as error:
            raise placed(error, f"[{len(found)}]") from None
        mark, at = _after(_AFTER_ELEMENT, text, at)
    return found, at


def _object(text: str, at: int) -> tuple[Members, int]:
    start = _OBJECT.match(text, at)
    if not start:
        raise invalid("", f"Cannot decode element of kind '{kind(_value(text, at)[0][0])}' as CloudEvent")
    members: Members = {}
    mark, at = "}" if start[1] else ",", start.end()
    while mark == ",":
        name, at = _after(_NAME_AND_COLON, text, at)
        if "\\" in name:
            name = _DECODER.decode(f'"{name}"')
        if name in members:
            raise twice(name)
        value, end = _DECODER.raw_decode(text, at)
        members[name] = value, text[at:end]
        mark, at = _after(_AFTER_MEMBER, text, end)
    return members, at


def _after(form: re.Pattern[str], text: str, at: int) -> tuple[str, int]:
    """The text matched by the form's group, and where the next token begins."""
    found = form.match(text, at)
    if not found:
        raise json.JSONDecodeError("Expecting a name or a delimiter", text, at)
    return found[1], found.end()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise twice(name)
        members[name] = value
    return members


def _integer(digits: str) -> int | float:
    """A longer number becomes a float: attributes have 32 bits, data stays text, and int() takes 4,300 digits."""
    return int(digits) if len(digits) <= len("-2147483648") else float(digits)


def _shown_integer(digits: str) -> int | str:
    return int(digits) if len(digits) <= MOST_DIGITS else digits


def _shown_number(text: str) -> float | str:
    """A number beyond a float's range stays text: it must become neither infinite nor zero."""
    number = float(text)
    is_zero = not text.lower().partition("e")[0].strip("-0.")
    return number if isfinite(number) and (number or is_zero) else text


def _constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


_READER = json.JSONDecoder(parse_int=_shown_integer, parse_float=_shown_number)
_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_int=_integer, parse_constant=_constant)


def _depth_exceeds(value: Any, most: int) -> bool:
    level = [value]
    for _ in range(most):
        inner = chain.from_iterable(item.values() if isinstance(item, dict) else item for item in level)
        level = [item for item in inner if isinstance(item, (dict, list))]
        if not level:
            return False
    return True
