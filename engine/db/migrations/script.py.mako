"""${message}"""

import sqlalchemy as sa
from alembic import op

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
COST = "what it locks, and for how long at ten million e-mails"
# BESIDE = (Index(…),)  # built before `upgrade`, which calls place(BESIDE): see indexes.py


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}
