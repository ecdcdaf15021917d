"""What is wrong with a part, and what to do about it: the one place for these words, whoever says them.

A process that starts, a command that fails, a line in the log and `varsel doctor` say the same of the same fault. What
tells faults apart are the parts' own words, of which the first line stands in brackets behind ours.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

WRITTEN = "in a user or password, write @ as %40, : as %3A, / as %2F, ? as %3F and # as %23"
WRITABLE = (
    "Name the primary server, not a standby, in VARSEL_DATABASE_URL, and switch default_transaction_read_only off; of a"
    " file, let the process's user write it and its folder."
)
USER_LACKS = "does not let its user do what is needed"
RIGHTS = "docs/operating.md, Rights, has the statements"


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What is wrong, and a sentence that says what to do."""

    text: str
    advice: str

    def __str__(self) -> str:
        """Both, in one line."""
        return f"{self.text}. {self.advice}"


class _Fault(NamedTuple):
    """Of the faults of a part, the first counts whose pattern is in its words."""

    pattern: re.Pattern[str]
    text: str
    advice: str


def _signs(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


ONLY_READS = Diagnosis("the database takes no writes", WRITABLE)
SCHEMA_BEHIND = Diagnosis("the database's schema is not current", "Run `varsel migrate`.")
SCHEMA_TOO_NEW = Diagnosis(
    "the database's schema is of a newer Varsel, with which this one cannot work",
    "Upgrade this one; docs/operating.md, Going back, says how to stay with it.",
)
SCHEMA_AHEAD = Diagnosis(
    "the database's schema is of a newer Varsel, with which this one can work", "Upgrade this one when you can."
)
NO_SCHEMA = Diagnosis(
    f"the database {USER_LACKS} (it may use no schema)",
    f"Grant it USAGE, and the other rights: {RIGHTS}.",
)

DATABASE: Sequence[_Fault] = (
    # How it is addressed
    _Fault(
        _signs(
            r"password authentication failed|no password supplied|not permitted to log in"
            r'|role "[^"]*+" does not exist'
        ),
        "refuses the user or the password",
        f"Correct USER:PASSWORD in VARSEL_DATABASE_URL; {WRITTEN}.",
    ),
    _Fault(
        _signs(r"pg_hba\.conf"),
        "does not let this user in from this machine",
        "Add a line for it to the server's pg_hba.conf; where it says `no encryption`, TLS alone is let in:"
        " put ?sslmode=require behind VARSEL_DATABASE_URL.",
    ),
    _Fault(
        _signs(r'database "[^"]*+" does not exist'),
        "is not there: the server has none of that name",
        "Make it (`createdb NAME`), or correct the name at the end of VARSEL_DATABASE_URL.",
    ),
    _Fault(
        _signs(r"invalid [a-z_]{1,40} value|invalid integer value|requires|must be disabled"),
        "cannot be asked with an option of its address",
        "Correct what stands behind the ? in VARSEL_DATABASE_URL.",
    ),
    _Fault(
        _signs(r"does not support SSL"),
        "offers no TLS, which its address demands",
        "Switch `ssl` on in the server, or take sslmode out of VARSEL_DATABASE_URL where the way to it is safe.",
    ),
    _Fault(
        _signs(r"certificate|SSL error"),
        "shows a certificate that cannot be verified, or none",
        "Let sslrootcert in VARSEL_DATABASE_URL name the file of the authority that signed it, and HOST be a name that"
        " is in it.",
    ),
    # What it has to say about its state
    _Fault(
        _signs(r"too many clients|too many connections|connection slots"),
        "takes no more connections",
        "Raise max_connections, or the user's or database's own limit; or run fewer processes.",
    ),
    _Fault(
        _signs(r"starting up|shutting down|recovery mode"),
        "is starting or ending",
        "Wait a little; then look at its log.",
    ),
    _Fault(
        _signs(r"^25006|read-only transaction|^8 |readonly database"),
        "takes no writes",
        WRITABLE,
    ),
    _Fault(
        _signs(r"^53100|^13 |No space left|disk is full"),
        "has no room left",
        "Make room on its disk: until then, what is to be written is refused.",
    ),
    # What its user may do
    _Fault(
        _signs(r"^42501|^3F000|^23 |permission denied"),
        USER_LACKS,
        f"Grant it the rights, or run `varsel migrate` as the owner of the tables: {RIGHTS}.",
    ),
    # Files
    _Fault(
        _signs(r"was deleted, moved or replaced"),
        "has lost its file",
        "Put it back; or end all processes, and restore a backup.",
    ),
    _Fault(
        _signs(r"unable to open database file"),
        "is a file that cannot be opened",
        "Let the process's user read and write the file that VARSEL_DATABASE_URL names, and its folder.",
    ),
    _Fault(
        _signs(r"file is not a database"),
        "is a file of something else",
        "Name another file in VARSEL_DATABASE_URL; `varsel migrate` makes a new one.",
    ),
    _Fault(_signs(r"malformed"), "is damaged", "Stop all processes, and restore the file from a backup."),
    _Fault(
        _signs(r"database is locked|was not free in time"),
        "is held by somebody else's transaction",
        "End the program that holds it: `fuser FILE` names it.",
    ),
    # The way to it
    _Fault(
        _signs(r"failed to resolve|could not translate"),
        "does not answer: its host has no address",
        "Correct HOST in VARSEL_DATABASE_URL, or the names that this machine knows.",
    ),
    _Fault(
        _signs(r"refused|No such file"),
        "does not answer",
        "Start it, or correct HOST and PORT in VARSEL_DATABASE_URL.",
    ),
    _Fault(
        _signs(r"imed? ?out|timeout|in time|unreachable|no route"),
        "does not answer in time",
        "Look whether it works, and whether a firewall between swallows what is sent to it.",
    ),
    _Fault(_signs(r"QueuePool"), "is too slow", "Look at the database: all connections of this process are at work."),
)
REDIS: Sequence[_Fault] = (
    _Fault(
        _signs(r"invalid username-password|WRONGPASS|without any password|user is disabled"),
        "refuses the user or the password",
        f"Correct USER:PASSWORD in VARSEL_REDIS_URL (:PASSWORD for the default user); {WRITTEN}.",
    ),
    _Fault(
        _signs(r"already authenticated|NOAUTH|Authentication required"),
        "demands a password",
        "Put USER:PASSWORD@ (:PASSWORD@ for the default user) before the host in VARSEL_REDIS_URL.",
    ),
    _Fault(
        _signs(r"no permissions|NOPERM|can't run this command"),
        USER_LACKS,
        f"Grant it the rights: {RIGHTS}. `varsel doctor` names those that are missing.",
    ),
    _Fault(
        _signs(r"protocol must be|Invalid SSL"),
        "cannot be asked with an option of its address",
        "Correct what stands behind the ? in VARSEL_REDIS_URL.",
    ),
    _Fault(
        _signs(r"CERTIFICATE_VERIFY_FAILED"),
        "shows a certificate that cannot be verified",
        "Put ?ssl_ca_certs=FILE, with the authority that signed it, behind VARSEL_REDIS_URL, and let HOST be a name"
        " that is in it.",
    ),
    _Fault(
        _signs(r"SSL|Connection reset|closed by server|Timeout connecting"),
        "breaks off the connection, or says nothing: TLS on one side alone looks like this",
        "Use rediss:// in VARSEL_REDIS_URL where Redis has TLS, and redis:// where it has none.",
    ),
    _Fault(
        _signs(r"Protocol Error|InvalidResponse"),
        "is something else that answers there",
        "Correct HOST:PORT in VARSEL_REDIS_URL.",
    ),
    _Fault(
        _signs(r"DB index|SELECT is not allowed"),
        "has no database of that number",
        "Correct the number at the end of VARSEL_REDIS_URL: 0 is always there.",
    ),
    _Fault(
        _signs(r"read.only replica|READONLY"),
        "takes no writes: it is a replica",
        "Name the primary server in VARSEL_REDIS_URL.",
    ),
    _Fault(
        _signs(r"used memory|OOM"),
        "takes nothing more: its memory is full",
        "Raise maxmemory; look with `varsel top` at what waits there.",
    ),
    _Fault(_signs(r"MISCONF"), "takes nothing: it cannot write to its disk", "Look at its log and its disk."),
    _Fault(
        _signs(r"max number of clients"),
        "takes no more connections",
        "Raise its maxclients, or run fewer processes.",
    ),
    _Fault(_signs(r"protected mode|DENIED"), "is in protected mode", "Set a password there, and in VARSEL_REDIS_URL."),
    _Fault(
        _signs(r"MOVED|CLUSTERDOWN|CROSSSLOT"),
        "is a cluster, which Varsel cannot use",
        "Name a single Redis in VARSEL_REDIS_URL.",
    ),
    _Fault(_signs(r"loading"), "is loading its data", "Wait a little."),
    _Fault(
        _signs(r"resolve|Name or service|nodename"),
        "does not answer: its host has no address",
        "Correct HOST in VARSEL_REDIS_URL.",
    ),
    _Fault(
        _signs(r"refused|No such file"),
        "does not answer",
        "Start it, or correct the address in VARSEL_REDIS_URL (or its ssl_ca_certs); without one, `varsel up` of the"
        " same --data brings it.",
    ),
    _Fault(
        _signs(r"imed? ?out|timeout|unreachable"),
        "does not answer in time",
        "Look whether it works, and whether a firewall between swallows what is sent to it.",
    ),
)
RELAY: Sequence[_Fault] = (
    _Fault(
        _signs(r"certificate"),
        "shows a certificate that cannot be verified",
        "Check the name in VARSEL_SMTP_URL; VARSEL_SMTP_CA_FILE trusts a certificate of your own.",
    ),
    _Fault(
        _signs(r"WRONG_VERSION_NUMBER|wrong version number|record layer failure"),
        "speaks no TLS where its address demands it",
        "Use smtp+starttls:// in VARSEL_SMTP_URL (often port 587); smtps:// is for port 465.",
    ),
    _Fault(
        _signs(r"AUTH extension is not supported|No suitable authentication|^504"),
        "offers no sign-in that Varsel knows",
        "Take USER:PASSWORD out of VARSEL_SMTP_URL, or use smtp+starttls://: many relays offer it behind TLS alone.",
    ),
    _Fault(
        _signs(r"STARTTLS extension not supported|^502|^454"),
        "offers no STARTTLS",
        "Switch it on there, or use smtps:// (port 465) in VARSEL_SMTP_URL, or smtp:// where the way to it is safe.",
    ),
    _Fault(
        _signs(r"^5\d\d .*(?:auth|sign.?in|log.?in|credential)|^530"),
        "demands to be signed in to",
        "Put USER:PASSWORD@ before the host in VARSEL_SMTP_URL, with smtp+starttls:// or smtps://.",
    ),
    _Fault(
        _signs(r"^53[2-58]"),
        "refuses the user or the password",
        f"Correct USER:PASSWORD in VARSEL_SMTP_URL; {WRITTEN}.",
    ),
    _Fault(
        _signs(r"resolve|Name or service|nodename|getaddrinfo"), "has no address", "Correct HOST in VARSEL_SMTP_URL."
    ),
    _Fault(
        _signs(r"refused|Connect call failed|Errno 111"),
        "does not answer",
        "Start it, or correct HOST:PORT in VARSEL_SMTP_URL.",
    ),
    _Fault(
        _signs(r"^no reply in time|imed? ?out"),
        "does not answer in time",
        "Correct HOST:PORT in VARSEL_SMTP_URL (a relay with smtps:// says nothing to smtp://); look for a firewall:"
        " many networks let nobody out at port 25.",
    ),
    _Fault(
        _signs(r"^\d{3} "),
        "refuses this machine",
        "Let it in there: this machine's address, or a user in VARSEL_SMTP_URL.",
    ),
)
SENDER: Sequence[_Fault] = (
    *(each for each in RELAY if each.text == "demands to be signed in to"),
    _Fault(
        _signs(r""),
        "takes no mail from VARSEL_FROM_ADDRESS",
        "Set it to an address that the relay lets through, or let that one through there.",
    ),
)


def of_database(error: BaseException) -> Diagnosis:
    """What is wrong with the database; `error` is SQLAlchemy's, or the driver's own."""
    driver = getattr(error, "orig", None) or error
    code = getattr(driver, "sqlstate", None) or getattr(driver, "sqlite_errorcode", None)
    number = code & 0xFF if isinstance(code, int) else code  # SQLite's primary result code
    advice = "Look at the database's log; check VARSEL_DATABASE_URL."
    words = str(driver).strip().partition("\n")[0]
    said = words
    for before in ("FATAL:  ", " failed: ", "connection is bad: "):  # which name the server once more
        said = said.rpartition(before)[2]
    return _find(DATABASE, "the database", f"{number or ''} {words}".strip(), ("does not answer", advice), said)


def of_redis(error: BaseException) -> Diagnosis:
    """What is wrong with Redis."""
    return _find(REDIS, "Redis", str(error), ("cannot be used", "Look at its log; check VARSEL_REDIS_URL."))


def of_relay(code: int | None, text: str, name: str) -> Diagnosis:
    """Why there is no session with the relay of this name; `code` None: it said nothing that can be understood."""
    otherwise = ("breaks the connection off", "Check VARSEL_SMTP_URL, and whether the relay lets this machine in.")
    return _find(RELAY, f"the relay {name}", f"{code} {text}" if code else text, otherwise)


def of_sender(code: int | None, text: str, name: str) -> Diagnosis:
    """Why the relay does not take the sender's address, in a session that it let us have."""
    return _find(SENDER, f"the relay {name}", f"{code} {text}" if code else text, ("", ""))


def migration_failed(error: BaseException) -> Diagnosis:
    """A step of the schema that the database refuses, although it works."""
    said = str(getattr(error, "orig", None) or error).strip().partition("\n")[0]
    return Diagnosis(
        f"the database's schema cannot be brought up to date, and stays as it was ({said})",
        "It is not what its table alembic_version says: restore a backup, or migrate an empty database.",
    )


def _find(faults: Sequence[_Fault], part: str, words: str, otherwise: tuple[str, str], said: str = "") -> Diagnosis:
    """What is wrong with a part that says these words, of which `said` is shown (else their first line)."""
    said = (said or words).strip().partition("\n")[0].rstrip(". ")
    found, advice = next(((text, hint) for pattern, text, hint in faults if pattern.search(words)), otherwise)
    return Diagnosis(f"{part} {found}" + (f" ({said})" if said else ""), advice)
