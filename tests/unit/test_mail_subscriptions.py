"""Subscriptions whose endpoint is a mail address."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from engine.errors import Forbidden
from tests.helpers.subscription_requests import ENDPOINT, HTTPS, MAIL, ORG, RULES, parsed, refused

if TYPE_CHECKING:
    from engine.models import Caller


def test_a_mail_endpoint_is_kept_with_its_template() -> None:
    spec = parsed({**MAIL, "endPoint": "MAILTO:Kari.Nordmann@Example.NO"})
    assert (spec.endpoint, spec.template) == ("mailto:Kari.Nordmann@example.no", "receipt")


@pytest.mark.parametrize("address", ["kari@例え.テスト", "kari@example.international"])
def test_a_mail_endpoint_is_kept_without_what_pasting_left_around_it(address: str) -> None:
    assert parsed({**MAIL, "endPoint": f"\u200b\u00a0mailto:\ufeff{address}\u200e\n"}).endpoint == f"mailto:{address}"


@pytest.mark.parametrize("address", ["kari@æø--x.no", "kari@exam\u200bple.no", f"kari@{'æ' * 62}.no"])
def test_a_mail_endpoint_that_has_no_form_on_the_wire_is_refused(address: str) -> None:
    text = f"{ENDPOINT}: mailto: takes one e-mail address and nothing else"
    assert refused({**MAIL, "endPoint": f"mailto:{address}"}) == text


@pytest.mark.parametrize(
    "address",
    ["", "kari", "kari@example.no?subject=a", "kari@example.no,ola@example.no", "kari%40example.no", "kari@a.no#b",
     "kari@example.no\n", "kari@example.no\nbcc:ola@example.no", " kari@example.no", "//kari@example.no"],
)  # fmt: skip
def test_a_mail_endpoint_is_one_address_and_nothing_else(address: str) -> None:
    text = f"{ENDPOINT}: mailto: takes one e-mail address and nothing else"
    assert refused({**MAIL, "endPoint": f"mailto:{address}.x"}) == text


@pytest.mark.parametrize(
    "caller",
    [
        replace(ORG, scopes=frozenset({"altinn:events.subscribe"})),
        replace(ORG, creator=None),
    ],
)
def test_a_mail_endpoint_needs_the_right_to_send(caller: Caller) -> None:
    with pytest.raises(Forbidden, match="mailto"):
        parsed({**MAIL, "resourceFilter": "no urn"}, caller)


def test_either_scope_gives_the_right_to_send() -> None:
    scopes = frozenset({"altinn:events.subscribe", "altinn:serviceowner/notifications.create"})
    assert parsed(MAIL, replace(ORG, scopes=scopes))


@pytest.mark.parametrize("template", [None, "", "other"])
def test_a_mail_endpoint_needs_a_stored_template(template: str | None) -> None:
    body = {**MAIL, "template": template}
    assert refused(body) == "A mailto: endPoint needs a template, one of: decision, receipt."
    none = replace(RULES, templates=frozenset())
    assert refused(body, rules=none) == "A mailto: endPoint needs a template, one of: (none is stored)."


def test_a_mail_about_mails_would_never_end() -> None:
    body = {**MAIL, "resourceFilter": "urn:altinn:resource:varsel:ttd"}
    assert refused(body) == "A mailto: endPoint cannot get events about e-mails: each mail would cause the next."
    del body["template"]
    assert parsed({**body, "endPoint": HTTPS}).resource_filter == "urn:altinn:resource:varsel:ttd"
