"""No pattern of the project takes more than linear time, whatever the text."""

from __future__ import annotations

import ast
import importlib
import re
from collections import defaultdict
from functools import cache
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


def compiled(value: Any) -> Iterator[re.Pattern[Any]]:
    """The patterns of a value, also those in containers."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        yield from compiled(tuple(value.values()))
    elif isinstance(value, list | tuple | set | frozenset):
        for item in value:
            yield from compiled(item)


@cache
def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text())


@cache
def uses(file: Path) -> dict[str, set[str]]:
    """The methods with which a module uses each name; if it passes the name on, those of unknown patterns."""
    nodes = list(ast.walk(tree(file)))
    called = [node.func for node in nodes if isinstance(node, ast.Call)]
    unknown = {call.attr for call in called if isinstance(call, ast.Attribute) and is_local(call.value)}
    used = [(n.value, n.attr) for n in nodes if isinstance(n, ast.Attribute) and isinstance(n.value, ast.Name)]
    direct = {id(name) for name, _ in used}
    found = defaultdict[str, set[str]](set)
    for name, method in used:
        found[name.id].add(method)
    for node in nodes:
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Load) and id(node) not in direct:
            found[node.id] |= unknown
    return {each: methods & METHODS for each, methods in found.items()}


def is_local(node: ast.expr) -> bool:
    """Whether it is an item, or a name neither global nor imported: a value that was passed on has such a name."""
    if isinstance(node, ast.Subscript):
        return True
    return isinstance(node, ast.Name) and node.id.islower() and not node.id.startswith("_") and node.id != "re"


def imports_re(node: ast.AST) -> bool:
    return (isinstance(node, ast.Import) and any(name.name == "re" for name in node.names)) or (
        isinstance(node, ast.ImportFrom) and node.module == "re"
    )


def named() -> Iterator[tuple[str, re.Pattern[Any], set[str]]]:
    """Every compiled pattern, and the methods with which any module uses it."""
    for file in (file for file in FILES if any(map(imports_re, ast.walk(tree(file))))):
        module = ".".join(file.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        for name, value in vars(importlib.import_module(module)).items():
            inside = tuple(vars(value).values()) if isinstance(value, type) and value.__module__ == module else ()
            for pattern in (*compiled(value), *compiled(inside)):
                files = [file] if name.startswith("_") else FILES
                yield f"{module}.{name}", pattern, set().union(*(uses(each).get(name, ()) for each in files))


def written() -> Iterator[tuple[str, re.Pattern[Any], set[str]]]:
    """Every pattern that is written where it is used: `re.sub(…)`, and pydantic's `pattern=`."""
    for file in FILES:
        for node in ast.walk(tree(file)):
            if not isinstance(node, ast.Call):
                continue
            place = f"{file.relative_to(ROOT)}:{node.lineno}"
            of_re = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "re"
            if of_re and node.func.attr in METHODS:  # type: ignore[attr-defined]
                yield place, re.compile(ast.literal_eval(node.args[0])), {node.func.attr}  # type: ignore[attr-defined]
            for keyword in node.keywords:
                if keyword.arg == "pattern":
                    yield place, re.compile(ast.literal_eval(keyword.value)), {"search"}


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


def test_no_pattern_backtracks() -> None:
    patterns = [*named(), *written()]
    assert [place for place, _, methods in patterns if not methods] == [], "it is used nowhere"
    assert {place: why for place, pattern, methods in patterns if (why := superlinear(pattern, methods))} == {}
    assert len(patterns) > 50
