"""Paused domains are kept with A-labels, in which addresses are compared with them"""

import idna
import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"

PAUSES = sa.table("pauses", sa.column("kind"), sa.column("value"))


def upgrade() -> None:
    if op.get_context().as_sql:
        return  # it needs the rows
    connection = op.get_bind()
    of_domains = sa.select(PAUSES.c.value).where(PAUSES.c.kind == "domain")
    found = set(connection.scalars(of_domains))
    for value in sorted(found):
        try:
            wire = value if value.isascii() else ".".join(idna.alabel(part).decode() for part in value.split("."))
        except idna.IDNAError:  # no address has such a domain
            continue
        same = (PAUSES.c.kind == "domain", PAUSES.c.value == value)
        if wire != value and wire in found:
            connection.execute(PAUSES.delete().where(*same))
        elif wire != value:
            connection.execute(PAUSES.update().where(*same).values(value=wire))
