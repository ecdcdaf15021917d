"""Clients with the rights to subscribe and publish."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.helpers.subscriptions import SCOPES

if TYPE_CHECKING:
    from collections.abc import Iterator

    import httpx

    from tests.servers.installation import Installation


@pytest.fixture
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client(scope=SCOPES) as client:
        yield client
