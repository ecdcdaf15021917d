"""No file of the code is longer than one reads in one go."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ("api", "engine", "scheduler", "bench", "deploy")
MIGRATIONS = ROOT / "engine" / "db" / "migrations"  # each is what it was when it was released
LONGEST = 300  # lines


def long_files() -> set[str]:
    """Files with more lines, as paths from the root."""
    files = {path for folder in CODE for path in (ROOT / folder).rglob("*.py") if not path.is_relative_to(MIGRATIONS)}
    assert len(files) > 200
    return {str(path.relative_to(ROOT)) for path in files if len(path.read_text().splitlines()) > LONGEST}


def test_no_file_has_more_lines_than_one_reads_at_a_sitting() -> None:
    assert long_files() == set(), "split it by what belongs together"
