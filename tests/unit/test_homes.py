"""Whatever several parts need has one home: copies in two files would come to differ."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HOMES = {  # of texts that a pattern finds
    "beginnings of resources": ("engine/resources.py", r"\Aurn:altinn:resource:(?:[a-z]+[_:.])?\Z"),
    "scopes": ("engine/resources.py", r"\Aaltinn:[a-z/]+\.[a-z.]+\Z"),
    "claims of tokens": ("engine/auth/tokens/verifier.py", r"\Aurn:altinn:[A-Za-z]+\Z"),
    "controls in a line": ("engine/text/controls.py", "\x00-\x1f\x7f"),
    "controls in a body": ("engine/text/controls.py", "\x00-\x08\x0b\x0c\x0e-\x1f"),
    "lone surrogates": ("engine/text/controls.py", "\ud800-\udfff"),
    "UTC as Z": ("engine/text/times.py", r"\A\+00:00\Z"),
    "this machine": ("engine/text/urls.py", r"\A::1\Z|127\\\.0\\\.0\\\.1"),
}


@cache
def modules() -> dict[str, list[ast.AST]]:
    files = (path for room in ("engine", "api", "scheduler") for path in (ROOT / room).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): list(ast.walk(ast.parse(path.read_text()))) for path in files}


def texts(nodes: list[ast.AST]) -> list[str]:
    """The strings of a module, and the fixed parts of its f-strings."""
    return [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]


def names(nodes: list[ast.AST]) -> set[str]:
    """The modules that a module imports, and the attributes that it reads."""
    imported = {name.name for node in nodes if isinstance(node, ast.Import) for name in node.names}
    return imported | {node.attr for node in nodes if isinstance(node, ast.Attribute)}


@pytest.mark.parametrize("what", HOMES)
def test_a_constant_that_several_parts_need_has_one_home(what: str) -> None:
    home, pattern = HOMES[what]
    found = {name for name, nodes in modules().items() if any(re.search(pattern, text) for text in texts(nodes))}
    assert found == {home}


@pytest.mark.parametrize("name", ["tomllib", "st_mtime_ns"])
def test_files_of_operators_are_read_and_followed_in_one_place(name: str) -> None:
    assert {module for module, nodes in modules().items() if name in names(nodes)} == {"engine/runtime/config_files.py"}
