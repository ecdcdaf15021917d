"""Each section of a contract that the code cites stands in docs/contracts."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = {"": "notifications.md", "events ": "events.md"}  # by the word before "contract"
_NUMBER = r"\d+(?:\.\d+)?"
_HEADING = re.compile(rf"^##+ ({_NUMBER})\.? ", re.MULTILINE)
_CITATION = re.compile(rf"(events )?contract ({_NUMBER}(?:(?:, | and | to ){_NUMBER})*)")
_RANGE = re.compile(r"(\d+)\.(\d+) to \1\.(\d+)")
_LINE_END = re.compile(r"\s*\n[\s#]*")  # a citation may go on in the next line of a comment


def cited(text: str) -> set[tuple[str, str]]:
    """The contract (as in PAGES) and the number of each section that a text cites; of a range, every one."""
    found = set()
    for contract, numbers in _CITATION.findall(_LINE_END.sub(" ", text)):
        found |= {(contract, number) for number in re.findall(_NUMBER, numbers)}
        for chapter, first, last in _RANGE.findall(numbers):
            found |= {(contract, f"{chapter}.{section}") for section in range(int(first), int(last) + 1)}
    return found


STANDING = {
    (contract, number)
    for contract, page in PAGES.items()
    for number in _HEADING.findall((ROOT / "docs" / "contracts" / page).read_text())
}
CITED = {
    str(file.relative_to(ROOT)): sections
    for folder in ("api", "engine", "scheduler", "tests")
    for file in sorted((ROOT / folder).rglob("*.py"))
    if (sections := cited(file.read_text()))
}


@pytest.mark.parametrize("file", CITED)
def test_the_sections_that_a_file_cites_stand_in_the_contracts(file: str) -> None:
    assert CITED[file] - STANDING == set()


def test_citations_are_found_in_lists_in_ranges_and_over_line_ends() -> None:
    found = cited("(contract 2 and 3.2; RFC 9110), see events\n    # contract 3.4 to 3.6, 5.1, step 8")
    assert found == {("", "2"), ("", "3.2")} | {("events ", number) for number in ("3.4", "3.5", "3.6", "5.1")}
