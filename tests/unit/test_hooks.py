"""The hooks before a commit run what `make lint` runs, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]


def test_the_hooks_run_what_make_lint_runs() -> None:
    [recipe] = re.findall(r"^lint:.*\n((?:\t.*\n)+)", (ROOT / "Makefile").read_text(), re.MULTILINE)
    [local] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == [
        line.strip().removeprefix("@").replace("$(BIN)", ".venv/bin") for line in recipe.splitlines()
    ]
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in local["hooks"])
