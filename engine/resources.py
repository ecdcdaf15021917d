"""Names that the contracts give: the resources of events, which are URNs, and the scopes of tokens."""

from __future__ import annotations

import re
from base64 import b32encode

from engine.models import is_test, live_creator

RESOURCE = "urn:altinn:resource:"  # what the name of every resource begins with
APP = f"{RESOURCE}app_"  # an app's (events contract 7.5)
OLD_APP = f"{RESOURCE}altinnapp."  # an app's, once
OWN = f"{RESOURCE}varsel:"  # what became of a creator's orders

SCOPE_CREATE = "altinn:notifications.create"
SCOPES_CREATE = frozenset({SCOPE_CREATE, "altinn:serviceowner/notifications.create"})  # one of them is enough
SCOPE_COMPOSED = "altinn:serviceowner/notifications.composedemail.create"
SCOPE_SUPPORT = "altinn:notifications.support.admin"
SCOPE_TEMPLATES = "varsel:templates"  # of no contract
SCOPE_PUBLISH = "altinn:events.publish"
SCOPE_PUBLISH_ANY = "altinn:events.publish.admin"  # no decision is asked; not enough alone
SCOPE_SUBSCRIBE = "altinn:events.subscribe"

_GROUP = 100  # characters between two colons of a URN (events contract 5.5)
_PLAIN = re.compile(rf"[a-z0-9._-]{{1,{_GROUP}}}")


def app_resource(org: str, app: str) -> str:
    """What an app's events are matched by, in lower case (events contract 6.3)."""
    return f"{APP}{org}_{app}".lower()


def status_resource(creator: str) -> str:
    """The resource of what became of a creator's orders: a URN (events contract 5.5) that no two creators share.

    That of its tests has the group "test" before the name.

    Names that fit stand as they are. All others, capitals too, become "(" and the base32 of their UTF-8: no plain name
    has a bracket, and 100 characters of any script fill less than the eight groups that are left.
    """
    if is_test(creator):
        return f"{OWN}test:{status_resource(live_creator(creator)).removeprefix(OWN)}"
    if _PLAIN.fullmatch(creator):
        return OWN + creator
    text = "(" + b32encode(creator.encode()).decode().rstrip("=").lower()
    return OWN + ":".join(text[start : start + _GROUP] for start in range(0, len(text), _GROUP))
