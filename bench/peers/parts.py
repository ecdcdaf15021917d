"""The peers' own packages, exactly those of their locks, in a folder that Git ignores."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from bench.figures import say
from bench.processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Sequence

HERE = Path(__file__).parent
CACHE = ROOT / ".bench"
WITHIN = 300.0  # seconds for one command


class Missing(Exception):
    """A peer's packages cannot be had; the message says why."""


def node_modules() -> Path:
    """The folder of the packages of package-lock.json."""
    place, locks = CACHE / "node", [HERE / "package.json", HERE / "package-lock.json"]
    if not shutil.which("node") or not shutil.which("npm"):
        raise Missing("there is no Node.js with npm")
    if not _is_ready(place, locks):
        for lock in locks:
            shutil.copy(lock, place)
        _run(["npm", "ci", "--engine-strict", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix", str(place)])
        _make_ready(place, locks)
    return place / "node_modules"


def python() -> Path:
    """The interpreter of an environment with the packages of requirements.lock."""
    place, locks = CACHE / "python", [HERE / "requirements.lock"]
    interpreter = place / "bin" / "python"
    if not _is_ready(place, locks):
        _run([sys.executable, "-m", "venv", str(place)])
        _run([str(interpreter), "-m", "pip", "install", "--quiet", "--require-hashes", "-r", str(locks[0])])
        _make_ready(place, locks)
    return interpreter


def _is_ready(place: Path, locks: Sequence[Path]) -> bool:
    """Whether the packages of these locks are there; if not, an empty folder is."""
    stamp = place / ".ready"
    if stamp.exists() and stamp.read_text() == _digest(locks):
        return True
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir(parents=True)
    say(f"installing what bench/peers/{locks[-1].name} names")
    return False


def _make_ready(place: Path, locks: Sequence[Path]) -> None:
    (place / ".ready").write_text(_digest(locks))


def _digest(locks: Sequence[Path]) -> str:
    return hashlib.sha256(b"".join(lock.read_bytes() for lock in locks)).hexdigest()


def _run(command: Sequence[str]) -> None:
    try:
        done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=WITHIN)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise Missing(str(error)) from error
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if "error" in line.lower()]
        raise Missing(f"{Path(command[0]).name} failed: {'; '.join(errors[:2])}")
