"""The two ways to carry a plan out: all I/O of this package is here."""

from __future__ import annotations

import ssl
import time
from inspect import isawaitable
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import httpx

from varsel.client.calls import Answer
from varsel.client.generated.version import VERSION
from varsel.client.plans import Exchange, Failure, Limits, Outcome, Pause, Plan

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

T = TypeVar("T")
Token: TypeAlias = "str | Callable[[], str] | None"  # noqa: S105 its type
AsyncToken: TypeAlias = "str | Callable[[], str | Awaitable[str]] | None"

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
_UNANSWERED = (
    httpx.TimeoutException,
    httpx.NetworkError,
    httpx.RemoteProtocolError,
    httpx.ProxyError,
    httpx.DecodingError,
)
_AGENT = {"User-Agent": f"varsel-client/{VERSION}", "Accept": "application/json, application/*+json"}


class Connection:
    """Carries plans out, and waits meanwhile."""

    def __init__(self, http: httpx.Client, address: str, token: Token, platform: Token, limits: Limits) -> None:
        self.limits = limits
        self._http = http
        self._address = address
        self._token, self._platform = token, platform

    def run(self, plan: Plan[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = plan.send(outcome)
            except StopIteration as done:
                result: T = done.value
                return result
            outcome = self._pause(step) if isinstance(step, Pause) else self._exchange(step)

    def _pause(self, step: Pause) -> Outcome:
        time.sleep(step.seconds)
        return None

    def _exchange(self, step: Exchange) -> Outcome:
        token, platform = (each() if callable(each) else each for each in (self._token, self._platform))
        try:
            return _answer(self._http.send(_request(self._http, self._address, step, token, platform)))
        except _UNANSWERED as error:
            return _failure(error)


class AsyncConnection:
    """Carries plans out, and lets others go on meanwhile."""

    def __init__(
        self, http: httpx.AsyncClient, address: str, token: AsyncToken, platform: AsyncToken, limits: Limits
    ) -> None:
        self.limits = limits
        self._http = http
        self._address = address
        self._token, self._platform = token, platform

    async def run(self, plan: Plan[T]) -> T:
        outcome: Outcome = None
        while True:
            try:
                step = plan.send(outcome)
            except StopIteration as done:
                result: T = done.value
                return result
            outcome = await (self._pause(step) if isinstance(step, Pause) else self._exchange(step))

    async def _pause(self, step: Pause) -> Outcome:
        import asyncio  # noqa: PLC0415 it takes as long as the rest of this package, and most programs do not need it

        return await asyncio.sleep(step.seconds, None)

    async def _exchange(self, step: Exchange) -> Outcome:
        token, platform = await _current(self._token), await _current(self._platform)
        try:
            return _answer(await self._http.send(_request(self._http, self._address, step, token, platform)))
        except _UNANSWERED as error:
            return _failure(error)


async def _current(token: AsyncToken) -> str | None:
    found = token() if callable(token) else token
    return await found if isawaitable(found) else found


def _request(
    http: httpx.Client | httpx.AsyncClient, address: str, step: Exchange, token: str | None, platform: str | None
) -> httpx.Request:
    call = step.call
    headers = {**_AGENT, **call.headers, **_credentials(token, platform)}
    query = httpx.QueryParams(list(call.query)) if call.query else None
    return http.build_request(
        call.method, address + call.path, params=query, headers=headers, content=call.content, timeout=step.timeout
    )


def _credentials(token: str | None, platform: str | None) -> Mapping[str, str]:
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    return bearer | ({"PlatformAccessToken": platform} if platform else {})


def _answer(response: httpx.Response) -> Answer:
    return Answer(
        response.status_code, {name.lower(): value for name, value in response.headers.items()}, response.content
    )


def _failure(error: Exception) -> Failure:
    return Failure(error, sent=not isinstance(error, _NOT_SENT), final=_is_distrust(error))


def _is_distrust(error: BaseException | None) -> bool:
    """Whether the other side could not prove who it is: it will not in a second either."""
    while error is not None and not isinstance(error, ssl.SSLCertVerificationError):
        error = error.__cause__ or error.__context__
    return error is not None
