"""The OpenAPI document is true: no 500, and no status or answer that it does not describe."""

from __future__ import annotations

import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.servers.installation import Installation

CHECKS = "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance"
SCOPES = "altinn:notifications.create altinn:events.publish altinn:events.subscribe"


@pytest.mark.parametrize("database", ["postgresql"], indirect=True)  # the one in which requests can disturb each other
def test_schemathesis_finds_nothing(installation: Installation, tmp_path: Path) -> None:
    token = installation.key.bearer("ttd", SCOPES, timedelta(hours=1))
    platform = installation.key.platform_token("ttd", "apps-test", timedelta(hours=1))
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        "run",
        f"{installation.address}/openapi.json",
        "--checks", CHECKS,
        "--header", f"Authorization: Bearer {token}",
        "--header", f"PlatformAccessToken: {platform}",
        "--max-examples", "20",
        "--phases", "examples,coverage,fuzzing",
        "--seed", "1",
        "--no-color",
        "--suppress-health-check", "all",
    ]  # fmt: skip
    done = subprocess.run(command, cwd=tmp_path, text=True, capture_output=True, check=False)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
