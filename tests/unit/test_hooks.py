"""The hooks before a commit run what `make lint` runs, and nothing else."""

from __future__ import annotations

import re
from pathlib import Path

import yaml  # type: ignore[import-untyped]

ROOT = Path(__file__).parents[2]


def test_the_hooks_run_what_make_lint_runs() -> None:
    makefile = (ROOT / "Makefile").read_text()
    [targets] = re.findall(r"^lint: (.*?) ##", makefile, re.MULTILINE)
    recipes = [re.findall(rf"^{target}:.*\n((?:\t.*\n)+)", makefile, re.MULTILINE)[0] for target in targets.split()]
    [local] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == [
        line.strip().removeprefix("@").replace("$(BIN)", ".venv/bin")
        for recipe in recipes
        for line in recipe.splitlines()
    ]
    assert all(hook["language"] == "system" and not hook["pass_filenames"] for hook in local["hooks"])
