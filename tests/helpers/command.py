"""`varsel …`, run to its end: in this process, which is quick, or as people start it."""

from __future__ import annotations

import os
import subprocess
import sys
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

from typer import testing
from typer.testing import CliRunner

from engine.cli import app, program
from tests.helpers.forks import Fork
from tests.helpers.log import restored
from tests.helpers.ports import free_port
from tests.helpers.waiting import patience

if TYPE_CHECKING:
    from typer.testing import Result


# Made once, not for each command.
testing._get_command = lambda _app: program()  # type: ignore[assignment, attr-defined]  # noqa: SLF001


def varsel(*arguments: object, given: str | None = None, **settings: str) -> Result:
    """Run a command in this process, with only these settings; `given` is its standard input."""
    environment = {name: None for name in os.environ if name.startswith("VARSEL_")} | variables(settings)
    with restored():
        return CliRunner().invoke(app, [*map(str, arguments)], input=given, env=environment, prog_name="varsel")


def process(*arguments: object, given: str = "", **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a command in its own process, with only these settings."""
    with TemporaryFile("w+") as output, TemporaryFile("w+") as errors, TemporaryFile("w+") as typed:
        typed.write(given)
        typed.seek(0)
        code = Fork(arguments, environment(**settings), output, errors, typed).wait(patience())
        output.seek(0)
        errors.seek(0)
        return subprocess.CompletedProcess(list(map(str, arguments)), code, output.read(), errors.read())


def command(*arguments: object) -> list[str]:
    """The command that starts it."""
    return [sys.executable, "-m", "engine", *map(str, arguments)]


def environment(**settings: str) -> dict[str, str]:
    """This process's environment with these settings instead of its own, a free port, and no terminal size."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("VARSEL_")}
    for name in ("COLUMNS", "LINES"):
        kept.pop(name, None)
    return kept | {"PORT": str(free_port())} | variables(settings)


def variables(settings: dict[str, str]) -> dict[str, str]:
    """Settings as environment variables."""
    return {f"VARSEL_{name.upper()}": value for name, value in settings.items()}
