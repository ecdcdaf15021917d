"""What recipients that follow their order must fit beside their form: the guests of a team key, and a template."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from engine.auth.api_keys.guests import is_guest
from engine.orders.guests import STRANGER
from engine.orders.recipient_lines import Fault, key
from engine.templating.schema import misfits, prepared
from engine.text.json_numbers import read_json

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from engine.orders.new_order import Recipient

    Schema = Mapping[str, Any]  # type: ignore[explicit-any]  # JSON
    Rule = Callable[[Recipient], Fault | None]


def to_guests(guests: Collection[str]) -> Rule:
    """The rule of a team key: it sends to its guests alone."""

    def check(recipient: Recipient) -> Fault | None:
        return None if is_guest(key(recipient), guests) else Fault("", STRANGER)

    return check


def fitting(schema: Schema, *, texts: bool) -> Rule:
    """The rule of a template: the values fit its schema. `texts`: of CSV, where numbers are written as texts."""
    properties, ready = schema.get("properties", {}), prepared(schema)

    def check(recipient: Recipient) -> Fault | None:
        values = recipient.get("values", {})
        if texts:
            values = {name: _read(value, properties.get(name, {})) for name, value in values.items()}
        recipient["values"] = values
        return next((Fault(f"values.{at}".rstrip("."), message) for at, message in misfits(ready, values)), None)

    return check


def _read(text: object, schema: Schema) -> object:
    """What a cell says, where the template wants no text: 12, 0.5, true."""
    kinds = schema.get("type", "string")
    if not isinstance(text, str) or "string" in (kinds if isinstance(kinds, list) else [kinds]):
        return text
    with suppress(ValueError):
        read = read_json(text.strip().encode() or b"null")
        if read is None or isinstance(read, int | float):
            return read
    return text
