"""Events: publishing and pushing them, also with a million stored, or with one subscriber that hangs."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from bench.events import hanging, publish, push, scale
from tests.servers.postgres import Postgres

if TYPE_CHECKING:
    from bench.figures import Figure


def run() -> list[Figure]:
    """Run one question after another, each on both databases."""
    with ExitStack() as parts:
        folder = Path(parts.enter_context(tempfile.TemporaryDirectory(prefix="varsel-bench-")))
        postgres = parts.enter_context(Postgres(hasty=False))
        questions = (publish, push, scale, hanging)
        return [
            figure for each in questions for figure in each.ask(folder / each.__name__.rpartition(".")[2], postgres)
        ]
