"""E-mails keep the recipient's name, and not the texts that it is filled into

Programs before this one would send those texts with the keywords in them.
"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    op.add_column("emails", sa.Column("recipient_name", sa.Text(), nullable=True))
    op.execute(sa.text("UPDATE compatibility SET oldest = '0012'"))
