"""What templates print: texts in the reader's language, and values in which nothing is hidden."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

from engine.text import language

if TYPE_CHECKING:
    from collections.abc import Mapping

    from jinja2 import Environment

# Characters that nobody sees, or that turn the text around them: control, formatting, bidirectional, line separators.
_UNSEEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]"
)


def visible(value: Any) -> Any:
    """What a template prints: in texts, characters that cannot be seen are made visible."""
    if isinstance(value, str) and not isinstance(value, Markup) and _UNSEEN.search(value):
        return _UNSEEN.sub(lambda found: f"\N{WHITE SQUARE WITH LOWER LEFT QUADRANT}{ord(found[0]):04X}", value)
    return value


def install(environment: Environment) -> None:
    """Let templates say {% trans %}, and _("…") of a text that stands there; a value has the filter `translated`."""
    environment.add_extension("jinja2.ext.i18n")
    environment.policies["ext.i18n.trimmed"] = True
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # the extension's
    environment.globals |= {"_": _gettext, "gettext": _gettext, "ngettext": _ngettext}
    environment.filters |= {"translated": language.translated, "number": language.number, "decimal": language.decimal}


def _gettext(message: str, **values: Any) -> Markup:
    """A text of a template, which may have marks of HTML; its values are escaped."""
    text = language.current().texts.gettext(message)
    return Markup(text) % _shown(values) if values else Markup(text % ())  # noqa: S704 no value is in it yet


def _ngettext(one: str, many: str, amount: int, **values: Any) -> Markup:
    text = language.current().texts.ngettext(one, many, amount)
    return Markup(text) % _shown(values | {"num": language.number(amount)})  # noqa: S704 likewise


def _shown(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: visible(value) for name, value in values.items()}
