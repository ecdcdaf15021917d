"""Orders say when they may be sent: until when, in which window; and they can be withdrawn while workers have them

Programs before this one would send what is late, or outside of its window.
"""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"

WITHDRAWN = "withdrawn_at IS NOT NULL"


def upgrade() -> None:
    for name in ("expires_at", "withdrawn_at", "withdrawn_until"):
        op.add_column("orders", sa.Column(name, sa.BigInteger()))
    op.add_column("orders", sa.Column("sending_window", sa.Text()))
    where = sa.text(WITHDRAWN)
    op.create_index("ix_orders_withdrawn", "orders", ["withdrawn_at"], sqlite_where=where, postgresql_where=where)
    op.add_column("emails", sa.Column("time_zone", sa.Text()))
    op.execute(sa.text("UPDATE compatibility SET oldest = '0029'"))
