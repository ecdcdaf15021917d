"""The image is made of what there is, names no registry, and starts without a shell."""

from __future__ import annotations

import json
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
FILE = (ROOT / "Containerfile").read_text().replace("\\\n", "")
LET_IN = [line[1:] for line in (ROOT / ".containerignore").read_text().splitlines() if line.startswith("!")]


def instructions(name: str) -> list[str]:
    return re.findall(rf"^{name} (.*)", FILE, re.MULTILINE)


def test_it_copies_what_there_is_and_is_let_in() -> None:
    copied = {word for line in instructions("COPY") if "--from" not in line for word in line.split()[:-1]}
    assert copied == set(LET_IN)
    assert all((ROOT / each).exists() for each in copied)


def test_the_package_has_the_folders_that_are_copied() -> None:
    packages = re.findall(r"^packages = \[(.*)\]", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    assert set(re.findall(r'"(\w+)"', packages[0])) <= set(LET_IN)


def test_docker_ignores_the_same() -> None:
    assert (ROOT / ".dockerignore").resolve() == ROOT / ".containerignore"


def test_the_base_is_named_without_a_registry() -> None:
    [base] = [line for line in instructions("ARG") if line.startswith("BASE")]
    assert re.fullmatch(r"BASE=python:3\.\d+-slim-[a-z]+", base)
    assert "://" not in FILE


def test_nothing_needs_a_shell() -> None:
    words = instructions("(?:RUN|ENTRYPOINT|CMD|HEALTHCHECK .* CMD)") + re.findall(r"CMD (\[.*\])", FILE)
    assert words
    for line in words:
        assert json.loads(line[line.index("[") :]), line


def test_the_image_keeps_the_consoles_languages() -> None:
    kept = set(re.findall(r"'(\w+)'", re.findall(r"not in \((.*?)\)", FILE)[0]))
    assert {folder.name for folder in (ROOT / "templates" / "console" / "locale").iterdir()} <= kept
    assert {"root", "en"} <= kept


def test_it_runs_as_a_user_by_number() -> None:
    assert re.fullmatch(r"(\d+):\1", instructions("USER")[-1])
