"""Which actions a list offers: those that apply to a row that matches, or may."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from engine.admin.actions import ACTIONS
from engine.admin.filters import parse
from engine.admin.lists import may_have
from engine.admin.mailings import FAILED, WAITING
from engine.admin.standing import REPEATED, RETRYING, Standing
from engine.db.dialects import now
from engine.models import DeliveryState, EmailState, OrderState

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection

    from engine.admin.actions import Action
    from engine.admin.resources import Resource

_OPEN = {WAITING, Standing.DUE, Standing.LATER, RETRYING, REPEATED}
_REGISTERED = {*_OPEN, Standing.PAUSED, OrderState.REGISTERED}
# The states, and groups of them, with rows that an action can apply to.
_OF_STATES: Mapping[str, set[str]] = {
    "orders.cancel": {*_REGISTERED, OrderState.OPEN, OrderState.PROCESSING},
    "orders.reschedule": _REGISTERED,
    "orders.send_now": {*_OPEN, OrderState.REGISTERED, OrderState.PROCESSING},
    "orders.retry": {OrderState.SET_ASIDE},
    "emails.retry": {FAILED, *(state for state in EmailState if state.startswith(EmailState.FAILED))},
    "emails.retry_now": {*_OPEN, EmailState.NEW},
    "deliveries.retry": {DeliveryState.DEAD, DeliveryState.UNAUTHORIZED},
    "deliveries.retry_now": {*_OPEN, Standing.PAUSED, DeliveryState.WAITING},
}


class Offers(NamedTuple):
    """The actions, and by a row's key the names of those that apply to it, with spaces between them."""

    actions: list[Action]
    of_rows: Mapping[str, str]


def offers(
    connection: Connection, resource: Resource, given: Mapping[str, str], keys: Sequence[object], *, whole: bool
) -> Offers:
    """What a list that shows these rows offers to do to all that match; `whole`: no others match.

    Where there are more rows than a page looks at, an action is offered that may apply to one of those.
    """
    mine = [action for action in ACTIONS if action.resource is resource and action.for_all]
    if not (mine and keys):
        return Offers([], {})
    applies = (action.applies.label(action.name) for action in mine)
    rows = connection.execute(select(resource.key.label("key"), *applies).where(resource.key.in_(keys))).mappings()
    fits = {row["key"]: [action.name for action in mine if row[action.name]] for row in rows}
    here = {name for names in fits.values() for name in names}
    state = parse(given, resource.fields, now(connection)).get("state")
    elsewhere = [] if whole else [action for action in mine if action.name not in here and _can_be(action, state)]
    if elsewhere:
        may = may_have(connection, resource, given, *(action.applies for action in elsewhere))
        here |= {action.name for action, it_may in zip(elsewhere, may, strict=True) if it_may}
    of_rows = {str(key): " ".join(fits.get(key, ())) for key in keys}  # one may have been removed a moment ago
    return Offers([action for action in mine if action.name in here], of_rows)


def _can_be(action: Action, state: str | None) -> bool:
    """Whether the state that the list is narrowed to has rows that it can apply to."""
    return state is None or state in _OF_STATES[action.audited]
