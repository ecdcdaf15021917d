"""Attempts that failed alike have an index: what has become of their e-mails since is looked up by it"""

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"

FAILED = "failure IS NOT NULL"


def upgrade() -> None:
    where = sa.text(FAILED)
    columns = ["failure", "at", "email_seq", "outcome"]
    op.create_index("ix_email_attempts_failure", "email_attempts", columns, sqlite_where=where, postgresql_where=where)
