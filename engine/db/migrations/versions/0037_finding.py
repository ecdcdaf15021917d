"""Operators find e-mails by the relay's queue id

Attempts of older versions have no queue id, nor do those of programs before this one, which can work on the database.
"""

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
COST = "Locks attempts of e-mails for a moment."


def upgrade() -> None:
    op.add_column("email_attempts", sa.Column("queue_id", sa.Text()))
