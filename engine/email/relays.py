"""A worker's relays: which of them an e-mail takes, by its route, their weights and their health.

A relay that gives no connection is *away* until its retry time; then one e-mail tries whether it is back. The mail of a
relay that is away goes over others where its route has any. A worker that has one relay alone waits for that.
"""

from __future__ import annotations

import logging
import random
import time
from datetime import timedelta
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from engine.email.outcomes import RELAY_RETRY, retry_after
from engine.email.pace import Target
from engine.email.pressure import Kind
from engine.email.restraint import RESTRAINED_FOR, Restraint
from engine.errors import Misconfigured
from engine.models import Trouble
from engine.text.addresses import domain_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from engine.email.routing import Choices, Routes, Routing
    from engine.email.smtp import Relay, Reply
    from engine.settings.relays import RelayAddress

log = logging.getLogger(__name__)

BUSY = 200  # e-mails in hand for one relay, above which no more are claimed for it
FULL = 2 * BUSY  # none are taken
AGAIN = RELAY_RETRY.total_seconds()
REMEMBERED = 10_000  # pairs of creator and domain whose relays are known without a look at all rules


class Outlet:
    """A relay as e-mails see it: how much of the work in hand is its, and whether it is away."""

    def __init__(self, address: RelayAddress, relay: Relay, connections: int) -> None:
        self.address = address
        self.relay = relay
        self.connections = connections
        self.restraint = Restraint()
        self.alone = False  # there is no other
        self.load = 0  # e-mails in hand that are to take it
        self.most = inf  # of them, as many as its pace allows now
        self.senders = 0  # calls of `serve` that work for it
        self.credit = 0.0  # by weight; the one with most is next
        self.crowded = False  # it has no connection left for this process: its other clients use them
        self.retry = RELAY_RETRY  # how long it is left alone
        self.until = 0.0  # and until when, on the monotonic clock
        self._failed = False
        self._failed_at = 0.0  # likewise: since when
        self._slot = 0.0  # likewise: when the last e-mail that was put off comes again
        self._trouble: Trouble | None = None

    @property
    def resting(self) -> bool:
        """Whether it is left alone, since it gave no connection."""
        return self._failed and time.monotonic() < self.until

    @property
    def away(self) -> bool:
        """Whether others take its mail: it is left alone, or one e-mail finds out whether it is back."""
        return self._failed and not self.alone and (self.load > 0 or time.monotonic() < self.until)

    @property
    def wants(self) -> bool:
        """Whether more e-mails may be claimed for it."""
        return self.load <= BUSY and self.load + 1 <= self.most and not self.away

    @property
    def target(self) -> Target:
        """What e-mails that have to wait for its pace wait for."""
        return Target(Kind.RELAY, self.relay.name)

    @property
    def trouble(self) -> Trouble | None:
        """Why its e-mails wait: it cannot be reached, or refuses this installation."""
        return self.relay.trouble or (self._trouble if self.resting else None) or self.restraint.trouble

    def heard(self, refusal: Reply | None) -> None:
        """Learn that it gave a connection, or why not."""
        if refusal and not self._failed:
            self._failed_at = time.monotonic()
        self._failed = refusal is not None
        if refusal:
            self.crowded, self.retry = refusal.crowded, retry_after(refusal)
            self.until = time.monotonic() + self.retry.total_seconds()
            self._trouble = self.relay.trouble

    def put_off(self) -> timedelta:
        """When an e-mail that waits for it is due again: BUSY of them every few seconds, so that they come in turn.

        Few e-mails would come every few seconds: the longer it has failed, the more seldom they come.
        """
        now = time.monotonic()
        self._slot = max(self._slot, self.until, now + AGAIN) + AGAIN / BUSY
        turn = RELAY_RETRY * int((self._slot - now) / AGAIN)
        failing = timedelta(seconds=now - self._failed_at if self._failed else 0)
        return min(max(turn, min(failing, RESTRAINED_FOR) * random.uniform(0.5, 1)), RESTRAINED_FOR)  # noqa: S311


