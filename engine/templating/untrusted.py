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
# Before what addresses are made of, in ASCII and in what browsers take for the same, unless a word within begins with
# it; before the sign between an attribute's name and its value; and behind the one that begins a character reference.
_BROKEN_UP = re.compile(
    r"(?<!\s)(?=[.:/\\@\u2024\u3002\ufe52\uff0e\uff61\ufe55\uff1a\uff0f\uff3c\uff20\ufe6b])|(?=[=\uff1d])|(?<=&)"
)


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
    return _BROKEN_UP.sub(NON_JOINER, text.translate(_MARKUP))
