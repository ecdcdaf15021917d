"""Attachments of orders, which may have to be fetched first

Programs before this one would send such an order without them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
COST = "Locks orders. At a million orders: 2 s."

NOT_FETCHING = "fetches IS NULL"
CONDITIONAL = f"due_at IS NOT NULL AND condition_endpoint IS NOT NULL AND {NOT_FETCHING}"
UNREADY = f"rank IS NULL AND due_at IS NOT NULL AND condition_endpoint IS NULL AND {NOT_FETCHING}"


def upgrade() -> None:
    op.add_column("orders", sa.Column("attachments", sa.SmallInteger(), nullable=False, server_default="0"))
    op.add_column("orders", sa.Column("fetches", sa.SmallInteger()))
    for name in ("ix_orders_conditional", "ix_orders_unready"):
        op.drop_index(name, "orders")
    _index("ix_orders_conditional", ["due_at", "seq"], CONDITIONAL)
    _index("ix_orders_fetching", ["due_at", "seq"], "due_at IS NOT NULL AND fetches IS NOT NULL")
    _index("ix_orders_unready", ["priority", "due_at", "seq"], UNREADY)
    op.create_table(
        "attachments",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("order_seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("position", sa.SmallInteger(), nullable=False),
        sa.Column("filename", sa.Text(), nullable=False),
        sa.Column("mime_type", sa.Text(), nullable=False),
        sa.Column("content_id", sa.Text()),
        sa.Column("address", sa.Text()),
        sa.Column("size", sa.Integer()),
        sa.Column("answer", sa.Text()),
        sa.Column("content", sa.LargeBinary()),
        sa.PrimaryKeyConstraint("seq", name="pk_attachments"),
        sa.ForeignKeyConstraint(["order_seq"], ["orders.seq"], name="fk_attachments_order_seq", ondelete="CASCADE"),
    )
    op.create_index("ix_attachments_order_seq", "attachments", ["order_seq"])
    op.execute(sa.text("UPDATE compatibility SET oldest = '0025'"))


def _index(name: str, columns: list[str], condition: str) -> None:
    op.create_index(name, "orders", columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))
