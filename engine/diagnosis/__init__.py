"""What is wrong with a part, and what to do about it: the one place for these words, whoever says them.

A process that starts, a command that fails, a line in the log and `varsel doctor` say the same of the same fault. What
tells faults apart are the parts' own words, of which the first line stands in brackets behind ours.

table.py      a diagnosis, and how it is found
database.py   PostgreSQL, the pooler before it, SQLite, the schema
redis.py      Redis
relay.py      the SMTP relay, and whether it takes the sender
"""

from engine.diagnosis.database import (
    ONLY_READS,
    SCHEMA_AHEAD,
    SCHEMA_BEHIND,
    SCHEMA_TOO_NEW,
    is_silent,
    locks_not_had,
    migration_failed,
    of_database,
    of_schemas,
)
from engine.diagnosis.redis import of_redis
from engine.diagnosis.relay import of_relay, of_sender
from engine.diagnosis.table import RIGHTS, USER_LACKS, Diagnosis

__all__ = [
    "ONLY_READS",
    "RIGHTS",
    "SCHEMA_AHEAD",
    "SCHEMA_BEHIND",
    "SCHEMA_TOO_NEW",
    "USER_LACKS",
    "Diagnosis",
    "is_silent",
    "locks_not_had",
    "migration_failed",
    "of_database",
    "of_redis",
    "of_relay",
    "of_schemas",
    "of_sender",
]
