"""Fan-outs that wait, in steps; subscriptions whose deliveries are being removed"""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

SEQUENCE = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "fan_outs",
        sa.Column("seq", SEQUENCE, nullable=False),
        sa.Column("owner", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("unresolved", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("reached", SEQUENCE, nullable=False),
        sa.PrimaryKeyConstraint("seq", name="pk_fan_outs"),
    )
    op.create_index("uq_fan_outs_owner", "fan_outs", ["owner"], unique=True)
    due = sa.text("due_at IS NOT NULL")
    op.create_index("ix_fan_outs_due", "fan_outs", ["due_at", "seq"], sqlite_where=due, postgresql_where=due)
    op.create_table(
        "waiting_events",
        sa.Column("event_seq", SEQUENCE, autoincrement=False, nullable=False),
        sa.Column("fan_out_seq", SEQUENCE, nullable=False),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("newest", SEQUENCE, nullable=False),
        sa.ForeignKeyConstraint(["event_seq"], ["events.seq"], name="fk_waiting_events_event_seq", ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["fan_out_seq"], ["fan_outs.seq"], name="fk_waiting_events_fan_out_seq", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("event_seq", name="pk_waiting_events"),
    )
    op.create_index("ix_waiting_events_resource", "waiting_events", ["resource"])
    op.create_index("ix_waiting_events_fan_out", "waiting_events", ["fan_out_seq", "event_seq"])
