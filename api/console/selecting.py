"""Which rows of a list an action is for: all that match, or those of them that are selected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from api.console.zones import FIELD
from engine.admin.words import of_condition
from engine.errors import Invalid
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.datastructures import ImmutableMultiDict

    from engine.admin.actions import Action

IDS = "ids"  # the field that each selected row sends
_OWN = ("csrf", "asked", "newest", FIELD)  # of a form's fields, those that narrow nothing


def meant(action: Action, form: ImmutableMultiDict[str, Any]) -> dict[str, str]:
    """What narrows the list down to the rows that are meant; Invalid where none is selected."""
    values = {name: [each.strip() for each in form.getlist(name) if isinstance(each, str)] for name in form}
    given = {name: texts[-1] for name, texts in values.items() if texts and name not in (action.takes, *_OWN)}
    if IDS in given:
        given[IDS] = ",".join(each for each in values[IDS] if each)
        if not given[IDS]:
            raise Invalid({IDS: [_("No row is selected. Go back, and select the rows first.")]})
    return {name: value for name, value in given.items() if value}


def told(given: Mapping[str, str]) -> dict[str, str]:
    """The same for people, who do not read fifty identifiers."""
    return {name: of_condition(name, value) for name, value in given.items()}
