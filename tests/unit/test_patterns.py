"""No pattern of the project takes more than linear time, whatever text it meets."""

from __future__ import annotations

import ast
import importlib
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.backtracking import superlinear

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
METHODS = {"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer", "scanner"}
FILES = sorted(
    file
    for package in ("engine", "api", "scheduler")
    for file in (ROOT / package).rglob("*.py")
    if "migrations" not in file.parts and file.name != "__main__.py"
)
TREES = {file: ast.parse(file.read_text()) for file in FILES}


def compiled(value: Any) -> Iterator[re.Pattern[Any]]:
    """The patterns of a value, also those in containers."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        yield from compiled(tuple(value.values()))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from compiled(item)


def uses(tree: ast.Module, name: str) -> set[str]:
    """By which methods the module uses a pattern of that name; by those of unknown patterns, if it hands it on."""
    found: set[str] = set()
    direct: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == name:
            found.add(node.attr)
            direct.add(id(node.value))
    read = [n for n in ast.walk(tree) if isinstance(n, ast.Name) and n.id == name and isinstance(n.ctx, ast.Load)]
    if any(id(node) not in direct for node in read):
        calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
        found |= {call.attr for call in calls if isinstance(call, ast.Attribute) and is_local(call.value)}
    return found & METHODS


def is_local(node: ast.expr) -> bool:
    """Whether it is an item, or a name of neither a global nor an import: what was handed on gets such a name."""
    if isinstance(node, ast.Subscript):
        return True
    return isinstance(node, ast.Name) and node.id.islower() and not node.id.startswith("_") and node.id != "re"


def imports_re(node: ast.AST) -> bool:
    return (isinstance(node, ast.Import) and any(name.name == "re" for name in node.names)) or (
        isinstance(node, ast.ImportFrom) and node.module == "re"
    )


def named() -> Iterator[tuple[str, re.Pattern[Any], set[str]]]:
    """Every compiled pattern, and by which methods it is used in any module."""
    for file in (file for file in FILES if any(map(imports_re, ast.walk(TREES[file])))):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for name, value in vars(importlib.import_module(module)).items():
            inside = tuple(vars(value).values()) if isinstance(value, type) and value.__module__ == module else ()
            for pattern in (*compiled(value), *compiled(inside)):
                trees = [TREES[file]] if name.startswith("_") else TREES.values()
                yield f"{module}.{name}", pattern, set().union(*(uses(tree, name) for tree in trees))


def written() -> Iterator[tuple[str, re.Pattern[Any], set[str]]]:
    """Every pattern that stands where it is used: `re.sub(…)`, and pydantic's `pattern=`."""
    for file, tree in TREES.items():
        for node in ast.walk(tree):
            if not isinstance(node, ast.Call):
                continue
            place = f"{file.relative_to(ROOT)}:{node.lineno}"
            of_re = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "re"
            if of_re and node.func.attr in METHODS:  # type: ignore[attr-defined]
                yield place, re.compile(ast.literal_eval(node.args[0])), {node.func.attr}  # type: ignore[attr-defined]
            for keyword in node.keywords:
                if keyword.arg == "pattern":
                    yield place, re.compile(ast.literal_eval(keyword.value)), {"search"}


PATTERNS = [*named(), *written()]
BACKTRACKING = (
    (r"(a+)+b", "fullmatch"),
    (r"(a*)*b", "match"),
    (r"(a|a)*b", "match"),
    (r"(?:a|b|ab)*c", "match"),
    (r"a*a*b", "match"),
    (r"a{0,60}a{0,60}b", "match"),
    (r"mailto:([^?#%]+)@([^?#%]+)", "fullmatch"),
    (r"\S*@\S*", "sub"),
    (r"[ \t]+$", "search"),
    (r"<[^>]*>", "findall"),
    (r"a(?:.*c)?", "finditer"),
    (r'"((?:[^"\\]+|\\.)*)"', "match"),
    (r"(?=.*b)a", "search"),
)
LINEAR = (
    (r"[ \t]+", "sub"),
    (r"^a+b", "search"),
    (r"(a|ab)*c", "match"),
    (r"(?:x?)*y", "match"),
    (r'"((?:[^"\\]++|\\.)*+)"', "match"),
    (r"(?:[a-z]\.){1,9}[a-z]{2,14}", "fullmatch"),
    (r"mailto:([^?#%@]+)@([^?#%@]+)", "fullmatch"),
)


@pytest.mark.parametrize(("pattern", "method"), BACKTRACKING)
def test_a_pattern_that_backtracks_is_found_out(pattern: str, method: str) -> None:
    assert superlinear(re.compile(pattern), {method})


@pytest.mark.parametrize(("pattern", "method"), LINEAR)
def test_a_pattern_that_does_not_is_let_be(pattern: str, method: str) -> None:
    assert superlinear(re.compile(pattern), {method}) is None


@pytest.mark.parametrize(("pattern", "methods"), [each[1:] for each in PATTERNS], ids=[each[0] for each in PATTERNS])
def test_no_pattern_backtracks(pattern: re.Pattern[Any], methods: set[str]) -> None:
    assert methods, "it is used nowhere"
    assert superlinear(pattern, methods) is None
