"""How a command ends: exit codes, and errors as a line on standard error that says what to do."""

from __future__ import annotations

import sys
from typing import NoReturn

import typer

from engine.cli.text import plain
from engine.errors import BadRequest, Conflict, Invalid, NotFound, Unavailable, VarselError

FAILED = 1  # also: the settings cannot work, a part does not answer, or a process could not start
USAGE = 2  # an option or argument that cannot be
NOT_FOUND = 3
NOT_READY = 4  # `doctor` found a problem, `wait-ready` waited in vain, `alive` found no process
REFUSED = 5  # the state of the thing forbids it
INTERRUPTED = 130  # Ctrl-C; as a shell counts, 128 + SIGINT
ENDED = 143  # SIGTERM, likewise

CODES: dict[type[VarselError], int] = {
    Invalid: USAGE,
    NotFound: NOT_FOUND,
    Conflict: REFUSED,
    BadRequest: REFUSED,
}


def end(error: VarselError, code: int | None = None) -> NoReturn:
    """Say what is wrong, and end with the code, or with the one of the error's kind."""
    lines = [str(error)]
    if isinstance(error, Invalid):
        lines = [f"{place}: {' '.join(texts)}" for place, texts in error.errors.items()]
    elif isinstance(error, Unavailable):
        lines = [str(error.diagnosis) if error.diagnosis else f"{error}; `varsel doctor` says more"]
    typer.echo("\n".join(plain(line) for line in [f"Error: {lines[0]}", *lines[1:]]), err=True)
    kinds = (number for kind, number in CODES.items() if isinstance(error, kind))
    sys.exit(next(kinds, FAILED) if code is None else code)
