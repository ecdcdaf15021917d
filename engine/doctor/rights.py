"""The rights of PostgreSQL's user: each one in docs/operating.md, Rights, on each table and sequence."""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import text

from engine.db.tables import compatibility, metadata
from engine.diagnosis import RIGHTS, USER_LACKS
from engine.doctor.findings import Finding, problem

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Connection

VERSION = "alembic_version"  # of the schema; Alembic's name
READ = (VERSION, compatibility.name)  # tables that processes only read
FEW = 5  # names that are told one by one
_LACKING = text("""
SELECT privilege, 'TABLE', relname
FROM pg_class, unnest(ARRAY['SELECT','INSERT','UPDATE','DELETE']) AS privilege
WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(:tables) AND relkind IN ('r', 'p')
AND (privilege = 'SELECT' OR relname <> ALL(:read)) AND NOT has_table_privilege(pg_class.oid, privilege)
UNION ALL
SELECT 'USAGE', 'SEQUENCE', its.relname FROM pg_class AS its JOIN pg_depend ON objid = its.oid AND deptype IN ('a', 'i')
JOIN pg_class AS whose ON whose.oid = refobjid
WHERE its.relnamespace = current_schema()::regnamespace AND whose.relname = ANY(:tables)
AND CASE its.relkind WHEN 'S' THEN NOT has_sequence_privilege(its.oid, 'USAGE') END ORDER BY 1, 2, 3
""")

_HIDDEN = text("""
SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relname = ANY(:tables)
AND row_security_active(oid) AND NOT EXISTS (SELECT FROM pg_policy WHERE polrelid = pg_class.oid) ORDER BY 1
""")


class Right(NamedTuple):
    """A privilege on a table or sequence."""

    privilege: str
    kind: str  # TABLE or SEQUENCE
    name: str


def lacking(connection: Connection) -> list[Right]:
    """The rights that the user lacks, ordered by privilege."""
    asked = {"tables": [*metadata.tables, VERSION], "read": [*READ]}
    return [Right(*row) for row in connection.execute(_LACKING, asked)]


def findings(missing: Iterable[Right], schema: str) -> Iterable[Finding]:
    """The same, a finding per privilege, with the statement that grants it; `schema`: where the tables are."""
    for (privilege, kind), rights in groupby(missing, key=lambda right: right[:2]):
        names = [right.name for right in rights]
        few = len(names) <= FEW
        shown = ", ".join(names) if few else f"{len(names)} {kind.lower()}s, {', '.join(names[:FEW])} and others"
        target = f"{kind} {', '.join(names)}" if few else f"ALL {kind}S IN SCHEMA {schema}"
        advice = f"As their owner: GRANT {privilege} ON {target} TO its user; {RIGHTS}."
        yield problem("database", f"the database {USER_LACKS}: {privilege} on {shown}", advice)


def hidden_rows(connection: Connection) -> Iterable[Finding]:
    """Tables whose rows the user does not see, since no policy says which it may see."""
    if names := connection.scalars(_HIDDEN, {"tables": [*metadata.tables]}).all():
        shown = ", ".join(names)
        advice = f"As their owner: ALTER TABLE {names[0]} DISABLE ROW LEVEL SECURITY; likewise for the others, if any."
        yield problem("database", f"row level security without a policy hides all rows from its user: {shown}", advice)


def hide_the_schema(missing: Iterable[Right]) -> bool:
    """Whether the version of the schema cannot be read."""
    return any(right.privilege == "SELECT" and right.name in READ for right in missing)
