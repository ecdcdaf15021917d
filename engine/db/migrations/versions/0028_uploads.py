"""Recipients that come after their order, and are made into e-mails portion by portion

Programs before this one would take such an order for one without recipients.
"""

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
COST = "Locks orders. At a million orders: 2 s."

WHOLE = "portion IS NULL"
CONDITIONAL = f"due_at IS NOT NULL AND condition_endpoint IS NOT NULL AND fetches IS NULL AND {WHOLE}"
UNREADY = f"rank IS NULL AND due_at IS NOT NULL AND condition_endpoint IS NULL AND fetches IS NULL AND {WHOLE}"
SEQUENCE = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.add_column("orders", sa.Column("streamed", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("orders", sa.Column("portion", sa.Integer()))
    for name in ("ix_orders_conditional", "ix_orders_unready"):
        op.drop_index(name, "orders")
    _index("ix_orders_conditional", ["due_at", "seq"], CONDITIONAL)
    _index("ix_orders_portioned", ["due_at", "seq"], "due_at IS NOT NULL AND portion IS NOT NULL")
    _index("ix_orders_unready", ["priority", "due_at", "seq"], UNREADY)
    counts = ("lines", "checksum", "bytes", "valid", "invalid", "duplicate", "portions")
    kinds = {"checksum": sa.BigInteger(), "bytes": sa.BigInteger()}
    op.create_table(
        "uploads",
        sa.Column("order_seq", SEQUENCE, nullable=False, autoincrement=False),
        sa.Column("duplicates_kept", sa.Boolean(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        *(sa.Column(name, kinds.get(name, sa.Integer()), nullable=False, server_default="0") for name in counts),
        sa.Column("report", sa.Text(), nullable=False, server_default="[]"),
        sa.Column("last_update", sa.BigInteger(), nullable=False),
        sa.Column("closed", sa.BigInteger()),
        sa.PrimaryKeyConstraint("order_seq", name="pk_uploads"),
        sa.ForeignKeyConstraint(["order_seq"], ["orders.seq"], name="fk_uploads_order_seq", ondelete="CASCADE"),
    )
    op.create_table(
        "portions",
        sa.Column("order_seq", SEQUENCE, nullable=False, autoincrement=False),
        sa.Column("number", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("first", sa.Integer(), nullable=False),
        sa.Column("recipients", sa.Text(), nullable=False),
        sa.Column("digests", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("order_seq", "number", name="pk_portions"),
        sa.ForeignKeyConstraint(["order_seq"], ["orders.seq"], name="fk_portions_order_seq", ondelete="CASCADE"),
    )
    op.execute(sa.text("UPDATE compatibility SET oldest = '0028'"))


def _index(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "orders", columns, sqlite_where=where, postgresql_where=where)
