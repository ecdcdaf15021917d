"""The client's verifier trusts what Varsel signs, and nothing else."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from engine.subscriptions.signing import Signer
from varsel.client import InvalidSignature, Webhook

if TYPE_CHECKING:
    from collections.abc import Callable

SIGNER = Signer(b"the key of these tests, long enough")
OLD, NEW = "0" * 32, "1" * 32
BODY = '{"type": "æ"}'.encode()


def signed(*salts: str, ago: float = 0, body: bytes = BODY) -> dict[str, str]:
    """The headers of a request that was made so many seconds ago."""
    return dict(SIGNER.headers(salts, "evt_1", int(time.time() - ago), body))


@pytest.mark.parametrize("salts", [(OLD,), (NEW,), (OLD, NEW)])
def test_while_a_secret_is_replaced_both_count(salts: tuple[str, ...]) -> None:
    webhook = Webhook(SIGNER.secret(OLD), SIGNER.secret(NEW))
    assert webhook.verify(BODY, signed(*salts))["type"] == "æ"
    assert webhook.verify(BODY, {name.title(): value for name, value in signed(*salts).items()})["type"] == "æ"


@pytest.mark.parametrize(
    "forged",  # when the test runs: its time must be near
    [
        lambda: signed(NEW),
        lambda: signed(OLD, body=b"{}"),
        lambda: {**signed(OLD), "webhook-id": "evt_2"},
        lambda: {**signed(OLD), "webhook-signature": "v1a," + signed(OLD)["webhook-signature"][3:]},
        lambda: {**signed(OLD), "webhook-signature": "v1,"},
        lambda: {**signed(OLD), "webhook-signature": "v1,æ"},
        lambda: {**signed(OLD), "webhook-signature": "v1,\udcff"},
        lambda: {**signed(OLD), "webhook-id": "evt_1\ud800"},
    ],
)
def test_another_signature_is_refused(forged: Callable[[], dict[str, str]]) -> None:
    with pytest.raises(InvalidSignature, match="no signature matches"):
        Webhook(SIGNER.secret(OLD)).verify(BODY, forged())


@pytest.mark.parametrize("at", ["", "now", "-1", "1e9", "٣", "9" * 5000])
def test_a_time_that_is_none_is_refused(at: str) -> None:
    with pytest.raises(InvalidSignature, match="webhook-timestamp"):
        Webhook(SIGNER.secret(OLD)).verify(BODY, {**signed(OLD), "webhook-timestamp": at})


@pytest.mark.parametrize("ago", [120, -120])
def test_how_old_a_request_may_be_is_the_receivers_choice(ago: float) -> None:
    assert Webhook(SIGNER.secret(OLD)).verify(BODY, signed(OLD, ago=ago))
    with pytest.raises(InvalidSignature, match="too far from now"):
        Webhook(SIGNER.secret(OLD), tolerance=timedelta(minutes=1)).verify(BODY, signed(OLD, ago=ago))


@pytest.mark.parametrize("name", ["webhook-id", "webhook-timestamp", "webhook-signature"])
def test_a_header_that_is_missing_is_named(name: str) -> None:
    headers = signed(OLD)
    del headers[name]
    with pytest.raises(InvalidSignature, match=f"{name} is missing"):
        Webhook(SIGNER.secret(OLD)).verify(BODY, headers)


@pytest.mark.parametrize("secrets", [(), ("",), ("whsec_",), ("whsec_not base64",)])
def test_a_secret_of_another_form_is_an_error(secrets: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="secret"):
        Webhook(*secrets)
