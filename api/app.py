"""The web application, put together from lists: operations, pages, error answers, middleware."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.routing import Route

from api import (
    chains,
    channels,
    dashboard,
    deliveries,
    docs,
    events,
    health,
    inbox,
    orders,
    plans,
    recipients,
    recurring,
    root_path,
    shipments,
    subscriptions,
    summaries,
    templates,
    withdrawals,
)
from api.bodies import LargeBodies
from api.chain_answers import Words
from api.console.application import PART as CONSOLE
from api.console.application import console, prepare
from api.counting import CountAnswers
from api.endpoints import Endpoint
from api.paths import CanonicalPaths
from api.problems import answer_bug, answer_error, answer_http_error, answer_nobody
from api.root_path import RootPath
from api.singles import SingleHeaders
from api.tracing import TraceRequests
from engine import settings
from engine.auth.access import Rules
from engine.auth.api_keys.keyring import Keyring
from engine.auth.sealing import Seal
from engine.auth.tokens import Verifier
from engine.db.migrations import admit
from engine.db.readers import Readers
from engine.db.store import Store
from engine.db.writers import Writers
from engine.dev.inbox import Inbox
from engine.email.rendering import Rendering
from engine.errors import VarselError
from engine.events.intake import Publisher
from engine.observability import logs, metrics, tracing
from engine.observability.heartbeat import Heartbeat, Kind
from engine.orders.contacts import ContactTable
from engine.orders.digests import KeptDigests
from engine.orders.identities import Senders
from engine.orders.intake import Intake
from engine.orders.quotas import Quotas
from engine.orders.rules import Limits
from engine.outbound import Guard
from engine.queue.broker import connect
from engine.queue.calendars import Calendars
from engine.queue.marks import Memory
from engine.runtime import garbage
from engine.runtime.ending import CLOSE_WITHIN, end_within
from engine.runtime.shares import Shares
from engine.settings import naming
from engine.settings.told import told
from engine.subscriptions.rules import SubscriptionRules
from engine.subscriptions.signing import Signer
from engine.templating import registry
from engine.templating.catalogue import Catalogue
from engine.templating.own import Own
from engine.templating.renderer import Renderer

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.datastructures import State

    from engine.settings import Settings

OPERATIONS = [
    operation
    for part in (
        orders,
        plans,
        withdrawals,
        summaries,
        recipients,
        recurring,
        channels,
        chains,
        shipments,
        dashboard,
        templates,
        events,
        subscriptions,
        deliveries,
    )
    for operation in part.OPERATIONS
]
ERRORS = {
    VarselError: answer_error,
    HTTPException: answer_http_error,
    ClientDisconnect: answer_nobody,
    Exception: answer_bug,
}
PARTS = {operation.part for operation in OPERATIONS} | {CONSOLE}  # what /metrics calls the parts of the API
MIDDLEWARE = [Middleware(CountAnswers, parts=PARTS), Middleware(SingleHeaders), Middleware(CanonicalPaths)]


def create_app() -> Starlette:
    """The application on the settings of the environment; Misconfigured when they cannot work."""
    config = settings.load()
    logs.configure(config.log_level, config.log_format)
    busy_first = sorted(OPERATIONS, key=lambda operation: operation.method != "POST" or "{" in operation.path)
    routes = [
        Route(path.lower(), Endpoint(operation.handler, operation.part), methods=[operation.method])
        for operation in busy_first
        for path in (operation.path, *operation.aliases)
    ]
    routes += health.ROUTES + docs.ROUTES
    if config.inbox:
        routes += inbox.ROUTES
    app = Starlette(routes=routes, middleware=_middleware(config), exception_handlers=ERRORS, lifespan=_lifespan)
    app.router.redirect_slashes = False
    app.state.settings = config
    app.state.ending = False
    app.routes.extend(console(config, app.state))
    root_path.check(root_path.of(config), app.routes)
    app.state.base = config.base_url + orders.PREFIX
    app.state.events_base = config.base_url + events.PREFIX
    app.state.operations = OPERATIONS
    _prepare(app.state, config)
    return app


def _middleware(config: Settings) -> list[Middleware]:
    root = root_path.of(config)
    below = [Middleware(RootPath, root)] if root else []
    return [*MIDDLEWARE, *below, *([Middleware(TraceRequests)] if config.tracing else [])]


def _calendars(config: Settings) -> Calendars:
    with naming("calendars_file"):
        return Calendars(config.calendars_file)


def _prepare(state: State, config: Settings) -> None:
    """Read what the settings name; Misconfigured when it cannot be used."""
    tracing.configure(config, "web")
    state.queue = connect(config)
    state.notifier = state.queue.notifier
    state.redis = state.queue.client
    state.verifier = Verifier(config)
    state.limits = Limits(
        config.max_recipients,
        Guard(config.allow_private_endpoints),
        config.from_address,
        config.bulk_above,
        config.max_attachment_bytes,
        config.attachment_hosts,
        _calendars(config),
    )
    state.words = Words(reports=config.delivery_reports)
    with naming("access_file"):
        state.access = Rules(config.access_file)
    state.signer = Signer(config.need("webhook_key").encode())
    state.seal = Seal(config.need("webhook_key").encode())
    with naming("quotas_file"):
        state.quotas = Quotas(config.quotas_file)
    with naming("email_templates"):
        state.own_templates = Own(config.email_templates)
    names = frozenset(state.own_templates.names())
    state.rules = SubscriptionRules(config.apps_domain, Guard(config.allow_private_endpoints), names)
    if config.inbox:
        state.inbox = Inbox(config.inbox)
    prepare(state, config)


@asynccontextmanager
async def _lifespan(app: Starlette) -> AsyncIterator[None]:
    """Open what requests need; close it when the last is answered."""
    config, state = app.state.settings, app.state
    following = asyncio.create_task(state.verifier.follow())
    state.store = Store(config.need("database_url"), admit)
    state.readers = Readers(config.need("database_url"), admit)
    state.writers = Writers(state.store)
    state.keyring = Keyring(state.readers, state.writers)
    state.senders = Senders(state.readers, required=config.senders_required)
    state.large_bodies = LargeBodies(config.max_order_bytes)
    state.uploading, state.digests = Shares(recipients.AT_ONCE), KeptDigests()
    renderer = Renderer()
    state.catalogue = Catalogue(state.own_templates, renderer, state.store, state.readers, state.writers)
    state.rendering = Rendering(partial(state.readers.read, "operators", registry.find_by_id), renderer)
    state.intake = Intake(
        state.store,
        state.readers,
        ContactTable(),
        state.quotas,
        config.from_address,
        state.notifier.notify,
        state.seal.close,
        state.catalogue.find,
    )
    state.publisher = Publisher(state.store, state.queue.spool.add, state.notifier.notify)
    heartbeat = Heartbeat(state.store, Kind("web", settings=told(config)), Memory(state.redis))
    heartbeat.start()
    garbage.set_aside()
    yield
    end_within(CLOSE_WITHIN, metrics.end)
    following.cancel()
    await state.intake.close()
    await state.publisher.close()
    await state.keyring.close()
    await renderer.close()
    await asyncio.to_thread(heartbeat.stop)
    await state.readers.close()
    state.store.close()
    tracing.close()
    metrics.end()
