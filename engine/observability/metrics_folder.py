"""Checks the folder in which the processes of one machine share their metrics, before it is used."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from engine.errors import Misconfigured

if TYPE_CHECKING:
    from pathlib import Path

VARIABLE = "PROMETHEUS_MULTIPROC_DIR"  # by which prometheus_client knows the folder, when it is imported


def check(folder: Path) -> None:
    """Raise Misconfigured if this user can neither write to the folder nor create it."""
    whole = folder.absolute()
    there = next(each for each in (whole, *whole.parents) if os.path.exists(each))  # noqa: PTH110 Path's may raise
    if not there.is_dir() or not os.access(there, os.W_OK | os.X_OK):
        raise Misconfigured(f"VARSEL_METRICS_DIR: {folder} is not a folder that can be written or created")
