"""Answers as models: built from rows, described in the OpenAPI document, sent as JSON without their null members."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel
from pydantic_core import to_json
from starlette.responses import Response

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

JSON = "application/json"


class Answer(BaseModel):
    """What is sent, member by member; each kind has an `of` that takes what the engine knows."""

    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    def json_text(self) -> bytes:
        """The answer as JSON text. A large one is made in a reader's thread, beside the event loop."""
        return to_json(self, by_alias=True, exclude_none=True)

    def response(self, status: int = 200, headers: Mapping[str, str] | None = None, media: str = JSON) -> Response:
        """The answer over HTTP."""
        return Response(self.json_text(), status, headers, media)


def instant(moment: datetime) -> str:
    """ISO 8601 in UTC; a fraction only where there is one."""
    text = moment.replace(tzinfo=None).isoformat(timespec="milliseconds").removesuffix(".000")
    return f"{text.rstrip('0') if '.' in text else text}Z"
