"""The client for Redis."""

from __future__ import annotations

import re
from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.connection import SSLConnection, parse_url
from redis.retry import Retry
from redis.sentinel import MasterNotFoundError, Sentinel

from engine.errors import Misconfigured
from engine.runtime.circuit import Circuit, Open
from engine.text import urls

ANSWER_WITHIN = 2.0  # seconds that Redis has to answer: the clock repeats a lost wake-up
NAMESPACE = "dramatiq"  # the prefix of Dramatiq's keys, and a key that its scripts name although it does not exist
PROOFS = ("varsel:proof", f"{NAMESPACE}:proof")  # one beside Varsel's own keys, one beside Dramatiq's
_FAULTS = re.compile(r" - [a-z]+:(\w+)")  # of Sentinels, in redis-py's words
PROOF_MS = 1000  # lifetime of the keys that a proof writes


class _Client(redis.Redis):
    """Raises redis.ConnectionError if Redis does not answer; meanwhile only one caller at a time waits for it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._circuit = Circuit(lambda error: isinstance(error, (redis.ConnectionError, redis.TimeoutError, OSError)))

    def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            with self._circuit.calling():
                return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except Open:
            raise redis.ConnectionError("Redis does not answer") from None
        except MasterNotFoundError as error:  # which describes each Sentinel with all its options
            found, faults = str(error).partition(" : ")[0], sorted(set(_FAULTS.findall(str(error))))
            raise redis.ConnectionError(f"{found} ({', '.join(faults)})" if faults else found) from None
        except redis.TimeoutError as error:  # which Dramatiq does not expect
            raise redis.ConnectionError(str(error)) from None


def connect(url: str, within: float = ANSWER_WITHIN) -> redis.Redis:
    """A client that fails fast and never repeats a write by itself; Misconfigured for unknown options."""
    once = Retry(NoBackoff(), 0)
    options = {"socket_timeout": within, "socket_connect_timeout": within, "retry": once}
    try:
        client = _of_sentinels(url, options) if "+sentinel://" in url else _Client.from_url(url, **options)
        client.connection_pool.make_connection()  # checks the options; it does not connect yet
    except (ValueError, TypeError, redis.RedisError):  # their text may contain a password
        raise Misconfigured(f"the address of Redis, {urls.shown(url)}, cannot be used: check its options") from None
    client.connection_pool.reset()
    return client


def _of_sentinels(url: str, options: dict[str, Any]) -> _Client:
    """A client of the Redis that Sentinels name as their master each time that it connects.

    The address's user and password are the Redis's; `sentinel_username` and `sentinel_password` those of the Sentinels.
    """
    parts = urls.of_sentinels(url)
    given = parse_url(parts.redis) | options
    given["ssl"] = given.pop("connection_class", None) is SSLConnection
    asked = {name: value for name, value in given.items() if name.startswith(("ssl", "socket_", "retry"))}
    asked |= {name: given.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    del given["host"]
    client: _Client = Sentinel(parts.places, sentinel_kwargs=asked).master_for(parts.master, _Client, **given)
    return client


def prove(client: redis.Redis) -> None:
    """Raise redis.RedisError if Redis does not answer or refuses writes: full memory, a replica, missing rights."""
    for key in PROOFS:
        client.set(key, 1, px=PROOF_MS)
    client.exists(NAMESPACE)
