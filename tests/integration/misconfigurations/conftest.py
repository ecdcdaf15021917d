"""Servers for misconfigured installations."""

from __future__ import annotations

from contextlib import ExitStack, closing
from typing import TYPE_CHECKING

import pytest

from engine.db.migrations import upgrade
from engine.db.store import Store
from tests.helpers.misconfigurations import Parts
from tests.servers.postgres import name_of
from tests.servers.smtp import ScriptedSMTP
from tests.servers.strict import StrictPostgres, StrictRedis

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.helpers.misconfigurations import Servers


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    with (
        StrictPostgres() as postgres,
        ScriptedSMTP() as relay,
        ScriptedSMTP(tls="starttls", cert_name="other.example") as certified,
        StrictRedis(tmp_path_factory.mktemp("redis"), certified.ca_file, certified.ca_file.parent / "key.pem") as cache,
    ):
        yield postgres, cache, relay


@pytest.fixture(scope="module")
def template(servers: Servers) -> str:
    """The name of a database with the newest schema, to make copies of."""
    postgres = servers[0]
    name = name_of(postgres.database())
    with closing(Store(postgres.url(name, "varsel"))) as store:
        upgrade(store)
    return name


@pytest.fixture
def parts(servers: Servers, template: str, tmp_path: Path) -> Iterator[Parts]:
    with ExitStack() as stack:
        yield Parts(tmp_path, stack, servers, template)
