"""Events as they are sent, as JSON or in headers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.errors import Invalid
from engine.events.cloudevent import decode

VALID: dict[str, Any] = {"specversion": "1.0", "id": "a", "source": "/b", "type": "c"}
MISSING = "CloudEvent is missing required attributes: {} (Parameter 'data')"


def body(**members: Any) -> bytes:
    """A valid event with these members changed; `...` removes one."""
    return json.dumps({name: value for name, value in (VALID | members).items() if value is not ...}).encode()


def message(sent: bytes) -> str:
    with pytest.raises(Invalid) as refused:
        decode(sent)
    assert list(refused.value.errors) == ["RequestBody"]
    (text,) = refused.value.errors["RequestBody"]
    assert text.isprintable()
    return text
