"""Releases to be installed side by side, each in an environment of its own; nothing is downloaded."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Release:
    """An installed release; `name` is what people call it."""

    name: str
    varsel: Path


def installed(name: str, source: Path, folder: Path) -> Release:
    """Build the wheel of these sources, and install it with this environment's dependencies."""
    python, wheels = sys.executable, folder / "wheels"
    run(python, "-m", "hatchling", "build", "--target", "wheel", "--directory", wheels, cwd=source)
    [wheel] = wheels.iterdir()
    environment = folder / "environment"
    run(python, "-m", "venv", "--without-pip", environment)
    run(python, "-m", "pip", "--python", environment, "install", "--no-deps", "--no-index", "--quiet", wheel)
    [packages] = environment.glob("lib/python*/site-packages")
    (packages / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n")
    return Release(name, environment / "bin" / "varsel")


def of_commit(commit: str, folder: Path) -> Release:
    """The release of a tag or commit of this repository."""
    source = folder / "source"
    source.mkdir(parents=True)
    run("git", "archive", "--output", folder / "source.tar", commit, cwd=ROOT)
    run("tar", "--extract", "--file", folder / "source.tar", "--directory", source)
    return installed(commit, source, folder)


def run(*command: object, cwd: Path | None = None) -> str:
    """The output of a program; its errors end the trial."""
    done = subprocess.run([*map(str, command)], cwd=cwd, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    return done.stdout
