"""The way to Redis."""

from __future__ import annotations

from typing import Any

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from engine.errors import Misconfigured
from engine.runtime.circuit import Circuit, Open
from engine.text import urls

ANSWER_WITHIN = 2.0  # seconds that Redis has: a wake-up is not worth more, the clock notifies again
NAMESPACE = "dramatiq"  # a key that Dramatiq's scripts name, though there is none, and what its others begin with
PROOFS = ("varsel:proof", f"{NAMESPACE}:proof")  # Varsel's own keys, and those of the queue
PROOF_MS = 1000  # how long what is written to see whether it can be is kept


class _Client(redis.Redis):
    """A client that raises redis.ConnectionError where there is no answer; to all but one caller at once."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._circuit = Circuit(lambda error: isinstance(error, (redis.ConnectionError, redis.TimeoutError, OSError)))

    def execute_command(self, *args: Any, **options: Any) -> Any:
        try:
            with self._circuit.calling():
                return super().execute_command(*args, **options)  # type: ignore[no-untyped-call]
        except Open:
            raise redis.ConnectionError("Redis does not answer") from None
        except redis.TimeoutError as error:  # which Dramatiq does not expect
            raise redis.ConnectionError(str(error)) from None


def connect(url: str, within: float = ANSWER_WITHIN) -> redis.Redis:
    """A client that fails fast and never repeats a write by itself; Misconfigured for options that there are not."""
    once = Retry(NoBackoff(), 0)
    try:
        client = _Client.from_url(url, socket_timeout=within, socket_connect_timeout=within, retry=once)
        client.connection_pool.make_connection()  # which does not connect yet
    except (ValueError, TypeError, redis.RedisError):  # their words may have a password in them
        raise Misconfigured(f"the address of Redis, {urls.shown(url)}, cannot be used: check its options") from None
    client.connection_pool.reset()
    return client


def prove(client: redis.Redis) -> None:
    """Raise redis.RedisError when it does not answer, or takes nothing: memory full, a replica, without the right."""
    for key in PROOFS:
        client.set(key, 1, px=PROOF_MS)
    client.exists(NAMESPACE)
