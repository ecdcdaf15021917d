"""Modules that only an extra of Varsel's installs."""

from __future__ import annotations

from importlib.util import find_spec

from engine.errors import Misconfigured


def demand(module: str, extra: str, why: str) -> None:
    """Raise Misconfigured, which says what to install, if the module is missing; `why`: what needs it."""
    try:
        found = find_spec(module)
    except ImportError:  # also when its package is missing or incomplete
        found = None
    if found is None:
        raise Misconfigured(f"{why}: pip install 'varsel[{extra}]'")
