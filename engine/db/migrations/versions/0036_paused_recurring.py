"""Why a recurring order is paused"""

import sqlalchemy as sa
from alembic import op

revision = "0036"
down_revision = "0035"
COST = "Locks recurring orders for a moment."


def upgrade() -> None:
    op.add_column("recurring_orders", sa.Column("paused_reason", sa.Text()))
