"""Orders of the second generation: chains of them, and their feed; what a condition's endpoint said"""

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0021"
COST = "Locks orders, e-mails and events. At ten million e-mails and events: 8 s."

IN_A_CHAIN = "chain_id IS NOT NULL"
WITH_A_DIALOG = "dialog_id IS NOT NULL"
ENDED = "type = 'no.varsel.order.completed' OR type = 'no.varsel.order.sendconditionnotmet'"


def upgrade() -> None:
    op.add_column("orders", sa.Column("kind", sa.String(12), nullable=False, server_default="Notification"))
    op.add_column("orders", sa.Column("chain_id", sa.Uuid()))
    op.add_column("orders", sa.Column("channel", sa.String(20)))
    op.add_column("orders", sa.Column("sms", sa.Text()))
    op.add_column("orders", sa.Column("condition_answer", sa.Text()))
    _index("ix_orders_chain", "orders", ["chain_id", "seq"], IN_A_CHAIN)
    op.create_table(
        "chains",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("creator", sa.String(100), nullable=False),
        sa.Column("kind", sa.String(12), nullable=False),
        sa.Column("idempotency_id", sa.String(500), nullable=False),
        sa.Column("fingerprint", sa.String(64), nullable=False),
        sa.Column("shipments", sa.Text(), nullable=False),
        sa.Column("dialog_id", sa.String(500)),
        sa.Column("transmission_id", sa.String(500)),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_chains"),
    )
    op.create_index("uq_chains_idempotency_id", "chains", ["creator", "kind", "idempotency_id"], unique=True)
    _index("ix_chains_dialog", "chains", ["creator", "dialog_id"], WITH_A_DIALOG)
    for name, column in (("person", "national_identity_number"), ("organization", "organization_number")):
        _index(f"ix_emails_{name}", "emails", [sa.text("(seq / 131072)"), column], f"{column} IS NOT NULL")
    _index("ix_events_feed", "events", ["resource", "seq"], ENDED)


def _index(name: str, table: str, columns: list[str | sa.TextClause], condition: str) -> None:
    op.create_index(name, table, columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))
