"""A job is done to what was there when somebody said yes to it, and says why it was given up"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    op.add_column("jobs", sa.Column("newest", sa.BigInteger(), nullable=True))
    op.add_column("jobs", sa.Column("reason", sa.Text(), nullable=True))
