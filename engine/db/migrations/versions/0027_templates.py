"""Stored templates: an order names the version that its e-mails are made of, and each e-mail has its values

Programs before this one would send such an order without a text.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
COST = "Locks orders and e-mails. At a million orders: 1 s."

IS_SET = "template_id IS NOT NULL"


def upgrade() -> None:
    op.create_table(
        "templates",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("creator", sa.String(100)),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("version", sa.Integer()),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("removed", sa.BigInteger()),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_templates"),
        sa.UniqueConstraint("creator", "name", "version", name="uq_templates_creator_name_version"),
    )
    op.add_column("orders", sa.Column("template_id", sa.Uuid()))
    where = sa.text(IS_SET)
    op.create_index("ix_orders_template", "orders", ["template_id", "seq"], sqlite_where=where, postgresql_where=where)
    op.add_column("emails", sa.Column("given", sa.Text()))
    op.execute(sa.text("UPDATE compatibility SET oldest = '0027'"))
