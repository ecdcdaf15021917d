"""The relays: a session with each as delivery opens it, up to the point where a message would begin."""

from __future__ import annotations

import asyncio
import ssl
import time
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from engine.diagnosis import Diagnosis, of_relay, of_sender
from engine.doctor.findings import Finding, ok, unset, usable, warning, wrong
from engine.email.routing import Routing
from engine.email.smtp import Reply
from engine.email.smtp.route import Route
from engine.email.smtp.session import OK, Session
from engine.errors import Misconfigured
from engine.text.urls import LOOPBACK

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.doctor.findings import Place
    from engine.settings import Settings
    from engine.settings.relays import RelayAddress

CONNECT_WITHIN = timedelta(seconds=6)  # less than delivery gives it: somebody waits for the answer
INBOX = "smtp://127.0.0.1:1025"  # of `varsel up`, unless --smtp-port says otherwise
SOON = 14  # days before a certificate ends


def relay(place: Place) -> list[Finding]:
    """Whether a session with each relay can be opened, and what it offers."""
    config, file, found = place.config, place.config.routes_file, []
    if config.smtp_url is None and not place.embedded:
        return [unset(place, "smtp_url", "`worker` does")]
    if config.smtp_url is None:
        whose = "mails that no route takes elsewhere" if file else "mails"
        found.append(ok("relay", f"none is set: {whose} stay in the development inbox of `varsel up`"))
    setting = config.smtp_url.get_secret_value() if config.smtp_url else INBOX
    if file:
        without = "`worker` does not start without it"
        found.append(usable("routes", str(file), partial(Routing, setting, file), without, "routes_file"))
    try:
        routes = Routing(setting, file).routes
    except Misconfigured:
        routes = Routing(setting).routes
    relays = [relay for name, relay in routes.relays.items() if config.smtp_url or name not in routes.usual]
    return found + asyncio.run(_look_at_all(relays, config, several=len(routes.relays) > 1))


async def _look_at_all(relays: Sequence[RelayAddress], config: Settings, *, several: bool) -> list[Finding]:
    found = await asyncio.gather(*(_look(relay, config) for relay in relays))
    named = zip(relays, found, strict=True)
    return [replace(each, name=f"relay {relay.name}") if several else each for relay, its in named for each in its]


async def _look(relay: RelayAddress, config: Settings) -> list[Finding]:
    name, place = "relay", relay.name
    route = Route.of(relay.url, config.smtp_ca_file, CONNECT_WITHIN, CONNECT_WITHIN)
    session = await Session.open(route)
    if isinstance(session, Reply):
        return [wrong(name, of_relay(session.code, session.text, place, relay.written))]
    try:
        found = [ok(name, f"{place} greets: {session.greeting}"), *_tls(route, session, relay.written)]
        if route.user:
            found.append(ok(name, f"signed in as {route.user}"))
        return [*found, *_offers(session, config.max_order_bytes), await _sender(session, config.from_address, relay)]
    finally:
        await session.quit()


def _tls(route: Route, session: Session, written: str) -> Iterator[Finding]:
    if certificate := session.certificate:
        names = ", ".join(
            value for kind, value in certificate.get("subjectAltName", ()) if kind in ("DNS", "IP Address")
        )
        days = int((ssl.cert_time_to_seconds(certificate["notAfter"]) - time.time()) // 86_400)
        good_for = "1 day" if days == 1 else f"{days} days"
        text = f"TLS; its certificate is for {names or 'nobody'} and good for {good_for}"
        yield warning("relay", text, "Renew it.") if days < SOON else ok("relay", text)
    elif route.host not in LOOPBACK:
        text = "no TLS: messages can be read on the way"
        yield warning("relay", text, f"Use smtp+starttls:// or smtps:// in {written}.")


def _offers(session: Session, largest: int) -> Iterator[Finding]:
    """What EHLO offered, as far as Varsel uses it."""
    size = session.offers.get("size", "")
    offered = [f"SIZE {size}".strip() if each == "size" else each.upper() for each in OFFERS if each in session.offers]
    yield ok("relay", f"offers {', '.join(offered) or 'no extension that Varsel uses'}")
    if not session.utf8:
        text = "does not offer SMTPUTF8: addresses with non-ASCII characters before the @ fail"
        yield warning("relay", text, "Switch it on there, if such recipients matter.")
    if size.isdigit() and 0 < int(size) < largest:
        text = f"takes messages of up to {int(size):,} bytes; orders may have up to {largest:,}"
        yield warning("relay", text, "Raise the relay's limit, or lower VARSEL_MAX_ATTACHMENT_BYTES.")


async def _sender(session: Session, address: str, relay: RelayAddress) -> Finding:
    """Whether a message from VARSEL_FROM_ADDRESS would be taken; none is sent."""
    try:
        reply = await session.propose(address)
    except ValueError as error:
        return wrong(
            "relay", Diagnosis(f"VARSEL_FROM_ADDRESS {address} is no address: {error}", "Set it to an address.")
        )
    if reply.code == OK:
        return ok("relay", f"takes mail from {address}")
    return wrong("relay", of_sender(reply.code, reply.text, relay.name, relay.written))


OFFERS = ("size", "smtputf8", "pipelining", "8bitmime", "starttls", "auth")
