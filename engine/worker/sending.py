"""What workers send e-mails with, by the settings: the routing, the relays, the pace, and the messages themselves."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from engine import settings
from engine.email.limits import Limits
from engine.email.messages import Messages
from engine.email.pace import Pace
from engine.email.relays import Relays
from engine.email.rendering import Rendering
from engine.email.routing import Routing
from engine.email.smtp import Relay
from engine.orders import attachments
from engine.runtime.clock import steady
from engine.templating import registry

if TYPE_CHECKING:
    from engine.db.store import Store
    from engine.settings import Settings
    from engine.settings.relays import RelayAddress
    from engine.templating.renderer import Renderer


def routing(config: Settings) -> Routing:
    """Which e-mails take which relay; Misconfigured when the file cannot be used."""
    with settings.naming("routes_file"):
        return Routing(config.need("smtp_url"), config.routes_file)


def relays(config: Settings, routes: Routing, connections: int) -> Relays:
    """The relays, each over so many connections at most."""
    return Relays(routes, partial(_relay, config, connections), connections)


def pace(config: Settings) -> Pace:
    """How fast e-mails may go; Misconfigured when the file of limits cannot be used."""
    with settings.naming("limits_file"):
        return Pace(Limits(config.limits_file), steady())


def messages(store: Store, renderer: Renderer) -> Messages:
    """Makes messages, with attachments and templates of the database."""
    rendering = Rendering(lambda version: store.reading(registry.find_by_id, version), renderer)
    return Messages(lambda order: store.reading(attachments.of_order, order), rendering)


def _relay(config: Settings, connections: int, address: RelayAddress) -> Relay:
    return Relay(
        address.url,
        connections=connections,
        name=address.name,
        written=address.written,
        connect_timeout=timedelta(seconds=config.smtp_connect_timeout),
        data_timeout=timedelta(seconds=config.smtp_data_timeout),
        ca_file=config.smtp_ca_file,
        pipelining=config.smtp_pipelining,
    )
