"""Everything that the documents name exists, and what exists is in the documents."""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from pathlib import Path

import pytest

from engine.auth.console_mode import Mode
from engine.db.tables import metadata
from engine.dev.welcome import places
from engine.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "decisions"
GLOSSARY = ROOT / "docs" / "glossary.md"
# Words for which the field has better ones, that the glossary lists.
OUTWORN = {"pulse", "bell", "wish", "noun", "worn", "hungry", "stirred", "rung"}
FRONT = [
    "README.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "docs/architecture.md",
    "docs/clients.md",
    "docs/decisions/README.md",
    "docs/glossary.md",
]
OPERATING = (ROOT / "docs" / "operating.md").read_text()


def links(document: Path) -> list[str]:
    """The targets of its links to files of the repository, without fragments."""
    targets = re.findall(r"\]\(([^)#\s]+)", document.read_text())
    return [target for target in targets if "://" not in target]


@pytest.mark.parametrize("name", [f"{PREFIX}{name.upper()}" for name in Settings.model_fields])
def test_every_setting_is_explained(name: str) -> None:
    assert name in OPERATING


def test_every_decision_has_one_line_in_the_list() -> None:
    pages = sorted(page.name for page in DECISIONS.glob("*.md") if page.name != "README.md")
    lines = re.findall(r"^- \[(\d+)\]\((\S+)\): ", (DECISIONS / "README.md").read_text(), re.MULTILINE)
    assert [target for _, target in lines] == pages
    assert [number for number, _ in lines] == [page[:4] for page in pages]


def test_the_readme_lists_the_rooms_of_the_engine() -> None:
    rooms = {folder.parent.name for folder in (ROOT / "engine").glob("*/__init__.py")}
    listed = re.findall(r"^    ([a-z]+)/ ", (ROOT / "README.md").read_text(), re.MULTILINE)
    assert rooms <= set(listed)
    assert len(listed) == len(set(listed))
    assert [name for name in listed if not (ROOT / name).is_dir() and name not in rooms] == []


@pytest.mark.parametrize("name", ["README.md", "docs/quickstart.md"])
def test_pages_of_an_installation_have_the_addresses_that_it_prints(name: str) -> None:
    printed = " ".join(places("http://127.0.0.1:5090", Mode.OPEN, 1025)).split()
    shown = re.findall(r"(?:open |<)(http://127\.0\.0\.1:5090[^\s>]*)", (ROOT / name).read_text())
    assert shown
    assert [address for address in shown if address not in printed] == []


@pytest.mark.parametrize("name", FRONT)
def test_links_at_the_front_door_lead_to_files(name: str) -> None:
    document = ROOT / name
    assert links(document)
    assert [target for target in links(document) if not (document.parent / target).exists()] == []


def entries() -> list[tuple[str, str, str]]:
    """The glossary's words, what it says of each, and where the thing lives."""
    form = r"^- \*\*([^*]+)\*\*: ((?:.+\n  )+?)(`.+|Tables? `.+)$"
    return re.findall(form, GLOSSARY.read_text(), re.MULTILINE)


def test_the_glossary_lists_each_word_once_in_alphabetical_order() -> None:
    words = [word for word, _, _ in entries()]
    assert len(words) == GLOSSARY.read_text().count("\n- ")
    assert [(one, two) for one, two in pairwise(words) if one >= two] == []


def test_the_glossary_says_where_each_thing_lives() -> None:
    places = {place for _, _, where in entries() for place in re.findall("`([^`]+)`", where)}
    files = {place for place in places if "/" in place}
    assert [file for file in sorted(files) if not (ROOT / file).is_file()] == []
    assert places - files - metadata.tables.keys() == set()


def test_the_architecture_names_files_that_exist_and_every_room() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    places = {place for place in re.findall("`([^`\\s]+)`", text) if "/" in place and not place.startswith("/")}
    assert len(places) > 40
    assert [place for place in sorted(places) if not (ROOT / place).exists()] == []
    rooms = {folder.parent.name for folder in (ROOT / "engine").glob("*/__init__.py")}
    assert [
        room for room in sorted(rooms) if not re.search(rf"\b{room}\b", text.split("## The path of an order")[0])
    ] == []


def listed(package: Path) -> list[str]:
    """The files that a package's docstring lists, one a line."""
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    return re.findall(r"^([a-z_]+)(?:\.py +|  +)\S", text, re.MULTILINE)


PACKAGES = {
    file.parent.relative_to(ROOT).as_posix()
    for room in ("engine", "api")
    for file in ROOT.glob(f"{room}/**/__init__.py")
}
LISTING = sorted(package for package in PACKAGES if listed(ROOT / package))


@pytest.mark.parametrize("package", LISTING)
def test_a_package_that_lists_its_files_lists_each_once(package: str) -> None:
    files = [file.stem for file in (ROOT / package).glob("*.py") if file.name != "__init__.py"]
    assert sorted(listed(ROOT / package)) == sorted(files)


def parts(node: ast.AST) -> set[str]:
    """The words in the identifiers of a statement or an expression."""
    values = (getattr(node, field, None) for field in ("id", "attr", "arg", "name", "asname"))
    return {part for value in values if isinstance(value, str) for part in re.findall("[a-z]+", value.lower())}


def test_no_identifier_has_a_word_that_the_glossary_has_replaced() -> None:
    files = [
        path
        for room in ("engine", "api", "scheduler", "tests", "bench", "clients")
        for path in (ROOT / room).rglob("*.py")
    ]
    found = {
        (path.relative_to(ROOT).as_posix(), word)
        for path in files
        for node in ast.walk(ast.parse(path.read_text()))
        for word in parts(node) & OUTWORN
    }
    assert found == set()
