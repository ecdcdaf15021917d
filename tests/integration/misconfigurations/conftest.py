"""Servers for misconfigured installations."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from tests.helpers.misconfigurations import Parts
from tests.servers.smtp import ScriptedSMTP
from tests.servers.strict import StrictPostgres, StrictRedis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[StrictPostgres, StrictRedis, ScriptedSMTP]]:
    with (
        StrictPostgres() as postgres,
        ScriptedSMTP() as relay,
        ScriptedSMTP(tls="starttls", cert_name="other.example") as certified,
        StrictRedis(tmp_path_factory.mktemp("redis"), certified.ca_file, certified.ca_file.parent / "key.pem") as cache,
    ):
        yield postgres, cache, relay


@pytest.fixture
def parts(servers: tuple[StrictPostgres, StrictRedis, ScriptedSMTP], tmp_path: Path) -> Iterator[Parts]:
    with ExitStack() as stack:
        yield Parts(tmp_path, stack, *servers)
