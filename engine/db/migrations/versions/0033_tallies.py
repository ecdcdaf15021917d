"""What has become of the e-mails of large orders, counted as it happens; which rows jobs have changed

Orders that are there already are not counted.
"""

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
COST = "Makes a table; locks what jobs have to do for a moment."


def upgrade() -> None:
    op.create_table(
        "tallies",
        sa.Column("order_seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("slot", sa.SmallInteger(), nullable=False),
        sa.Column("state", sa.String(40), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("minute", sa.BigInteger(), nullable=False),
        sa.Column("lately", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("before", sa.Integer(), nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("order_seq", "slot", "state", name="pk_tallies"),
        sa.ForeignKeyConstraint(["order_seq"], ["orders.seq"], ondelete="CASCADE", name="fk_tallies_order_seq"),
    )
    op.add_column("job_rows", sa.Column("row_seq", sa.BigInteger()))
    which = sa.text("row_seq IS NOT NULL")
    op.create_index("ix_job_rows_row", "job_rows", ["job_seq", "row_seq"], postgresql_where=which, sqlite_where=which)
    op.execute(sa.text("UPDATE compatibility SET oldest = '0033'"))
