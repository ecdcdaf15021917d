"""Workers tell whom their mail goes to slowly, and why"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"
COST = "Locks processes for a moment."


def upgrade() -> None:
    op.add_column("processes", sa.Column("slowed", sa.Text(), nullable=True))
