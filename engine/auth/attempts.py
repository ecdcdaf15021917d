"""How often a sign-in may fail, so that passwords cannot be guessed and nobody is locked out by a stranger.

Strangers' tries are counted by the name that they give and by the address that they come from. A browser in which this
name has signed in before is counted separately, and an address from which it has does not wait because of others' tries
for that name (the idea of OWASP's device cookies).
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

import redis

if TYPE_CHECKING:
    from collections.abc import Sequence

FREE = 5  # failures without a wait
FIRST_WAIT = timedelta(seconds=15)  # after the last of them; every further one doubles it
LONGEST_WAIT = timedelta(minutes=15)
FORGOTTEN = timedelta(hours=1)  # without a failure, so that everything counts from the start
KNOWN = timedelta(days=90)  # since the last sign-in, for which a browser and an address are remembered
MOST_OWN = 10_000  # keys that a process counts by itself; the oldest go

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """The answer to a try: for how long it is refused (zero: it is not), and whether it is a key's last free one."""

    wait: timedelta
    last_free: bool = False


@dataclass(frozen=True, slots=True)
class Comer:
    """Somebody who tries to sign in: what counts the tries, and whether this name has signed in from there."""

    name: str
    network: str  # one IPv4 address, or an IPv6 network
    keys: tuple[str, ...]
    known: bool


class Attempts:
    """Counts failed sign-ins by key (a name, an address, a browser), in Redis for all web processes.

    A try counts when it begins, so that many at once do not get around the limit; a successful one is taken back. While
    Redis does not answer, each process counts for itself, and no address is known.
    """

    def __init__(self, client: redis.Redis) -> None:
        self._begin = client.register_script(_BEGIN)
        self._client = client
        self._own: dict[str, tuple[int, float]] = {}  # by key: tries, and the time.monotonic() of the next
        self._lock = threading.Lock()

    def comer(self, name: str, network: str, browser: str | None) -> Comer:
        """Identify who tries. `browser`: which of those in which this name has signed in before; None: another."""
        if browser:
            return Comer(name, network, (f"browser:{browser}",), known=True)
        try:
            known = bool(self._client.exists(_known(name, network)))
        except (redis.RedisError, OSError):
            known = False
        keys = (f"from:{network}",) if known else (f"from:{network}", f"name:{name}")
        return Comer(name, network, keys, known)

    def begin(self, keys: Sequence[str]) -> Attempt:
        """Count a try for all keys, unless one of them has to wait."""
        times = [span // timedelta(milliseconds=1) for span in (FIRST_WAIT, LONGEST_WAIT, FORGOTTEN)]
        try:
            wait, last_free = self._begin([_PREFIX + key for key in keys], [FREE, *times])
        except (redis.RedisError, OSError):
            return self._begin_here(keys)
        return Attempt(timedelta(milliseconds=wait), bool(last_free))

    def succeeded(self, comer: Comer) -> None:
        """Take the try back: forget all tries of the name and of the browser, and this one of the address.

        If all of the address were forgotten, somebody with a password could try other names without end, and sign in
        in between.
        """
        addresses = [key for key in comer.keys if key.startswith("from:")]
        others = [key for key in comer.keys if key not in addresses]
        with self._lock:
            for key in others:
                self._own.pop(key, None)
            for key in addresses:
                self._own[key] = (max(self._own.get(key, (0, 0.0))[0] - 1, 0), time.monotonic())
        try:
            with self._client.pipeline() as pipeline:
                pipeline.set(_known(comer.name, comer.network), 1, ex=KNOWN)
                for key in others:
                    pipeline.delete(f"{_PREFIX}{key}", f"{_PREFIX}{key}:wait")
                for key in addresses:
                    pipeline.delete(f"{_PREFIX}{key}:wait")
                    pipeline.decr(f"{_PREFIX}{key}")
                    pipeline.pexpire(f"{_PREFIX}{key}", FORGOTTEN)
                pipeline.execute()
        except (redis.RedisError, OSError):
            log.debug("Redis does not answer; the tries that it counted stay counted")

    def _begin_here(self, keys: Sequence[str]) -> Attempt:
        """What _BEGIN does, in this process."""
        with self._lock:
            now = time.monotonic()
            old = now - FORGOTTEN.total_seconds()
            kept = [(key, own) for key, own in self._own.items() if own[1] > old]
            self._own = dict(kept[-MOST_OWN:])
            wait = max(self._own.get(key, (0, now))[1] - now for key in keys)
            if wait > 0:
                return Attempt(timedelta(seconds=wait))
            last_free = False
            for key in keys:
                tries = self._own.pop(key, (0, now))[0] + 1
                last_free |= tries == FREE
                pause = min(FIRST_WAIT * 2 ** min(tries - FREE, 10), LONGEST_WAIT) if tries >= FREE else timedelta(0)
                self._own[key] = (tries, now + pause.total_seconds())
            return Attempt(timedelta(0), last_free)


_PREFIX = "varsel:sign-in:"


def _known(name: str, network: str) -> str:
    return f"{_PREFIX}known:{name}:{network}"


# KEYS: counters; beside each lies KEY:wait while it has to wait. ARGV: FREE, then FIRST_WAIT, LONGEST_WAIT and
# FORGOTTEN in milliseconds. Answers for how many milliseconds the try is refused, and whether it is a last free one.
_BEGIN = """
local wait = 0
for _, key in ipairs(KEYS) do wait = math.max(wait, redis.call('PTTL', key .. ':wait')) end
if wait > 0 then return {wait, 0} end
local last_free = 0
for _, key in ipairs(KEYS) do
  local beyond = redis.call('INCR', key) - ARGV[1]
  redis.call('PEXPIRE', key, ARGV[4])
  if beyond == 0 then last_free = 1 end
  if beyond >= 0 then
    redis.call('SET', key .. ':wait', 1, 'PX', math.min(ARGV[2] * 2 ^ math.min(beyond, 10), ARGV[3]))
  end
end
return {0, last_free}
"""
