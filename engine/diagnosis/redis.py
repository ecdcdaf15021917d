"""Redis, in its own words and those of its client."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.diagnosis.table import RIGHTS, USER_LACKS, WRITTEN, Diagnosis, Fault, find, signs

if TYPE_CHECKING:
    from collections.abc import Sequence

REDIS: Sequence[Fault] = (
    Fault(
        signs(r"No master found.*AuthenticationError"),
        "cannot be found: its Sentinels demand a password, or another one",
        "Put ?sentinel_password=PASSWORD (and &sentinel_username=NAME) behind VARSEL_REDIS_URL.",
    ),
    Fault(
        signs(r"No master found"),
        "does not answer: no Sentinel knows a master of that name that lives",
        "Look whether the Sentinels in VARSEL_REDIS_URL answer, and know that name"
        " (`redis-cli -p 26379 SENTINEL masters` lists those that they know).",
    ),
    Fault(
        signs(r"invalid username-password|WRONGPASS|without any password|user is disabled"),
        "refuses the user or the password",
        f"Correct USER:PASSWORD in VARSEL_REDIS_URL (:PASSWORD for the default user); {WRITTEN}.",
    ),
    Fault(
        signs(r"already authenticated|NOAUTH|Authentication required"),
        "demands a password",
        "Put USER:PASSWORD@ (:PASSWORD@ for the default user) before the host in VARSEL_REDIS_URL.",
    ),
    Fault(
        signs(r"no permissions|NOPERM|can't run this command"),
        USER_LACKS,
        f"Grant it the rights: {RIGHTS}. `varsel doctor` names those that are missing.",
    ),
    Fault(
        signs(r"protocol must be|Invalid SSL"),
        "cannot be asked with an option of its address",
        "Correct what stands behind the ? in VARSEL_REDIS_URL.",
    ),
    Fault(
        signs(r"CERTIFICATE_VERIFY_FAILED"),
        "shows a certificate that cannot be verified",
        "Put ?ssl_ca_certs=FILE, with the authority that signed it, behind VARSEL_REDIS_URL, and let HOST be a name"
        " that is in it.",
    ),
    Fault(
        signs(r"SSL|Timeout connecting"),
        "breaks off the connection, or says nothing: TLS on one side alone looks like this",
        "Use rediss:// in VARSEL_REDIS_URL where Redis has TLS, and redis:// where it has none.",
    ),
    Fault(
        signs(r"Connection reset|closed by server|Broken pipe"),
        "has broken off the connection",
        "Look whether it still runs: it may have ended, or been restarted. If it has never answered, this is TLS on one"
        " side alone: use rediss:// in VARSEL_REDIS_URL where Redis has TLS, and redis:// where it has none.",
    ),
    Fault(
        signs(r"Protocol Error|InvalidResponse"),
        "is something else that answers there",
        "Correct HOST:PORT in VARSEL_REDIS_URL.",
    ),
    Fault(
        signs(r"DB index|SELECT is not allowed"),
        "has no database of that number",
        "Correct the number at the end of VARSEL_REDIS_URL: 0 is always there.",
    ),
    Fault(
        signs(r"read.only replica|READONLY"),
        "takes no writes: it is a replica",
        "Name the primary server in VARSEL_REDIS_URL.",
    ),
    Fault(
        signs(r"used memory|OOM"),
        "takes nothing more: its memory is full",
        "Raise maxmemory; look with `varsel top` at what waits there.",
    ),
    Fault(signs(r"MISCONF"), "takes nothing: it cannot write to its disk", "Look at its log and its disk."),
    Fault(
        signs(r"max number of clients"),
        "takes no more connections",
        "Raise its maxclients, or run fewer processes.",
    ),
    Fault(signs(r"protected mode|DENIED"), "is in protected mode", "Set a password there, and in VARSEL_REDIS_URL."),
    Fault(
        signs(r"MOVED|CLUSTERDOWN|CROSSSLOT"),
        "is a cluster, which Varsel cannot use",
        "Name a single Redis in VARSEL_REDIS_URL.",
    ),
    Fault(signs(r"loading"), "is loading its data", "Wait a little."),
    Fault(
        signs(r"resolve|Name or service|nodename"),
        "does not answer: its host has no address",
        "Correct HOST in VARSEL_REDIS_URL.",
    ),
    Fault(
        signs(r"refused|No such file"),
        "does not answer",
        "Start it, or correct the address in VARSEL_REDIS_URL (or its ssl_ca_certs); without one, `varsel up` of the"
        " same --data brings it.",
    ),
    Fault(
        signs(r"imed? ?out|timeout|unreachable"),
        "does not answer in time",
        "Look whether it works, and whether a firewall between swallows what is sent to it.",
    ),
)


def of_redis(error: BaseException) -> Diagnosis:
    """What is wrong with Redis."""
    return find(REDIS, "Redis", str(error), "Look at its log; check VARSEL_REDIS_URL.")
