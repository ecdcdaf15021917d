"""What is installed only with an extra of Varsel's."""

from __future__ import annotations

from importlib.util import find_spec

from engine.errors import Misconfigured


def demand(module: str, extra: str, why: str) -> None:
    """Raise Misconfigured, which says what to install, where the module is missing; `why`: who needs it."""
    try:
        found = find_spec(module)
    except ImportError:  # nor is there the package that it would be in, or not whole
        found = None
    if found is None:
        raise Misconfigured(f"{why}: pip install 'varsel[{extra}]'")
