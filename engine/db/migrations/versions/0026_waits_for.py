"""An e-mail that waits for the pace of a relay or domain says so, and creators take turns among those that do"""

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
COST = "Locks e-mails. At ten million e-mails: 3 s."

TURN = ["priority", "creator", "rank", "seq"]


def upgrade() -> None:
    op.add_column("emails", sa.Column("waits_for", sa.Text()))
    op.drop_index("ix_emails_ready", "emails")
    _index("ix_emails_ready", TURN, "rank IS NOT NULL AND waits_for IS NULL")
    _index("ix_emails_waiting", ["waits_for", *TURN], "rank IS NOT NULL AND waits_for IS NOT NULL")
    op.execute(sa.text("UPDATE compatibility SET oldest = '0026'"))


def _index(name: str, columns: list[str], condition: str) -> None:
    where = sa.text(condition)
    op.create_index(name, "emails", columns, sqlite_where=where, postgresql_where=where)
