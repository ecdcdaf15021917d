"""Signing in to the console over HTTP: a small application, browsers from several addresses, and settings."""

from __future__ import annotations

import asyncio
import html
import json
import re
import time
from base64 import b64encode
from typing import TYPE_CHECKING, Any, ClassVar

import httpx
import itsdangerous
from sqlalchemy import delete, select
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from api.console import sessions, sign_in
from api.console.sessions import check_csrf, csrf_token, require
from api.problems import answer_error, answer_http_error
from engine.auth.operators import Role
from engine.db.readers import Readers
from engine.db.tables import audit_log
from engine.db.writers import Writers
from engine.errors import VarselError
from engine.settings import Settings
from tests.helpers.console import PASSWORD
from tests.servers.oidc import CLIENT, SECRET, Provider

if TYPE_CHECKING:
    import redis
    from starlette.requests import Request

    from engine.db.store import Store

HOME = "http://127.0.0.1:5090"
ELSEWHERE = "203.0.113.9"


async def look(request: Request) -> Response:
    """A page for viewers."""
    operator = await require(request, Role.VIEWER)
    return PlainTextResponse(f"{operator.name} {operator.role} {csrf_token(request)}")


async def act(request: Request) -> Response:
    """An action for admins."""
    operator = await require(request, Role.ADMIN)
    await check_csrf(request)
    return PlainTextResponse(f"done by {operator.name}")


class Site:
    """A console with only sign-in, a page and an action."""

    opened: ClassVar[list[Site]] = []

    def __init__(self, store: Store, client: redis.Redis, config: Settings) -> None:
        self.config = config
        self.store = store
        self.app = Starlette(
            routes=[
                Route("/console", look),
                Route("/console/emails", look),
                Route("/console/act", act, methods=["POST"]),
                *sign_in.ROUTES,
            ],
            middleware=[sessions.middleware(config)],
            exception_handlers={
                **sign_in.ERRORS,
                VarselError: answer_error,
                HTTPException: answer_http_error,
            },
        )
        self.app.state.settings, self.app.state.redis = config, client
        self.app.state.writers = Writers(store)
        self.app.state.readers = Readers(store.engine.url.render_as_string(hide_password=False))
        self.opened.append(self)
        sign_in.prepare(self.app.state, config)
        with store.write() as connection:  # a line of before would count what is done again
            connection.execute(delete(audit_log))

    def audit(self) -> list[tuple[str, str, dict[str, Any]]]:
        """The audit log of this site: who did what, with details."""
        with self.store.read() as connection:
            lines = connection.execute(select(audit_log).order_by(audit_log.c.seq)).all()
        assert {line.target for line in lines} <= {"console"}
        return [(line.who, line.action, json.loads(line.detail)) for line in lines]


class Browser:
    """A browser that keeps cookies and sends browsers' headers; it follows no redirects."""

    def __init__(self, site: Site, base: str = HOME, address: str = "127.0.0.1", **headers: str) -> None:
        transport = httpx.ASGITransport(site.app, client=(address, 50_000))
        self.client = httpx.AsyncClient(transport=transport, base_url=base, headers=headers)

    def get(self, path: str) -> httpx.Response:
        return asyncio.run(self.client.get(path))

    def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        return asyncio.run(self.client.post(path, data=fields, headers=headers))

    def token(self) -> str:
        """The form's hidden field on the sign-in page."""
        found = re.search(r'name="csrf" value="([^"]+)"', self.get("/console/sign-in").text)
        assert found
        return html.unescape(found[1])

    def sign_in(self, name: str = "anna", password: str = PASSWORD, next_: str = "/console") -> httpx.Response:
        return self.post("/console/sign-in", name=name, password=password, next=next_, csrf=self.token())

    def who(self) -> str:
        """The page's text; "" when it redirects to the sign-in."""
        answer = self.get("/console")
        return "" if answer.status_code == 303 else " ".join(answer.text.split()[:2])

    @property
    def cookie(self) -> str:
        return str(self.client.cookies.get(sessions.COOKIE, path="/console"))

    @cookie.setter
    def cookie(self, value: str) -> None:
        self.client.cookies.clear()
        self.client.cookies.set(sessions.COOKIE, value, "127.0.0.1", "/console")


def settings(**values: Any) -> Settings:
    return Settings(webhook_key="a key of 32 characters or more ..", **values)


def session(site: Site, **changes: Any) -> str:
    """The cookie of an operator who signed in as anna, with changes, signed like the server's."""
    operators = site.app.state.entrance.operators
    mark = operators.find("anna").mark if operators else ""
    content = {"id": "x", "who": "anna", "at": int(time.time()), "csrf": "x"} | changes
    if "issuer" not in changes:
        content["mark"] = mark
    signer = itsdangerous.TimestampSigner(str(sessions.middleware(site.config).kwargs["secret_key"]))
    return signer.sign(b64encode(json.dumps(content).encode())).decode()


def oidc(provider: Provider, **values: Any) -> Settings:
    roles = ("varsel-admins=admin", "varsel-ops=operator", "everyone=viewer")
    return settings(
        **{
            "oidc_issuer": provider.url,
            "oidc_client_id": CLIENT,
            "oidc_client_secret": SECRET,
            "oidc_roles": roles,
        }
        | values
    )
