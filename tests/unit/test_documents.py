"""What the documents say exists, and what exists is in the documents."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.settings import PREFIX, Settings

OPERATING = (Path(__file__).parents[2] / "docs" / "operating.md").read_text()


@pytest.mark.parametrize("name", [f"{PREFIX}{name.upper()}" for name in Settings.model_fields])
def test_every_setting_is_explained(name: str) -> None:
    assert name in OPERATING
