"""API keys beside tokens"""

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
COST = "Makes a table: locks nothing."


def upgrade() -> None:
    op.create_table(
        "api_keys",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer, "sqlite"), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("kind", sa.String(10), nullable=False),
        sa.Column("creator", sa.String(100), nullable=False),
        sa.Column("name", sa.String(100), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False),
        sa.Column("guests", sa.Text(), nullable=False),
        sa.Column("created", sa.BigInteger(), nullable=False),
        sa.Column("who", sa.String(200), nullable=False),
        sa.Column("expires", sa.BigInteger()),
        sa.Column("last_used", sa.BigInteger()),
        sa.Column("revoked", sa.BigInteger()),
        sa.PrimaryKeyConstraint("seq", name="pk_api_keys"),
        sqlite_autoincrement=True,
    )
    op.create_index("uq_api_keys_hash", "api_keys", ["hash"], unique=True)
