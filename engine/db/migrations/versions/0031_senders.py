"""Sender identities of creators, and the names and Reply-To addresses of orders

Programs before this one would send such an order without them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0031"
down_revision = "0030"
COST = "Makes a table; locks orders for a moment."


def upgrade() -> None:
    op.create_table(
        "senders",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("creator", sa.String(100), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("compared", sa.Text(), nullable=False),
        sa.Column("name", sa.Text()),
        sa.Column("reply_to", sa.Text()),
        sa.Column("is_default", sa.Boolean(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_senders"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_senders_creator", "senders", ["creator", "compared"], unique=True)
    op.add_column("orders", sa.Column("sender_name", sa.Text()))
    op.add_column("orders", sa.Column("reply_to", sa.Text()))
    op.execute(sa.text("UPDATE compatibility SET oldest = '0031'"))
