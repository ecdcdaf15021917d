"""The keys of bearer tokens: key sets in files and at https addresses, followed while they change."""

from __future__ import annotations

import logging
import ssl
import time
from datetime import timedelta
from pathlib import Path
from threading import Thread
from urllib.parse import urlsplit

import httpx

from engine.errors import Misconfigured, Unavailable
from engine.tokens.keys import MAX_FILE, Key, KeyFile, read_jwks

FILE_CHECK = timedelta(seconds=2)  # how long a replaced file may go unnoticed
MAX_AGE = timedelta(minutes=10)  # of a fetched key set: how long a withdrawn key may still be good
RETRY = timedelta(seconds=5)  # after a fetch that failed
SEARCH_PAUSE = timedelta(minutes=1)  # between fetches for unknown kids: anybody can make up a kid
FETCH_TIME = timedelta(seconds=10)  # for one key set, all in all
MAX_TRIES = 8  # keys tried for a token without a kid: each costs about 100 µs

log = logging.getLogger(__name__)


class KeyAddress:
    """A key set at an https address. Certificates are the system's; SSL_CERT_FILE names others."""

    def __init__(self, url: str) -> None:
        self.keys: tuple[Key, ...] = ()  # empty: it never answered
        self._url = url
        self._place = f"key set at {urlsplit(url).hostname}"

    def fetch(self) -> None:
        """Replace the keys; Misconfigured, and the keys stay, when the answer cannot be had or used."""
        deadline = time.monotonic() + FETCH_TIME.total_seconds()
        headers = {"accept": "application/json", "accept-encoding": "identity"}  # identity: no compressed bombs
        content = b""
        try:
            with (
                httpx.Client(verify=ssl.create_default_context(), timeout=FETCH_TIME.total_seconds() / 2) as client,
                client.stream("GET", self._url, headers=headers) as response,
            ):
                if response.status_code != httpx.codes.OK:
                    msg = f"{self._place}: answers {response.status_code}, and redirects are not followed"
                    raise Misconfigured(msg)
                for part in response.iter_raw():
                    content += part
                    if len(content) > MAX_FILE or time.monotonic() > deadline:
                        msg = f"{self._place}: takes more than {MAX_FILE} bytes or {FETCH_TIME.total_seconds():.0f} s"
                        raise Misconfigured(msg)
        except httpx.HTTPError as error:
            msg = f"{self._place}: {type(error).__name__}: {error}"
            raise Misconfigured(msg) from None
        except httpx.InvalidURL:  # whose words may have what is secret of it
            msg = f"{self._place}: its address cannot be used"
            raise Misconfigured(msg) from None
        self.keys = read_jwks(content, self._place)


class BearerKeys:
    """Known keys by kid, for one thread; fetching happens in a thread of its own, and is never waited for.

    Misconfigured when a file cannot be used at the start; what breaks later is logged, and the keys stay.
    """

    def __init__(self, sources: tuple[str, ...]) -> None:
        self._addresses = [KeyAddress(source) for source in sources if source.startswith("https://")]
        self._files = [KeyFile(Path(source), read_jwks) for source in sources if not source.startswith("https://")]
        for file in self._files:
            file.changed()
        self._keys: dict[str | None, tuple[Key, ...]] = {}
        self._fetcher: Thread | None = None
        self._fetched = False  # set by the fetching thread: there are keys to take over
        self._next_look = self._next_fetch = self._next_search = 0.0  # by time.monotonic(), in seconds
        self._collect()
        self._follow()

    def current(self) -> dict[str | None, tuple[Key, ...]]:
        """All keys under None, and those with a kid under that too; another dict after each change."""
        if self._fetched or time.monotonic() >= self._next_look:
            self._follow()
        return self._keys

    def matching(self, kid: str | None, algorithm: str) -> tuple[Key, ...]:
        """Keys that may have signed a token: none, one, or a few to try.

        Unavailable when there is none, but a key set is still being asked: a new key is not a wrong one.
        """
        if kid not in self.current():
            self._search()
        found = tuple(key for key in self._keys.get(kid, ()) if algorithm in key.algorithms)[:MAX_TRIES]
        if not found and self._pending():
            part = "the key set"
            raise Unavailable(part)
        return found

    def _follow(self) -> None:
        now = time.monotonic()
        self._next_look = now + FILE_CHECK.total_seconds()
        changed = self._fetched
        if changed:  # reset only what was seen: the fetching thread may set it at any time
            self._fetched = False
        for file in self._files:
            try:
                changed |= file.changed()
            except Misconfigured as error:
                log.warning("keys of bearer tokens stay as they were: %s", error)
        if changed:
            self._collect()
        if now >= self._next_fetch:
            self._fetch()

    def _search(self) -> None:
        if time.monotonic() >= self._next_search:
            self._next_search = time.monotonic() + SEARCH_PAUSE.total_seconds()
            self._next_fetch = 0.0
        self._follow()

    def _pending(self) -> bool:
        fetching = self._fetcher is not None and self._fetcher.is_alive()
        return fetching or self._fetched or not all(address.keys for address in self._addresses)

    def _collect(self) -> None:
        every = [key for file in self._files for key in file.keys]
        every += [key for address in self._addresses for key in address.keys]
        kids = {key.kid for key in every}
        self._keys = {kid: tuple(key for key in every if key.kid == kid) for kid in kids} | {None: tuple(every)}

    def _fetch(self) -> None:
        if self._addresses and not (self._fetcher and self._fetcher.is_alive()):
            self._next_fetch = time.monotonic() + MAX_AGE.total_seconds()
            self._fetcher = Thread(target=self._fetch_all, name="key-sets", daemon=True)
            self._fetcher.start()

    def _fetch_all(self) -> None:
        for address in self._addresses:
            try:
                address.fetch()
            except Misconfigured as error:
                log.warning("keys of bearer tokens stay as they were: %s", error)
                self._next_fetch = time.monotonic() + RETRY.total_seconds()
        self._fetched = True
