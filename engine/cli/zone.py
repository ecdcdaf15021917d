"""The zone of the times that commands print and read: this machine's, or with --utc UTC."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from datetime import tzinfo

OPTION = "--utc"


def zone() -> tzinfo | None:
    """None: this machine's, with its changes of the clock."""
    context = click.get_current_context(silent=True)
    return UTC if context and context.find_root().params.get("utc") else None
