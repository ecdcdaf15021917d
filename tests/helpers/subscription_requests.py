"""Requests for subscriptions, their callers, and how they are parsed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from engine.errors import BadRequest
from engine.models import Caller
from engine.outbound import Guard
from engine.subscriptions.rules import (
    SubscriptionRules,
    parse_subscription,
)

if TYPE_CHECKING:
    from engine.subscriptions.spec import SubscriptionSpec

RULES = SubscriptionRules("apps.altinn.no", Guard(allow_private=False), frozenset({"receipt", "decision"}))
DEVELOPMENT = replace(RULES, guard=Guard(allow_private=True))
ORG = Caller(
    creator="ttd",
    scopes=frozenset({"altinn:events.subscribe", "altinn:notifications.create"}),
    platform=False,
    identity="/org/ttd",
)
SCOPELESS = replace(ORG, scopes=frozenset())
USER = Caller(creator=None, scopes=ORG.scopes, platform=False, identity="/user/1234")
NOBODY = replace(USER, identity=None)

HTTPS = "https://example.no/hook"
SOURCE = "https://ttd.apps.altinn.no/ttd/apps-test"
APP = {"endPoint": HTTPS, "sourceFilter": SOURCE}
APP_URN = "urn:altinn:resource:app_ttd_apps-test"
GENERIC = {"endPoint": HTTPS, "resourceFilter": "urn:altinn:resource:cases"}
MAIL = {**GENERIC, "endPoint": "mailto:kari@example.no", "template": "receipt"}

ENDPOINT = "Missing or invalid endpoint to push events towards"
SOURCE_TEXT = "SourceFilter must be an absolute URL with the https scheme."


def parsed(value: Any, caller: Caller = ORG, rules: SubscriptionRules = RULES) -> SubscriptionSpec:
    return parse_subscription(json.dumps(value).encode(), caller, rules)


def refused(value: Any, caller: Caller = ORG, rules: SubscriptionRules = RULES) -> str:
    with pytest.raises(BadRequest) as caught:
        parsed(value, caller, rules)
    return str(caught.value)
