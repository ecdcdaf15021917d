"""Schemas of older Varsels: the steps up to one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from alembic import command

from engine.db.migrations import alembic_config

if TYPE_CHECKING:
    from sqlalchemy import Connection


def migrate(connection: Connection, step: str) -> None:
    """Bring the schema to a step; `head`: the newest."""
    steps = alembic_config()
    steps.attributes["connection"] = connection
    command.upgrade(steps, step)
