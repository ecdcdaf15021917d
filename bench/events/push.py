"""How fast events reach their subscribers."""

from __future__ import annotations

import subprocess
import sys
import time
from contextlib import ExitStack
from typing import TYPE_CHECKING

from bench import posts
from bench.events.parts import ROUNDS, installations, post_slowly, subscribe
from bench.figures import Figure, alternated, median, ratio, say
from bench.processes import WITHIN, Receiver
from engine.webhooks.window import AT_ONCE

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from bench.varsel import Varsel
    from tests.servers.postgres import Postgres

PUSHED = 1_000  # events of a round of fan-out
SUBSCRIBERS = 20  # each gets all of them
WARM_UP = 20  # events that open connections before the clock starts
CONNECTIONS = 32  # that post these events
PEER_POSTS = 1_000  # its rate does not depend on their number
PEERS = {f"httpx, {count} at once": count for count in (SUBSCRIBERS * AT_ONCE, 10)}  # as many as ours; its best
SAMPLES = 50  # events posted to an idle installation


def ask(folder: Path, postgres: Postgres) -> list[Figure]:
    """Push many events to many subscribers, compared with bare httpx; then one event at a time to one subscriber."""
    with ExitStack() as parts:
        systems = installations(parts, folder, postgres, workers=2)
        receivers = {name: parts.enter_context(Receiver()) for name in systems}
        for name, varsel in systems.items():
            paths = [f"/{number}" for number in range(SUBSCRIBERS)]
            subscribe(varsel, receivers[name], "/party/1", paths)
            subscribe(varsel, receivers[name], "/party/2", ["/idle"])
            _push_all(varsel, receivers[name], WARM_UP)
        rates: dict[str, list[float]] = {name: [] for name in (*systems, *PEERS)}
        for number in range(ROUNDS):
            for name in alternated(list(rates), number):
                rate = _push_all(systems[name], receivers[name], PUSHED) if name in systems else _peer(PEERS[name])
                rates[name].append(rate)
                say(f"events {name}: {rate:,.0f} requests/s")
        waits = _idle(systems, receivers)
    figures = [Figure("events", f"fan-out, {name}", median(each), "requests/s") for name, each in rates.items()]
    figures += [
        Figure("events", f"fan-out, {name} / {peer}", ratio(rates[name], rates[peer]), least=0.5)
        for name in systems
        for peer in PEERS
    ]
    for name, times in waits.items():
        say(f"events {name}: POST to webhook {1000 * median(times):.0f} ms, worst {1000 * max(times):.0f} ms")
        figures.append(Figure("events", f"{name}: idle, POST to webhook", 1000 * median(times), "ms", most=80))
    return figures


def _push_all(varsel: Varsel, receiver: Receiver, count: int) -> float:
    """Post events, each with a request of its own; requests per second from the first POST to the last webhook."""
    request = posts.request(
        posts.APP_PATH, {"Content-Type": "application/json", **varsel.app_headers}, posts.app_event(1)
    )
    (before, _), started = receiver.count(), time.time()
    posts.post_all(varsel.port, [request] * count, connections=CONNECTIONS)
    expected = count * SUBSCRIBERS
    ended = receiver.wait_for(before + expected, WITHIN)
    time.sleep(0.5)  # the last outcomes are recorded, and anything pushed twice arrives
    if (came := receiver.count()[0] - before) != expected:
        raise RuntimeError(f"{came} requests came, not {expected}")
    return expected / (ended - started)


def _peer(at_once: int) -> float:
    with Receiver() as receiver:
        command = [sys.executable, "-m", "bench.peers.calls", receiver.url, str(PEER_POSTS), str(at_once)]
        done = subprocess.run(command, check=True, capture_output=True, timeout=WITHIN)
        count, last = receiver.count()
        if count != PEER_POSTS:
            raise RuntimeError(f"{count} requests came, not {PEER_POSTS}")
        return PEER_POSTS / (last - float(done.stdout))


def _idle(systems: Mapping[str, Varsel], receivers: Mapping[str, Receiver]) -> dict[str, list[float]]:
    """Seconds from POST to webhook, one event at a time, at no fixed rhythm."""
    posted = post_slowly(systems, party=2, samples=SAMPLES + 2)
    waits = {}
    for name, times in posted.items():
        arrived = receivers[name].arrivals()["/idle"]
        waits[name] = [at - since for since, at in zip(times, arrived, strict=True)][2:]  # the first open connections
    return waits
