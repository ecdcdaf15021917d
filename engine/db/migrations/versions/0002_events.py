"""Events, subscriptions, webhooks, audit"""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    op.create_table(
        "audit_log",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(length=200), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_audit_log")),
    )
    op.create_index(op.f("ix_audit_log_at"), "audit_log", ["at"], unique=False)
    op.create_table(
        "events",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("alternative_subject", sa.Text(), nullable=True),
        sa.Column("time", sa.BigInteger(), nullable=True),
        sa.Column("registered", sa.BigInteger(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_events")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_events_alternative_subject",
        "events",
        ["alternative_subject", "seq"],
        unique=False,
        sqlite_where=sa.text("alternative_subject IS NOT NULL"),
        postgresql_where=sa.text("alternative_subject IS NOT NULL"),
    )
    op.create_index("ix_events_registered", "events", ["registered"], unique=False)
    op.create_index("ix_events_resource", "events", ["resource", "seq", "time"], unique=False)
    op.create_index(
        "ix_events_subject",
        "events",
        ["subject", "seq"],
        unique=False,
        sqlite_where=sa.text("subject IS NOT NULL"),
        postgresql_where=sa.text("subject IS NOT NULL"),
    )
    op.create_index("uq_events_id_source", "events", ["id", "source"], unique=True)
    op.create_table(
        "subscriptions",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("consumer", sa.String(length=200), nullable=False),
        sa.Column("creator", sa.String(length=100), nullable=True),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("fingerprint", sa.String(length=64), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("template", sa.String(length=64), nullable=True),
        sa.Column("resource_filter", sa.Text(), nullable=False),
        sa.Column("source_filter", sa.Text(), nullable=True),
        sa.Column("source_prefix", sa.Text(), nullable=True),
        sa.Column("subject_filter", sa.Text(), nullable=True),
        sa.Column("alternative_subject_filter", sa.Text(), nullable=True),
        sa.Column("type_filter", sa.Text(), nullable=True),
        sa.Column("source_start", sa.Text(), nullable=True),
        sa.Column("ordered", sa.Boolean(), nullable=False),
        sa.Column("validated", sa.Boolean(), nullable=False),
        sa.Column("paused", sa.Text(), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("open_until", sa.BigInteger(), nullable=True),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("old_salt", sa.String(length=64), nullable=True),
        sa.Column("old_salt_until", sa.BigInteger(), nullable=True),
        sa.Column("state", sa.String(length=40), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("claim", sa.Integer(), nullable=False),
        sa.Column("unresolved", sa.SmallInteger(), nullable=False),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_subscriptions")),
        sqlite_autoincrement=True,
    )
    op.create_index("ix_subscriptions_consumer", "subscriptions", ["consumer"], unique=False)
    op.create_index(
        "ix_subscriptions_due",
        "subscriptions",
        ["due_at", "seq"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index("uq_subscriptions_fingerprint", "subscriptions", ["fingerprint"], unique=True)
    op.create_table(
        "subscription_filters",
        sa.Column("resource", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subscription_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.ForeignKeyConstraint(
            ["subscription_seq"],
            ["subscriptions.seq"],
            name=op.f("fk_subscription_filters_subscription_seq"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "resource", "subject", "type", "subscription_seq", name=op.f("pk_subscription_filters")
        ),
    )
    op.create_index(
        op.f("ix_subscription_filters_subscription_seq"), "subscription_filters", ["subscription_seq"], unique=False
    )
    op.create_table(
        "webhooks",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("subscription_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("due_at", sa.BigInteger(), nullable=True),
        sa.Column("attempts", sa.SmallInteger(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("last_update", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["event_seq"], ["events.seq"], name=op.f("fk_webhooks_event_seq"), ondelete="CASCADE"),
        sa.ForeignKeyConstraint(
            ["subscription_seq"], ["subscriptions.seq"], name=op.f("fk_webhooks_subscription_seq"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_webhooks")),
        sqlite_autoincrement=True,
    )
    op.create_index(
        "ix_webhooks_due",
        "webhooks",
        ["subscription_seq", "due_at", "seq"],
        unique=False,
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(op.f("ix_webhooks_event_seq"), "webhooks", ["event_seq"], unique=False)
    op.create_index("ix_webhooks_subscription", "webhooks", ["subscription_seq", "seq"], unique=False)
    op.create_table(
        "webhook_attempts",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("webhook_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=12), nullable=False),
        sa.Column("status", sa.SmallInteger(), nullable=True),
        sa.Column("reply", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["webhook_seq"], ["webhooks.seq"], name=op.f("fk_webhook_attempts_webhook_seq"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_webhook_attempts")),
    )
    op.create_index(op.f("ix_webhook_attempts_webhook_seq"), "webhook_attempts", ["webhook_seq"], unique=False)
