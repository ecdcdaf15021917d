"""Redis: wake-ups may be lost there at any time, events that wait for the database may not."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import redis

from engine.doctor.findings import Finding, ok, problem, skewed, warning
from engine.redis_client import connect, prove
from engine.redis_server import is_old, is_usable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.doctor.findings import Place

ANSWER_WITHIN = 4.0  # seconds
FULL = 0.8  # of maxmemory


def redis_server(place: Place) -> Iterator[Finding]:
    """Whether Redis answers, and would keep what it is given."""
    name = "redis"
    with connect(place.redis_url, ANSWER_WITHIN) as client:
        try:
            began = time.time()
            seconds, microseconds = client.time()
            middle = (began + time.time()) / 2
            told: dict[str, Any] = client.info()
            prove(client)
        except (redis.RedisError, OSError) as error:
            if place.config.redis_url:
                advice = "Does it run, and can it be written? Check VARSEL_REDIS_URL."
            else:
                advice = "Start `varsel up` with the same --data, or set VARSEL_REDIS_URL."
            yield problem(name, str(error), advice)
            return
        yield _version(told)
        yield skewed(name, seconds + microseconds / 1e6 - middle)
        yield _persistence(told, _setting(client, "appendfsync"))
        yield from _memory(told)


def _version(told: dict[str, Any]) -> Finding:
    name, version = "redis", str(told["redis_version"])
    text = f"version {version}" + (f", {told['executable']}" if told.get("executable") else "")
    if not is_usable(version):
        return problem(name, f"{text}: workers need 6.2 or newer", "Install a newer Redis.")
    if is_old(version):
        advice = "Install your system's newer redis-server: `varsel up` starts the newest that it finds."
        return warning(name, f"{text}: known faults of it are mended in newer ones", advice)
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
    """None where the server does not tell."""
    try:
        value = client.config_get(name).get(name)
    except redis.RedisError:
        return None
    return None if value is None else str(value)