Outlets: TypeAlias = "tuple[Outlet, ...]"


class _Plan:
    """The relays and routes of one moment, and what has been found in them."""

    def __init__(self, routes: Routes, outlets: Mapping[str, Outlet]) -> None:
        self.routes = routes
        self.outlets = outlets
        self._of_creator: dict[str, Outlets] = {}
        self._choices: dict[tuple[str, str], Sequence[Outlets]] = {}

    def choices(self, creator: str, domain: str) -> Sequence[Outlets]:
        """The relays that an e-mail may take; further ones serve while those before are away."""
        key = (creator, domain)
        if key not in self._choices:
            if len(self._choices) >= REMEMBERED:
                self._choices.clear()
            self._choices[key] = self._named(self.routes.choices(creator, domain))
        return self._choices[key]

    def of_creator(self, creator: str) -> Outlets:
        """The relays that any of a creator's e-mails may take."""
        if creator not in self._of_creator:
            if len(self._of_creator) >= REMEMBERED:
                self._of_creator.clear()
            found = [self._named(choices) for choices in self.routes.choices_of(creator)]
            self._of_creator[creator] = tuple({outlet for choices in found for each in choices for outlet in each})
        return self._of_creator[creator]

    def _named(self, choices: Choices) -> Sequence[Outlets]:
        return tuple(tuple(self.outlets[name] for name in names) for names in choices)


