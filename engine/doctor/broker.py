"""Redis: it may lose wake-ups at any time, but not events that wait for the database."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import redis
from redis.exceptions import NoPermissionError

from engine.diagnosis import RIGHTS, USER_LACKS, of_redis
from engine.doctor.findings import Finding, ok, problem, skewed, unset, warning, wrong
from engine.queue.redis_client import NAMESPACE, PROOF_MS, PROOFS, connect, prove
from engine.queue.redis_server import is_old, is_usable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.doctor.findings import Place

ANSWER_WITHIN = 4.0  # seconds
_OWN, _QUEUE = PROOFS
# Every command that Varsel and Dramatiq use, also in scripts, on keys where it does nothing.
COMMANDS: tuple[tuple[object, ...], ...] = (
    *(("SET", key, 1, "PX", PROOF_MS) for key in PROOFS),
    *((name, _OWN) for name in ("DEL", "EXISTS", "PTTL")),
    *((name, f"{_OWN}:none") for name in ("LLEN", "SMEMBERS")),
    *((name, f"{_OWN}:count") for name in ("INCR", "DECR")),
    ("PEXPIRE", f"{_OWN}:count", PROOF_MS),
    ("LINDEX", f"{_OWN}:none", 0),
    ("LREM", f"{_OWN}:none", 1, ""),
    ("LPOP", f"{_OWN}:none"),
    ("RPUSH", f"{_OWN}:list", ""),
    ("PEXPIRE", f"{_OWN}:list", PROOF_MS),
    ("ZRANGE", f"{_OWN}:none", 0, 0),
    ("ZRANGEBYSCORE", f"{_OWN}:none", 0, 0),
    ("ZREM", f"{_OWN}:none", ""),
    ("ZADD", f"{_OWN}:none", "XX", 0, ""),
    ("HEXISTS", f"{_QUEUE}:none", ""),
    ("HGET", f"{_QUEUE}:none", ""),
    ("HMGET", f"{_QUEUE}:none", ""),
    ("HDEL", f"{_QUEUE}:none", ""),
    ("HSET", f"{_OWN}:hash", "", ""),
    ("PEXPIRE", f"{_OWN}:hash", PROOF_MS),
    ("SREM", f"{_QUEUE}:none", ""),
    ("SADD", f"{_OWN}:set", ""),
    ("PEXPIRE", f"{_OWN}:set", PROOF_MS),
    ("BLMOVE", f"{_QUEUE}:none", f"{_QUEUE}:none", "RIGHT", "RIGHT", 0.01),
    ("KEYS", f"{_QUEUE}:none"),
    ("EVAL", "return 1", 1, NAMESPACE),
    ("EVALSHA", "0" * 40, 0),
    ("SCRIPT LOAD", "return 1"),
    ("TIME",),
    ("INFO", "server"),
    ("CONFIG GET", "appendfsync"),
    ("MULTI",),
    ("EXEC",),
)
LOOKING = {"+time", "+info", "+config|get"}  # what only this check needs
FULL = 0.8  # of maxmemory


def redis_server(place: Place) -> Iterator[Finding]:
    """Whether Redis answers, gives Varsel the rights that it needs, and keeps what it is given."""
    name = "redis"
    if not (place.embedded or place.config.redis_url):
        yield unset(place, "redis_url", "`web`, `worker` and `scheduler` do")
        return
    with connect(place.redis_url, ANSWER_WITHIN) as client:
        try:
            client.ping()
        except NoPermissionError:
            pass  # it answers
        except (redis.RedisError, OSError) as error:
            yield wrong(name, of_redis(error))
            return
        yield from _told(client)
        yield _rights(client)
        try:
            prove(client)
        except NoPermissionError:
            return  # which the check of the rights reports
        except (redis.RedisError, OSError) as error:
            yield wrong(name, of_redis(error))


def _told(client: redis.Redis) -> Iterator[Finding]:
    """What Redis says about itself; the check of the rights reports what its user may not ask."""
    with suppress(NoPermissionError):
        began = time.time()
        seconds, microseconds = client.time()
        yield skewed("redis", seconds + microseconds / 1e6 - (began + time.time()) / 2)
    with suppress(NoPermissionError):
        told: dict[str, Any] = client.info()
        yield _version(told)
        yield _persistence(told, _setting(client, "appendfsync"))
        yield from _memory(told)


def _rights(client: redis.Redis) -> Finding:
    """Which rights of `docs/operating.md`, Rights, its user has: each is tried on keys that nobody uses."""
    lacking = dict.fromkeys(right for command in COMMANDS if (right := _lacking(client, command)))
    if not lacking:
        return ok("redis", "its user may do all that is needed")
    rights = " ".join(lacking)
    if LOOKING.issuperset(lacking):
        text = f"Redis does not let its user do what is needed to look at it: {rights}"
        return warning("redis", text, f"`ACL SETUSER NAME {rights}` grants them; work goes on without them.")
    text = f"Redis {USER_LACKS}, and work stands still: {rights}"
    return problem("redis", text, f"`ACL SETUSER NAME {rights}` grants them; {RIGHTS}.")


def _lacking(client: redis.Redis, command: tuple[object, ...]) -> str | None:
    """The right that this command lacks, as ACL SETUSER takes it; None: the command is allowed."""
    try:
        client.execute_command(*command)
    except NoPermissionError as error:
        if "run the" in str(error):
            return f"+{str(command[0]).lower().replace(' ', '|')}"
        return "~varsel:*" if _OWN in str(command) else "~dramatiq*"
    except redis.RedisError:
        return None  # the command is allowed: the error is about the keys
    return None


def _version(told: dict[str, Any]) -> Finding:
    name, version = "redis", str(told["redis_version"])
    text = f"version {version}" + (f", {told['executable']}" if told.get("executable") else "")
    if not is_usable(version):
        return problem(name, f"{text}: workers need 6.2 or newer", "Install a newer Redis.")
    if is_old(version):
        advice = "Install your system's newer redis-server: `varsel up` starts the newest that it finds."
        return warning(name, f"{text}: newer ones have fixed known faults of it", advice)
    return ok(name, text)


def _persistence(told: dict[str, Any], fsync: str | None) -> Finding:
    name = "redis"
    if not told.get("aof_enabled"):
        text = "appendonly is no: events that came in while the database was down are lost when Redis ends"
        return warning(name, text, "Set appendonly yes.")
    if told.get("aof_last_write_status", "ok") != "ok":
        return problem(name, "its append-only file cannot be written", "Look at its log and its disk.")
    if fsync == "no":
        return warning(
            name, "appendfsync is no: a power failure loses what the system had not written", "Set everysec."
        )
    return ok(name, f"persists what it is given (appendonly yes{f', appendfsync {fsync}' if fsync else ''})")


def _memory(told: dict[str, Any]) -> Iterator[Finding]:
    name, policy = "redis", told.get("maxmemory_policy", "unknown")
    if policy == "noeviction":
        yield ok(name, "evicts nothing (maxmemory-policy noeviction)")
    else:
        text = f"maxmemory-policy is {policy}: when memory is short, it throws away what it was given"
        yield problem(name, text, "Set maxmemory-policy noeviction.")
    used, most = int(told["used_memory"]), int(told.get("maxmemory", 0))
    if most and used > FULL * most:
        advice = "Raise maxmemory; look at `varsel top` for what waits there."
        yield warning(name, f"uses {used / 1e6:,.0f} of {most / 1e6:,.0f} MB", advice)
    else:
        yield ok(name, f"uses {used / 1e6:,.0f} MB{f' of {most / 1e6:,.0f}' if most else ', without a limit'}")


def _setting(client: redis.Redis, name: str) -> str | None:
    """None if the server does not say."""
    try:
        value = client.config_get(name).get(name)
    except redis.RedisError:
        return None
    return None if value is None else str(value)
