"""Signatures of webhooks, verified by the Standard Webhooks library that receivers use."""

from __future__ import annotations

import time
from base64 import b64decode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from standardwebhooks import Webhook, WebhookVerificationError

from engine.subscriptions.signing import Signer, message_id, new_salt

SIGNER = Signer(b"k" * 32)
OLD, NEW = new_salt(), new_salt()
NAME = message_id("https://ttd.apps.altinn.no/ttd/apps-test", "1")


def signed(body: bytes, *salts: str, at: int | None = None) -> dict[str, str]:
    return dict(SIGNER.headers(salts, NAME, int(time.time()) if at is None else at, body))


def verify(secret: str, body: bytes, headers: dict[str, str]) -> None:
    Webhook(secret).verify(body, headers, json_parse=False)


@given(st.text().map(str.encode))
def test_receivers_can_verify_any_body(body: bytes) -> None:
    verify(SIGNER.secret(NEW), body, signed(body, NEW))


def test_while_a_secret_is_replaced_both_verify() -> None:
    headers = signed(b"{}", NEW, OLD)
    verify(SIGNER.secret(NEW), b"{}", headers)
    verify(SIGNER.secret(OLD), b"{}", headers)
    assert len(headers["webhook-signature"].split(" ")) == 2


def test_afterwards_the_old_secret_verifies_no_more() -> None:
    with pytest.raises(WebhookVerificationError):
        verify(SIGNER.secret(OLD), b"{}", signed(b"{}", NEW))


@given(st.text(), st.text())
def test_an_altered_body_is_refused(body: str, other: str) -> None:
    headers = signed(body.encode(), NEW, OLD)
    if body != other:
        with pytest.raises(WebhookVerificationError):
            verify(SIGNER.secret(NEW), other.encode(), headers)


def test_an_altered_header_is_refused() -> None:
    for altered in ({"webhook-id": "evt_0"}, {"webhook-timestamp": str(int(time.time()) + 9)}):
        with pytest.raises(WebhookVerificationError):
            verify(SIGNER.secret(NEW), b"{}", signed(b"{}", NEW) | altered)


def test_an_old_request_cannot_be_played_again() -> None:
    with pytest.raises(WebhookVerificationError, match="too old"):
        verify(SIGNER.secret(NEW), b"{}", signed(b"{}", NEW, at=int(time.time()) - 3600))


def test_the_secret_of_another_installation_or_salt_is_refused() -> None:
    for secret in (Signer(b"l" * 32).secret(NEW), SIGNER.secret(OLD), SIGNER.secret("")):
        with pytest.raises(WebhookVerificationError):
            verify(secret, b"{}", signed(b"{}", NEW))


def test_a_secret_is_32_bytes_that_the_salt_decides() -> None:
    secret = SIGNER.secret(NEW)
    assert len(b64decode(secret.removeprefix("whsec_"), validate=True)) == 32
    assert secret == Signer(b"k" * 32).secret(NEW)
    assert len({SIGNER.secret(new_salt()) for _ in range(100)}) == 100


def test_an_event_is_named_the_same_at_every_attempt_and_apart_from_others() -> None:
    assert message_id("urn:a", "1") == message_id("urn:a", "1")
    assert message_id("urn:a", "1") != message_id("urn:a1", "")
    assert len(NAME) == len("evt_") + 32
