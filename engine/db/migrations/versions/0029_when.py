"""Orders say when they may be sent: until when, in which window; and they can be withdrawn while workers have them

Programs before this one would send what is late, or outside of its window.
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
COST = "Locks orders and e-mails. At a million orders: 1 s."

WITHDRAWN = "withdrawn_at IS NOT NULL"


def upgrade() -> None:
    for name in ("expires_at", "withdrawn_at", "withdrawn_until"):
        op.add_column("orders", sa.Column(name, sa.BigInteger()))
    op.add_column("orders", sa.Column("sending_window", sa.Text()))
    where = sa.text(WITHDRAWN)
    op.create_index("ix_orders_withdrawn", "orders", ["withdrawn_at"], sqlite_where=where, postgresql_where=where)
    op.add_column("emails", sa.Column("time_zone", sa.Text()))
    op.create_table(
        "recurring_orders",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("creator", sa.String(100), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("cron", sa.String(200), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("missed", sa.String(10), nullable=False),
        sa.Column("until", sa.BigInteger()),
        sa.Column("runs_left", sa.Integer()),
        sa.Column("made", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("next_at", sa.BigInteger()),
        sa.Column("last_at", sa.BigInteger()),
        sa.Column("last_order", sa.Uuid()),
        sa.Column("last_fault", sa.Text()),
        sa.Column("order_row", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_recurring_orders"),
    )
    op.create_index("uq_recurring_orders_name", "recurring_orders", ["creator", "name"], unique=True)
    name, where = "ix_recurring_orders_next", sa.text("next_at IS NOT NULL")
    op.create_index(name, "recurring_orders", ["next_at"], sqlite_where=where, postgresql_where=where)
    op.execute(sa.text("UPDATE compatibility SET oldest = '0029'"))
