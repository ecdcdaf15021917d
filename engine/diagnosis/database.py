"""PostgreSQL, the pooler before it, and SQLite, in their own words and those of the driver; and the schema."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.diagnosis.table import RIGHTS, USER_LACKS, WRITTEN, Diagnosis, Fault, find, signs

if TYPE_CHECKING:
    from collections.abc import Sequence

# How somebody is known who does not answer; all else is said by somebody who does.
NO_HOST = r"failed to resolve|could not translate"
NOBODY = r"failed: Connection refused|failed: No such file"
NO_ANSWER = r"timed out|timeout expired|in time$|unreachable|no route|host is down"
BROKEN = r"closed the connection|been closed|connection is (?:closed|lost)|reset by peer|broken pipe|\bEOF\b"

ENCODED = "its server_encoding is "  # what engine/db/postgresql.py says
WRITABLE = (
    "Name the primary server, not a standby, in VARSEL_DATABASE_URL, and switch default_transaction_read_only off; of a"
    " file, let the process's user write it and its folder."
)
ONLY_READS = Diagnosis("the database takes no writes", WRITABLE)
SCHEMA_BEHIND = Diagnosis("the database's schema is not current", "Run `varsel migrate`.")
SCHEMA_TOO_NEW = Diagnosis(
    "the database's schema is of a newer Varsel, with which this one cannot work",
    "Upgrade this one; docs/operating.md, Going back, says how to stay with it.",
)
SCHEMA_AHEAD = Diagnosis(
    "the database's schema is of a newer Varsel, with which this one can work", "Upgrade this one when you can."
)

DATABASE: Sequence[Fault] = (
    # How it is addressed
    Fault(
        signs(
            r"password authentication failed|no password supplied|SASL authentication failed|no such user"
            r'|role "[^"]*+" does not exist'
        ),
        "refuses the user or the password",
        f"Correct USER:PASSWORD in VARSEL_DATABASE_URL; {WRITTEN}.",
    ),
    Fault(
        signs(r"not permitted to log in"),
        "lets nobody in by this user",
        "`ALTER ROLE NAME LOGIN` lets it in; or name another in VARSEL_DATABASE_URL.",
    ),
    Fault(
        signs(r"pg_hba\.conf"),
        "does not let this user in from this machine",
        "Add a line for it to the server's pg_hba.conf; where it says `no encryption`, TLS alone is let in:"
        " put ?sslmode=require behind VARSEL_DATABASE_URL.",
    ),
    Fault(
        signs(r'database "[^"]*+" does not exist'),
        "is not there: the server has none of that name",
        "Make it (`createdb NAME`), or correct the name at the end of VARSEL_DATABASE_URL.",
    ),
    Fault(
        signs(r"no such database|bouncer config error"),
        "is not there: the pooler knows none of that name",
        "Add it to the pooler's databases, or correct the name at the end of VARSEL_DATABASE_URL.",
    ),
    Fault(
        signs(r"hot standby mode|session is (?:not )?read-only"),
        "is another than target_session_attrs in its address demands",
        "Name the primary server in VARSEL_DATABASE_URL, and no target_session_attrs but read-write or primary; of"
        " several hosts, promote one that lives.",
    ),
    Fault(
        signs(
            r'bad value for|invalid (?:[a-z_]{1,40}|"[a-z_]{1,40}"|integer) value|invalid value for parameter'
            r"|(?:unrecognized configuration|unsupported startup) parameter|invalid command-line argument"
            r"|requires|must be disabled|channel binding required|authentication method requirement"
        ),
        "cannot be asked with an option of its address",
        "Correct what stands behind the ? in VARSEL_DATABASE_URL; a pooler takes no `options`.",
    ),
    Fault(
        signs(r"does not support SSL"),
        "offers no TLS, which its address demands",
        "Switch `ssl` on in the server, or take sslmode out of VARSEL_DATABASE_URL where the way to it is safe.",
    ),
    Fault(
        signs(r"response to SSL negotiation|expected authentication request"),
        "is something else that answers there",
        "Correct HOST and PORT in VARSEL_DATABASE_URL.",
    ),
    Fault(
        signs(r"certificate|SSL error"),
        "shows a certificate that cannot be verified, or none",
        "Let sslrootcert in VARSEL_DATABASE_URL name the file of the authority that signed it, and HOST be a name that"
        " is in it.",
    ),
    # The pooler before it
    Fault(
        signs(r"statement pooling mode|PQexec disallowed"),
        "is behind a pooler that takes no transactions as Varsel begins them",
        "Set pool_mode transaction or session there, and leave disable_pqexec off.",
    ),
    Fault(
        signs(r"query_wait_timeout"),
        "is behind a pooler that had no connection free in time",
        "Raise default_pool_size there, or run fewer processes; look at its log for why none is free.",
    ),
    # What it has to say about its state
    Fault(
        signs(ENCODED),
        "keeps text in another encoding than UTF-8",
        "Make one that does (`createdb -T template0 -E UTF8 NAME`), bring over what it has with pg_dump and pg_restore,"
        " and name it in VARSEL_DATABASE_URL.",
    ),
    Fault(
        signs(r"too many clients|too many connections|connection slots|no more connections allowed"),
        "takes no more connections",
        "Raise max_connections, the user's or database's own limit, or a pooler's max_client_conn; or run fewer"
        " processes.",
    ),
    Fault(
        signs(r"^57P0|starting up|shutting down|recovery mode|terminating connection"),
        "is starting or ending",
        "Wait a little; then look at its log.",
    ),
    Fault(
        signs(r"^57014"),
        "gave up a statement that took it too long",
        "Look at its load and its log; take statement_timeout away from its user and database (`\\drds` in psql shows"
        " it), since Varsel brings its own.",
    ),
    Fault(
        signs(r"^25006|read-only transaction|^8 |readonly database"),
        "takes no writes",
        WRITABLE,
    ),
    Fault(
        signs(r"^53100|^13 |No space left|disk is full"),
        "has no room left",
        "Make room on its disk: until then, what is to be written is refused.",
    ),
    Fault(signs(r"QueuePool"), "is too slow", "Look at the database: all connections of this process are at work."),
    # What its user may do
    Fault(
        signs(r"^42501|^3F000|^23 |permission denied"),
        USER_LACKS,
        f"Grant it the rights, or run `varsel migrate` as the owner of the tables: {RIGHTS}.",
    ),
    # Files
    Fault(
        signs(r"was deleted, moved or replaced"),
        "has lost its file",
        "Put it back; or end all processes, and restore a backup.",
    ),
    Fault(
        signs(r"unable to open database file"),
        "is a file that cannot be opened",
        "Let the process's user read and write the file that VARSEL_DATABASE_URL names, and its folder.",
    ),
    Fault(
        signs(r"file is not a database"),
        "is a file of something else",
        "Name another file in VARSEL_DATABASE_URL; `varsel migrate` makes a new one.",
    ),
    Fault(signs(r"malformed"), "is damaged", "Stop all processes, and restore the file from a backup."),
    Fault(
        signs(r"database is locked|was not free in time"),
        "is held by somebody else's transaction",
        "End the program that holds it: `fuser FILE` names it.",
    ),
    # The way to it
    Fault(
        signs(NO_HOST),
        "does not answer: its host has no address",
        "Correct HOST in VARSEL_DATABASE_URL, or the names that this machine knows.",
    ),
    Fault(
        signs(NOBODY),
        "does not answer",
        "Start it, or correct HOST and PORT in VARSEL_DATABASE_URL.",
    ),
    Fault(
        signs(NO_ANSWER),
        "does not answer in time",
        "Look whether it works, and whether a firewall between swallows what is sent to it.",
    ),
    Fault(signs(BROKEN), "does not answer any more", "Look whether it works, and at its log."),
    Fault(
        signs(r"connection is bad: "),
        "cannot be asked by its address",
        "Correct what stands behind the ? in VARSEL_DATABASE_URL.",
    ),
)


def of_database(error: BaseException) -> Diagnosis:
    """What is wrong with the database; `error` is SQLAlchemy's, or the driver's own."""
    driver = getattr(error, "orig", None) or error
    code = getattr(driver, "sqlstate", None) or getattr(driver, "sqlite_errorcode", None)
    number = code & 0xFF if isinstance(code, int) else code  # SQLite's primary result code
    words = _most_telling(driver)
    said = words
    for before in ("FATAL:  ", " failed: ", "connection is bad: "):  # which name the server once more
        said = said.rpartition(before)[2]
    advice = "Look at the database's log; check VARSEL_DATABASE_URL."
    return find(DATABASE, "the database", f"{number or ''} {words}".strip(), advice, said)


def of_schemas(path: str, there: str) -> Diagnosis:
    """Why there is no schema for the user: `path` is where it looks, of which `there` exists."""
    if there:
        return Diagnosis(
            f"the database {USER_LACKS} (it may use no schema)",
            f"Grant it USAGE ON SCHEMA {there}, and the other rights: {RIGHTS}.",
        )
    return Diagnosis(
        f"the database has no schema of those in which its user looks for tables (search_path is {path})",
        "Make one, or correct search_path: in VARSEL_DATABASE_URL, or where it is set for the user or the database"
        " (`\\drds` in psql shows it).",
    )


def is_silent(error: BaseException) -> bool:
    """Whether nobody answered at all, by the words of a driver that has no code for it."""
    return _says_nothing(_first_line(error))


def _says_nothing(words: str) -> bool:
    return any(signs(each).search(words) for each in (NO_HOST, NOBODY, NO_ANSWER, BROKEN))


def locks_not_had(step: str, holder: str) -> Diagnosis:
    """A step of the schema that gave up: others' transactions never let its tables go for a moment."""
    return Diagnosis(
        f"the database's schema waits: step {step} did not get the locks that it needs ({holder})",
        "End that transaction, or wait for its end (a pg_dump?); then run `varsel migrate` again, which goes on there.",
    )


def migration_failed(error: BaseException) -> Diagnosis:
    """A step of the schema that the database refuses, although it works."""
    said = _first_line(getattr(error, "orig", None) or error)
    return Diagnosis(
        f"the database's schema cannot be brought up to date; each step is made wholly or not at all ({said})",
        "It is not what its table alembic_version says: restore a backup, or migrate an empty database.",
    )


def _most_telling(error: BaseException) -> str:
    """What the driver says first; of several hosts, what one says that answered, if one did."""
    first, *others = str(error).strip().split("\n")
    each = [first, *(line for line in others if line.startswith("- host: "))]
    return next((line for line in each if not _says_nothing(line)), first)


def _first_line(error: BaseException) -> str:
    return str(error).strip().partition("\n")[0]
