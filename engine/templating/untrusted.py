"""Values of strangers: what a schema marks as untrusted becomes neither a link nor markup, wherever it stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

MARK = "untrusted"
NON_JOINER = "\u200c"  # is not seen, and in no address: mail programs make no link of it, and no browser follows one

# Single angle quotation marks for brackets, closing quotation marks for quotes.
_MARKUP = str.maketrans("<>\"'`", "\u2039\u203a\u201d\u2019\u2019")
_IN_AN_ADDRESS = re.compile(r"(?<=\S)(?=[.:/\\@])")  # before these, unless a word begins with one


def neutralised(schema: Mapping[str, Any], value: Any, *, untrusted: bool = False) -> Any:
    """A value in which no text that the schema marks, itself or around it, can become a link or markup.

    Brackets and quotes become others that look like them: even `|safe` makes no markup of these.
    """
    untrusted = untrusted or schema.get(MARK) is True
    if isinstance(value, dict):
        known = schema.get("properties", {})
        names = {_text(name) if untrusted and name not in known else name: name for name in value}
        return {
            shown: neutralised(known.get(name, {}), value[name], untrusted=untrusted) for shown, name in names.items()
        }
    if isinstance(value, list):
        items = schema.get("items", {})
        return [neutralised(items, each, untrusted=untrusted) for each in value]
    return _text(value) if untrusted and isinstance(value, str) else value


def _text(text: str) -> str:
    return _IN_AN_ADDRESS.sub(NON_JOINER, text.translate(_MARKUP))
