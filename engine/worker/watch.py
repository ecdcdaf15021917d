"""Looks whether relays that are down are back, also where no e-mail is about to try them.

So operators read within seconds that a relay works again, whichever worker they read it from, and e-mails that were put
off for longer go on at once.
"""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING

from engine.email.put_off import make_due
from engine.errors import Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from engine.db.store import Store
    from engine.email.outlet import Outlet
    from engine.email.relays import Relays

log = logging.getLogger(__name__)

EVERY = 1.0  # seconds


async def watch(store: Store, all_relays: Sequence[Relays], wake: Callable[[], None]) -> None:
    """Look until it is cancelled; `wake` is called when e-mails have become due."""
    while True:
        await asyncio.sleep(EVERY)
        try:
            await _look(store, all_relays, wake)
        except Exception:  # a relay that was not looked at is looked at a moment later
            log.exception("relays that are down could not be looked at")


async def _look(store: Store, all_relays: Sequence[Relays], wake: Callable[[], None]) -> None:
    down = [outlet for relays in all_relays for outlet in relays.outlets if outlet.relay.shall_look]
    if down and any(await asyncio.gather(*map(_is_back, down))):
        await _hurry(store, wake)


async def _is_back(outlet: Outlet) -> bool:
    back = await outlet.relay.look()
    if back:
        outlet.heard(None)
    return back


async def _hurry(store: Store, wake: Callable[[], None]) -> None:
    try:
        while await store.writing(make_due):
            pass
    except Unavailable:
        log.info("e-mails that were put off become due at their own times: the database does not answer")
    wake()