class Relays:
    """The relays of one lane's runner, each with up to `connections`; they follow the routing while it changes.

    `opened` makes the relay of an address.
    """

    def __init__(self, routing: Routing, opened: Callable[[RelayAddress], Relay], connections: int) -> None:
        self._routing = routing
        self._opened = opened
        self._connections = connections
        self._taken: dict[int, Outlet] = {}  # by the `seq` of an e-mail in hand
        self._former: list[Outlet] = []  # those that no route knows any more
        self._seen = routing.routes
        self._plan = self._planned(self._seen, {})

    @property
    def outlets(self) -> Sequence[Outlet]:
        """All relays that routes know."""
        return list(self._plan.outlets.values())

    @property
    def at_once(self) -> int:
        """The most connections to all relays together."""
        return self._connections * len(self.outlets)

    @property
    def names(self) -> str:
        """All relays, for operators."""
        return ", ".join(outlet.relay.name for outlet in self.outlets)

    @property
    def trouble(self) -> Trouble | None:
        """Which relays cannot be used, what becomes of their e-mails, and why."""
        plan = self._plan
        found = {name: trouble for name, outlet in plan.outlets.items() if (trouble := outlet.trouble)}
        if not found:
            return None
        names = {name: plan.outlets[name].relay.name for name in found}
        texts = [f"{names[name]}: {each.text}" if len(found) > 1 else each.text for name, each in found.items()]
        text = f"{plan.routes.without(found)} ({'; '.join(texts)})"
        return Trouble(min(each.since for each in found.values()), text, ", ".join(names.values()))

    @property
    def stuck(self) -> Outlet | None:
        """The only relay, while it is left alone."""
        return next((outlet for outlet in self.outlets if outlet.alone and outlet.resting), None)

    @property
    def several(self) -> bool:
        """Whether there is more than one."""
        return len(self._plan.outlets) > 1

    @property
    def room(self) -> float:
        """How many more e-mails the only relay's pace allows; infinite if there are several."""
        alone = [outlet for outlet in self.outlets if outlet.alone]
        return max(0.0, alone[0].most - alone[0].load) if alone else inf

    @property
    def some_want(self) -> bool:
        """Whether one of several relays has less to do than it can."""
        return self.several and any(outlet.wants for outlet in self.outlets)

    @property
    def some_are_busy(self) -> bool:
        """Whether e-mails may be left unclaimed until a relay has sent what is in hand."""
        return any(outlet.load > BUSY for outlet in self.outlets)

    def follow(self) -> None:
        """Take over what has changed in the routing; called from any thread."""
        routes = self._routing.routes
        if routes is self._seen:
            return
        self._seen = routes
        try:
            self._plan = self._planned(routes, self._plan.outlets)
        except Misconfigured as fault:
            log.warning("the routes stay as they were: %s", fault)
        else:
            log.info("the relays are %s", self.names)

    def lets_wait(self, creator: str) -> bool:
        """Whether none of the relays that a creator's e-mails may take wants more."""
        plan = self._plan
        return len(plan.outlets) > 1 and not any(outlet.wants for outlet in plan.of_creator(creator))

    def choose(self, creator: str, address: str) -> Outlet | timedelta:
        """The relay that an e-mail takes now, or how long it waits because there is none."""
        choices = self._plan.choices(creator, domain_of(address))
        restrained = False
        for outlets in choices:
            there = [outlet for outlet in outlets if not outlet.away]
            able = [outlet for outlet in there if not outlet.restraint.holds(creator)]
            if able:
                fit = [each for each in able if each.alone or each.load < FULL]
                quick = [each for each in fit if each.load + 1 <= each.most]
                return _next(quick or fit) or able[0].put_off()
            restrained |= bool(there)
        return RESTRAINED_FOR if restrained else choices[0][0].put_off()

    def may_take(self, creator: str, address: str, outlet: Outlet) -> bool:
        """Whether an e-mail may take this relay."""
        choices = self._plan.choices(creator, domain_of(address))
        return any(outlet in outlets for outlets in choices)

    def take(self, seq: int, outlet: Outlet) -> None:
        """An e-mail in hand is to take this relay."""
        self.leave(seq)
        self._taken[seq] = outlet
        outlet.load += 1

    def leave(self, seq: int) -> None:
        """An e-mail takes no relay any more."""
        if outlet := self._taken.pop(seq, None):
            outlet.load -= 1

    def of(self, seq: int) -> Outlet | None:
        """The relay that an e-mail in hand is to take."""
        return self._taken.get(seq)

    def wanted(self, waiting: Iterable[int]) -> Outlet | None:
        """The relay of the first of these e-mails that has connections to spare."""
        for seq in waiting:
            outlet = self._taken.get(seq)
            if outlet and outlet.senders < outlet.connections and not outlet.resting:
                return outlet
        return None

    async def close(self) -> None:
        """Say QUIT on all connections, when nobody sends any more."""
        for outlet in (*self.outlets, *self._former):
            await outlet.relay.close()

    def _planned(self, routes: Routes, known: Mapping[str, Outlet]) -> _Plan:
        outlets: dict[str, Outlet] = {}
        for name, address in routes.relays.items():
            outlet = known.get(name)
            if not outlet or (outlet.address.name, outlet.address.url) != (address.name, address.url):
                outlet = Outlet(address, self._opened(address), self._connections)
            outlets[name] = outlet
        gone = [outlet for name, outlet in known.items() if outlets.get(name) is not outlet]
        for outlet in gone:
            outlet.alone = False
        for name, outlet in outlets.items():
            outlet.address, outlet.alone = routes.relays[name], len(outlets) == 1
        self._former = [outlet for outlet in self._former if outlet.load or outlet.relay.connected] + gone
        return _Plan(routes, outlets)


def _next(outlets: Sequence[Outlet]) -> Outlet | None:
    """The one whose turn it is by weight: each gains its weight, and the chosen one pays for all."""
    if len(outlets) < 2:  # noqa: PLR2004  # one has all
        return outlets[0] if outlets else None
    for outlet in outlets:
        outlet.credit += outlet.address.weight
    chosen = max(outlets, key=lambda outlet: outlet.credit)
    chosen.credit -= sum(outlet.address.weight for outlet in outlets)
    return chosen
