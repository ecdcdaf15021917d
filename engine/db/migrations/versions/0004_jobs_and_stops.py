"""To which rows a job was done; which subscriptions are stopped"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "job_rows",
        sa.Column("seq", SEQUENCE, nullable=False),
        sa.Column("job_seq", SEQUENCE, nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["job_seq"], ["jobs.seq"], name="fk_job_rows_job_seq", ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("seq", name="pk_job_rows"),
    )
    op.create_index("ix_job_rows_job_seq", "job_rows", ["job_seq"])
    op.create_index("ix_job_rows_target", "job_rows", ["target"])
    stopped = sa.text("paused IS NOT NULL OR open_until IS NOT NULL")
    op.create_index(
        "ix_subscriptions_stopped", "subscriptions", ["seq"], sqlite_where=stopped, postgresql_where=stopped
    )
