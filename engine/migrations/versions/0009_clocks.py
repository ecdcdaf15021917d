"""How far each process's clock is from the database's"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0006"


def upgrade() -> None:
    op.add_column("processes", sa.Column("skew_ms", sa.BigInteger(), nullable=True))
