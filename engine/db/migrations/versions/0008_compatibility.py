"""Which programs can work on this schema"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    table = op.create_table("compatibility", sa.Column("oldest", sa.Text(), nullable=False))
    op.bulk_insert(table, [{"oldest": "0004"}])
