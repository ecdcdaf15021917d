"""A SQLite database with the newest schema and nothing in it, made once in each process of the tests."""

from __future__ import annotations

import functools
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

from engine.db.store import Store


def copy_to(path: Path) -> None:
    """Put a copy of it there."""
    shutil.copy(Path(_made().name) / "varsel.db", path)


@functools.cache
def _made() -> TemporaryDirectory[str]:
    from engine.db.migrations import upgrade  # noqa: PLC0415 only tests of the store need it

    folder = TemporaryDirectory(prefix="varsel-migrated-")  # removed when the process ends
    store = Store(f"sqlite:///{folder.name}/varsel.db")
    upgrade(store)
    store.close()
    return folder
