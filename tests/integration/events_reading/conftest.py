"""A client and an app of the readers of events."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

import pytest

from tests.helpers.event_pages import SCOPES, publish

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.servers.installation import Installation


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client(scope=SCOPES) as client:
        yield client


@pytest.fixture
def app() -> str:
    """An app of ttd's that no other test uses."""
    return f"app-{uuid.uuid4().hex}"


@pytest.fixture(scope="session")
def many(installation: Installation) -> str:
    """A resource with 1,001 events, which an app has as well."""
    where = "urn:altinn:resource:app_ttd_many"
    with installation.client(scope=SCOPES) as client:
        publish(client, *[{"resource": where}] * 1000)
        publish(client, {"resource": where})
    return where
