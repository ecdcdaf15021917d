"""What is said of a posted JSON value of a wrong type, wherever it was posted."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from pydantic import ValidationError

STRING, OBJECT, ARRAY, BOOLEAN = "must be a string", "must be an object", "must be an array", "must be true or false"
INTEGER = "must be a whole number"

_TEXTS = {  # by pydantic's name of the error; those that validators of ours raise have a text of their own
    "string_type": STRING,
    "model_type": OBJECT,
    "dict_type": OBJECT,
    "tuple_type": ARRAY,
    "bool_type": BOOLEAN,
    "int_type": INTEGER,
    "int_parsing": INTEGER,
}


def told(text: str) -> str:
    """The message that a value gets."""
    return f"The JSON value {text}."


def problems(error: ValidationError) -> Iterator[tuple[str, str]]:
    """Each wrong value's JSON path, such as `$.recipients[0].emailAddress`, and its message."""
    for item in error.errors(include_url=False, include_context=False, include_input=False):
        place = item["loc"]
        if item["type"] == "missing":
            yield _path(place[:-1]), f"The JSON object lacks the member {place[-1]}, which is required."
        else:
            yield _path(place), told(_TEXTS.get(item["type"], item["msg"]))


def _path(place: Sequence[int | str]) -> str:
    return "$" + "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in place)
