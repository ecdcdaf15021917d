"""A worker's relays: which of them an e-mail takes, by its route, their weights and their health.

A relay that gives no connection is *away* until its retry time; then one e-mail tries whether it is back. The mail of a
relay that is away goes over others where its route has any. A worker that has one relay alone waits for that.
"""

from __future__ import annotations

import logging
from math import inf
from typing import TYPE_CHECKING, TypeAlias

from engine.email.gate import waits_for
from engine.email.outlet import BUSY, Outlet
from engine.email.pressure import Kind
from engine.email.restraint import RESTRAINED_FOR
from engine.errors import Misconfigured
from engine.models import RelayState, Trouble
from engine.text.addresses import domain_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from datetime import timedelta

    from engine.email.outgoing import Outgoing
    from engine.email.routing import Choices, Routes, Routing
    from engine.email.smtp import Relay
    from engine.settings.relays import RelayAddress

log = logging.getLogger(__name__)

FULL = 2 * BUSY  # e-mails in hand for one relay, above which none are taken
REMEMBERED = 10_000  # pairs of creator and domain whose relays are known without a look at all rules


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
    def states(self) -> Sequence[RelayState]:
        """All relays, for operators."""
        plan = self._plan
        found = {name: trouble for name, outlet in plan.outlets.items() if (trouble := outlet.trouble)}
        effect = plan.routes.without(found) if found else ""
        return [
            RelayState(outlet.relay.name, outlet.state, each.since, each.said, each.advice, effect)
            if (each := found.get(name))
            else RelayState(outlet.relay.name)
            for name, outlet in plan.outlets.items()
        ]

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
        return inf if self.several else self.outlets[0].room

    @property
    def together(self) -> str:
        """What e-mails wait for that may take any relay: as `waits_for` says it."""
        return waits_for(Kind.RELAY, *(outlet.relay.name for outlet in self.outlets))

    def room_of(self, names: Sequence[str]) -> float:
        """How many more e-mails the paces of these relays allow; infinite if none of them can be used."""
        theirs = [outlet.room for outlet in self.outlets if outlet.relay.name in names and not outlet.away]
        return sum(max(0.0, room) for room in theirs) if theirs else inf

    def waiting_for(self, row: Outgoing, outlet: Outlet) -> str:
        """What an e-mail waits for that is to take this relay, or another one of the same choice."""
        choices = self._plan.choices(row.letter.creator, domain_of(row.email.address))
        its = next((outlets for outlets in choices if outlet in outlets), (outlet,))
        return waits_for(Kind.RELAY, *(each.relay.name for each in its))

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
                quick = [each for each in fit if each.room >= 1]
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
        outlet.room -= 1

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
