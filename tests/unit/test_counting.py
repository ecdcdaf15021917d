"""Answers count to the part of their endpoint; handing them over together equals observing each."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import httpx
from prometheus_client import REGISTRY, CollectorRegistry, Histogram
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.responses import Response
from starlette.routing import Route

from api.counting import OTHER, CountAnswers, Part
from api.endpoints import Endpoint
from engine.observability.metrics import SECONDS
from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    from starlette.requests import Request

TOOK = [0.0, *SECONDS, *(bound + 0.001 for bound in SECONDS), 3600.0]


def test_what_is_handed_over_is_what_the_library_would_have_observed() -> None:
    one_by_one = CollectorRegistry()
    histogram = Histogram("varsel_request_seconds", "", ["part"], registry=one_by_one, buckets=SECONDS).labels(OTHER)
    names = [(f"varsel_request_seconds_{name}", {"part": OTHER}) for name in ("sum", "count")]
    names += [("varsel_request_seconds_bucket", {"part": OTHER, "le": str(float(bound))}) for bound in SECONDS]
    names += [("varsel_request_seconds_bucket", {"part": OTHER, "le": "+Inf"})]
    statuses = [("varsel_requests_total", {"part": OTHER, "status": f"{digit}xx"}) for digit in (2, 4)]
    part = Part(OTHER)
    before = [REGISTRY.get_sample_value(*name) or 0.0 for name in names + statuses]
    for number, seconds in enumerate(TOOK):
        part.count(204 if number else 404, seconds)
        histogram.observe(seconds)
    for _ in range(2):  # the second time there is nothing new
        part.hand_over()
    after = [REGISTRY.get_sample_value(*name) or 0.0 for name in names + statuses]
    more = [round(now - then, 6) for now, then in zip(after, before, strict=True)]
    expected = [one_by_one.get_sample_value(*name) or 0.0 for name in names]
    assert more == [*(round(value, 6) for value in expected), len(TOOK) - 1, 1]


def test_an_answer_counts_to_the_part_of_its_endpoint() -> None:
    async def purr(_request: Request) -> Response:
        return Response()

    routes = [Route("/kittens", Endpoint(purr, "kittens"), methods=["GET"]), Route("/others", purr)]
    app = Starlette(routes=routes, middleware=[Middleware(CountAnswers, parts={"kittens"})])

    def counted() -> list[float]:
        names = ({"part": part, "status": status} for part in ("kittens", OTHER) for status in ("2xx", "4xx"))
        return [REGISTRY.get_sample_value("varsel_requests_total", labels) or 0.0 for labels in names]

    async def asked() -> None:
        async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://varsel") as anybody:
            for method, path in (("GET", "/kittens"), ("PUT", "/kittens"), ("GET", "/others"), ("GET", "/nowhere")):
                await anybody.request(method, path)
        await asyncio.to_thread(wait_for, lambda: counted() != before)  # handed over in a moment

    before = counted()
    asyncio.run(asked())
    assert [now - then for now, then in zip(counted(), before, strict=True)] == [1, 1, 1, 1]
