"""The keys of bearer tokens: key sets in files and at https addresses, followed while they change."""

from __future__ import annotations

import asyncio
import logging
import ssl
import time
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import urlsplit

import httpx

from engine.auth.tokens.keys import MAX_FILE, Key, KeyFile, read_jwks
from engine.diagnosis import Diagnosis
from engine.errors import Misconfigured, Unavailable
from engine.runtime.authorities import why, with_file
from engine.settings import naming

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Found = TypeVar("Found")

LOOK = timedelta(seconds=2)  # how long a replaced file, a fetched set or a due fetch may go unnoticed
REFRESH = timedelta(minutes=1)  # between fetches: how long a withdrawn key may still be good
RETRY = timedelta(seconds=5)  # after a fetch that failed
PAUSE = timedelta(seconds=2)  # from the beginning of a fetch to the next one's, whatever tokens come
FETCH_TIME = timedelta(seconds=5)  # for one key set, in total
NO_SET = Diagnosis("VARSEL_JWKS is not set: no bearer token verifies", "Set it to your issuer's key set.")
MOST_WAITING = 100  # tokens that wait for a fetch: anybody can make up a kid

log = logging.getLogger(__name__)


class KeyAddress:
    """A key set at an https address, for one event loop. Its keys are those of the last fetch that succeeded."""

    def __init__(self, url: str, trusted: ssl.SSLContext) -> None:
        self.keys: tuple[Key, ...] = ()
        self.answers = False  # whether the last fetch succeeded
        self.asked_at = float("-inf")  # when the last finished fetch began, by time.monotonic()
        self._url = url
        self._place = f"key set at {urlsplit(url).hostname}"
        self._trusted = trusted
        self._began = float("-inf")  # when the last fetch began, likewise
        self._asking: asyncio.Task[None] | None = None
        self._changed = False

    def changed(self) -> bool:
        """Whether the keys have changed since the last call."""
        changed, self._changed = self._changed, False
        return changed

    def ask(self) -> asyncio.Task[None]:
        """The fetch that is under way or about to begin: one for all who ask. It raises nothing."""
        if self._asking is None or self._asking.done():
            self._asking = asyncio.create_task(self._ask())
        return self._asking

    async def follow(self) -> None:
        """Ask again and again."""
        while True:
            due = self.asked_at + (REFRESH if self.answers else RETRY).total_seconds()
            if time.monotonic() >= due:
                await asyncio.wait([self.ask()])
            await asyncio.sleep(LOOK.total_seconds())

    async def fetch(self) -> None:
        """Replace the keys; Misconfigured, and the keys stay, when there is no usable answer."""
        keys = read_jwks(await self._content(), self._place)
        if keys != self.keys:
            self.keys, self._changed = keys, True

    async def _ask(self) -> None:
        await asyncio.sleep(self._began + PAUSE.total_seconds() - time.monotonic())
        began = self._began = time.monotonic()
        answers = False
        try:
            await self.fetch()
            answers = True
        except Misconfigured as error:
            what = (
                "keys of bearer tokens stay as they were" if self.keys else "there is no key of bearer tokens from it"
            )
            log.warning("%s: %s", what, error)
        finally:
            self.answers, self.asked_at = answers, began

    async def _content(self) -> bytes:
        headers = {"accept": "application/json", "accept-encoding": "identity"}  # identity: no compressed bombs
        content = b""
        too_much = f"{self._place}: takes more than {MAX_FILE} bytes or {FETCH_TIME.total_seconds():.0f} s"
        try:
            async with (
                asyncio.timeout(FETCH_TIME.total_seconds()),
                httpx.AsyncClient(verify=self._trusted, timeout=None) as client,  # noqa: S113 the line above has it
                client.stream("GET", self._url, headers=headers) as response,
            ):
                if response.status_code != httpx.codes.OK:
                    msg = f"{self._place}: answers {response.status_code}, and redirects are not followed"
                    raise Misconfigured(msg)
                async for part in response.aiter_raw():
                    content += part
                    if len(content) > MAX_FILE:
                        raise Misconfigured(too_much)
        except TimeoutError:
            raise Misconfigured(too_much) from None
        except httpx.HTTPError as error:
            msg = f"{self._place}: {type(error).__name__}: {why(error)}"
            raise Misconfigured(msg) from None
        except httpx.InvalidURL:  # its message may have secrets of the address
            msg = f"{self._place}: its address cannot be used"
            raise Misconfigured(msg) from None
        return content


class BearerKeys:
    """Known keys by kid, for one event loop.

    Misconfigured when a file cannot be used at the start; what breaks later is logged, and the keys stay.
    """

    def __init__(self, sources: Sequence[str], ca_file: Path | None = None) -> None:
        urls = [source for source in sources if source.startswith("https://")]
        self._addresses: list[KeyAddress] = []
        if urls or ca_file:  # a file that cannot be used is told at once; to read all authorities takes 30 ms
            trusted = authorities(ca_file)
            self._addresses = [KeyAddress(url, trusted) for url in urls]
        self._files = [KeyFile(Path(source), read_jwks) for source in sources if source not in urls]
        with naming("jwks"):
            for file in self._files:
                file.changed()
        self._keys: Mapping[str | None, tuple[Key, ...]] = {}
        self._next_look = 0.0  # by time.monotonic(), in seconds
        self._waiting = 0
        self._collect()

    def current(self) -> Mapping[str | None, tuple[Key, ...]]:
        """All keys under None, and those with a kid under that too; another mapping after each change."""
        if time.monotonic() >= self._next_look:
            self._look()
        return self._keys

    async def follow(self) -> None:
        """Ask each address again and again, so that a withdrawn key is soon forgotten."""
        await asyncio.gather(*(address.follow() for address in self._addresses))

    async def search(self, attempt: Callable[[], Found | None]) -> Found | None:
        """What `attempt` finds with newer keys, at the latest with those of a new fetch; None: nothing.

        Unavailable when it finds nothing and a key set that may have the key does not answer, or when too many search.
        """
        called, tried = time.monotonic(), self._keys
        self._look()
        found = attempt() if self._keys is not tried else None
        while found is None and (older := [each for each in self._addresses if each.asked_at < called]):
            tried = self._keys
            await self._wait_for_one(older)
            self._look()
            found = attempt() if self._keys is not tried else None
        if found is None and not all(address.answers for address in self._addresses):
            part = "the key set"
            raise Unavailable(part)
        return found

    async def _wait_for_one(self, addresses: Sequence[KeyAddress]) -> None:
        if self._waiting >= MOST_WAITING:
            part = "the key set"
            raise Unavailable(part, text="Too many tokens of unknown keys wait for the key set")
        self._waiting += 1
        try:
            await asyncio.wait([each.ask() for each in addresses], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._waiting -= 1

    def _look(self) -> None:
        self._next_look = time.monotonic() + LOOK.total_seconds()
        changed = False
        for address in self._addresses:
            changed |= address.changed()
        for file in self._files:
            try:
                changed |= file.changed()
            except Misconfigured as error:
                log.warning("keys of bearer tokens stay as they were: %s", error)
        if changed:
            self._collect()

    def _collect(self) -> None:
        every = [key for file in self._files for key in file.keys]
        every += [key for address in self._addresses for key in address.keys]
        kids = {key.kid for key in every}
        self._keys = {kid: tuple(key for key in every if key.kid == kid) for kid in kids} | {None: tuple(every)}


def authorities(ca_file: Path | None) -> ssl.SSLContext:
    """The authorities trusted for key sets: the system's (SSL_CERT_FILE names others), and those of this file."""
    return with_file(ssl.create_default_context(), ca_file, "issuer_ca_file")
