"""What the documents say exists, and what exists is in the documents."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.settings import PREFIX, Settings

ROOT = Path(__file__).parents[2]
DECISIONS = ROOT / "docs" / "decisions"
FRONT = ["README.md", "CONTRIBUTING.md", "SECURITY.md", "docs/decisions/README.md"]
OPERATING = (ROOT / "docs" / "operating.md").read_text()


def links(document: Path) -> list[str]:
    """The targets of its links to files of the repository, without what stands behind a `#`."""
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


@pytest.mark.parametrize("name", FRONT)
def test_links_at_the_front_door_lead_to_files(name: str) -> None:
    document = ROOT / name
    assert links(document)
    assert [target for target in links(document) if not (document.parent / target).exists()] == []
