"""The examples of docs/clients.md and of the pages that newcomers read work as they stand there."""

from __future__ import annotations

import ast
import re
import shutil
import subprocess
from datetime import timedelta
from pathlib import Path
from textwrap import dedent
from typing import TYPE_CHECKING, Any

import pytest

from tests.servers.http import Receiver, Say

if TYPE_CHECKING:
    from tests.servers.installation import Installation

ROOT = Path(__file__).parents[2]
ADDRESS, ENDPOINT = "http://127.0.0.1:5090", "https://example.no/events"
SCOPES = "altinn:events.publish altinn:events.subscribe altinn:notifications.create"
NODE = shutil.which("node")
pytestmark = pytest.mark.parametrize("database", ["sqlite"], indirect=True)


def blocks(name: str) -> list[str]:
    """The indented blocks of a page."""
    found = re.findall(r"(?m)(?:^    .*\n(?:\n+(?=    ))?)+", (ROOT / name).read_text())
    return [dedent(block) for block in found]


def is_python(block: str) -> bool:
    try:
        return "varsel" in {node.id for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Name)}
    except SyntaxError:
        return False


@pytest.fixture
def token(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> str:
    """As a reader exports it."""
    token = installation.key.bearer("ttd", SCOPES, timedelta(hours=1))
    monkeypatch.setenv("TOKEN", token)
    return token


@pytest.mark.usefixtures("token")
@pytest.mark.parametrize("page", ["docs/clients.md", "docs/quickstart.md", "README.md"])
def test_what_stands_there_in_python_works(
    installation: Installation, page: str, capsys: pytest.CaptureFixture[str]
) -> None:
    program = "\n".join(block for block in blocks(page) if is_python(block))
    assert "from varsel.client import" in program
    names: dict[str, Any] = {"__name__": "example"}
    with Receiver(Say(204)) as receiver:
        program = program.replace(ADDRESS, installation.address).replace(ENDPOINT, receiver.url)
        exec(compile(program, page, "exec"), names)  # noqa: S102 our own page
        if "received" in names:
            receiver.wait_for(lambda: bool(receiver.requests))
            [pushed] = receiver.requests[:1]
            assert names["received"](pushed.body, pushed.headers) == 204
            assert names["received"](pushed.body + b" ", pushed.headers) == 401
            names["varsel"].subscriptions.delete(names["subscription"]["id"])
    names["varsel"].close()
    assert "Email_" in capsys.readouterr().out


@pytest.mark.skipif(NODE is None, reason="Node is not installed")
def test_what_stands_there_in_typescript_works(installation: Installation, token: str, tmp_path: Path) -> None:
    [program] = [block for block in blocks("docs/clients.md") if 'from "varsel-client"' in block]
    (tmp_path / "example.mjs").write_text(program.replace(ADDRESS, installation.address))
    (tmp_path / "node_modules").mkdir()
    (tmp_path / "node_modules" / "varsel-client").symlink_to(ROOT / "clients" / "typescript")
    done = subprocess.run(
        [str(NODE), "example.mjs"], cwd=tmp_path, env={"TOKEN": token}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "400 { id: [" in done.stdout
