"""The console's page of rates: how much was done in an hour, a day, a week or a month, and how long it took."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.routing import Route

from api.console import charts
from api.console.pages import look, page
from api.console.sessions import require
from engine.admin import amounts, filters, rates
from engine.admin.amounts import percent
from engine.auth.operators import Role
from engine.db.dialects import now
from engine.errors import Invalid
from engine.text.language import N_, _, number
from engine.text.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    from engine.admin.rates import Rates, Span

USUAL = "day"
MULTIPLE = 10  # of the span before, from which on a sum is told as one
ACCEPTED, AGAIN = N_("accepted"), N_("to be tried again")
CHARTS = (
    charts.Plan(
        "emails",
        N_("E-mails"),
        (("emails.accepted", ACCEPTED, "area"), ("emails.deferred", AGAIN, "line again")),
    ),
    charts.Plan(
        "failures",
        N_("Failures"),
        (
            ("emails.failed", N_("e-mails failed"), "area failed"),
            ("webhooks.failed", N_("webhooks given up"), "line other"),
        ),
    ),
    charts.Plan(
        "delay",
        N_("Delay, from the requested send time until the relay had it"),
        (
            ("delay.p50", N_("half took at most (p50)"), "line"),
            ("delay.p99", N_("99 % took at most (p99)"), "line other"),
        ),
        N_("Bulk and test orders, and orders that say when they expire, are not counted."),
    ),
    charts.Plan("orders", N_("Orders taken in"), (("orders", N_("orders"), "area"),)),
    charts.Plan("events", N_("Events taken in"), (("events", N_("events"), "area"),)),
    charts.Plan(
        "webhooks",
        N_("Webhooks"),
        (("webhooks.accepted", ACCEPTED, "area"), ("webhooks.deferred", AGAIN, "line again")),
    ),
)
COLUMNS = {  # of the table: what each is called, and its series
    N_("Orders"): "orders",
    N_("E-mails"): "emails.accepted",
    N_("Again"): "emails.deferred",
    N_("Failed"): "emails.failed",
    N_("Share failed"): "emails.share",
    N_("Delay p50"): "delay.p50",
    N_("p99"): "delay.p99",
    N_("Events"): "events",
    N_("Webhooks"): "webhooks.accepted",
    N_("Pushed again"): "webhooks.deferred",
    N_("Given up"): "webhooks.failed",
}


LISTS = {  # the list of what a series has counted in a step, with its conditions; {first} and {end} bound the step
    "orders": ("orders", {"since": "{first}", "until": "{end}"}),
    "emails.accepted": ("emails", {"state": "Succeeded", "ended": "{first}", "upto": "{end}"}),
    "emails.failed": ("emails", {"state": "failed", "ended": "{first}", "upto": "{end}"}),
    "events": ("events", {"since": "{first}", "until": "{end}"}),
}
PEAKS = {"emails": "emails.accepted", "failures": "emails.failed"}  # the series whose highest step is told, by chart


@dataclass(frozen=True, slots=True)
class Cell:
    """A value of the table, with its heading; `address`: the list of what was counted, or None."""

    title: str
    value: str
    address: str | None


@dataclass(frozen=True, slots=True)
class Step:
    """A row of the table; `nearer`: the page that shows it from near."""

    at: datetime
    cells: Sequence[Cell]
    nearer: str | None


@dataclass(frozen=True, slots=True)
class Peak:
    """The step in which a series is the highest: its count, the list of that, and the page that shows it from near."""

    at: datetime
    count: int
    address: str
    nearer: str | None


async def rates_page(request: Request) -> Response:
    """Charts and a table of what was done, and how long it took."""
    await require(request, Role.VIEWER)
    name, until = request.query_params.get("span", USUAL), request.query_params.get("until", "")
    if name not in rates.SPANS:
        raise Invalid({"span": [_("One of %(names)s.", names=", ".join(rates.SPANS))]})

    async def read(request: Request) -> dict[str, Any]:
        return _shown(await look(request, _found, rates.SPANS[name], until))

    return await page(request, "rates.html", read, live=name == "hour" and not until)


def _found(connection: Connection, span: Span, until: str) -> Rates:
    """The rates of a span up to a time as it was typed (empty: now); Invalid."""
    try:
        end = filters.moment(until, now(connection)) if until else None
    except ValueError as error:
        raise Invalid({"until": [str(error)]}) from None
    return rates.rates(connection, span, end)


def _shown(found: Rates) -> dict[str, Any]:
    span = found.span
    return {
        "rates": found,
        "spans": [(each.name, _address(each)) for each in rates.SPANS.values()],
        "earlier": _address(span, found.first) if found.first - span.length > found.now - span.kept else None,
        "later": None if found.is_newest else _address(span, found.until + span.length),
        "newest": _address(span),
        "step": amounts.span(span.step),
        "mark": charts.EVERY[span.name],
        "times": charts.times_of(found),
        "charts": _charts(found),
        "columns": COLUMNS,
        "steps": _steps(found),
        "beside": _beside(found),
        "peaks": _peaks(found),
    }


def _address(span: Span, until: datetime | None = None) -> str:
    return f"/console/rates?{urlencode({'span': span.name} | ({'until': rfc3339(until)} if until else {}))}"


def _charts(found: Rates) -> Sequence[charts.Chart]:
    draw = {"delay": charts.of_delays}
    return [draw.get(plan.name, charts.of_counts)(plan, found) for plan in CHARTS]


def _steps(found: Rates) -> Sequence[Step]:
    """The rows of the table, the newest first."""
    shown = {series: list(map(number, counts)) for series, counts in found.counts.items()}
    shown |= {series: list(map(charts.delay, delays)) for series, delays in found.delays.items()}
    shown["emails.share"] = list(map(share, found.counts["emails.failed"], found.counts["emails.accepted"]))
    made = []
    for place in range(found.span.length // found.span.step):
        cells = [Cell(title, shown[series][place], _list(found, series, place)) for title, series in COLUMNS.items()]
        made.append(Step(_begins(found, place), cells, _nearer(found, place)))
    return made[::-1]


def _peaks(found: Rates) -> dict[str, Peak]:
    """The highest step of some charts; the newest of several."""
    peaks = {}
    for chart, series in PEAKS.items():
        most, place = max((count, place) for place, count in enumerate(found.counts[series]))
        if address := _list(found, series, place):
            peaks[chart] = Peak(_begins(found, place), most, address, _nearer(found, place))
    return peaks


def _begins(found: Rates, place: int) -> datetime:
    return found.first + place * found.span.step


def _nearer(found: Rates, place: int) -> str | None:
    """The page that shows a step from near; None: there is none, or its samples are gone."""
    finer, at = rates.SPANS.get(found.span.finer or ""), _begins(found, place)
    return _address(finer, at + found.span.step) if finer and at > found.now - finer.kept else None


def _list(found: Rates, series: str, place: int) -> str | None:
    """The list of what a series has counted in a step; None: there is none, or nothing on it."""
    if series not in LISTS or not found.counts[series][place]:
        return None
    resource, given = LISTS[series]
    bounds = {"first": rfc3339(_begins(found, place)), "end": rfc3339(_begins(found, place + 1))}
    return f"/console/{resource}?{urlencode({name: value.format(**bounds) for name, value in given.items()})}"


def share(failed: int, accepted: int) -> str:
    """How many of those that were settled have failed."""
    return percent(failed / (failed + accepted)) if failed + accepted else "—"


def _beside(found: Rates) -> dict[str, str]:
    """What stands beside the sum of a series: how it compares with the span before, and of failures their share."""
    sums = {name: sum(counts) for name, counts in found.counts.items()}
    beside = {name: change(here, found.before[name]) for name, here in sums.items()}
    of_all = _("%(share)s of all", share=share(sums["emails.failed"], sums["emails.accepted"]))
    beside["emails.failed"] = ", ".join(filter(None, (of_all, beside["emails.failed"])))
    return beside


def change(here: int, before: int) -> str:
    """How a sum compares with the one before; empty: there was none before. Of a multiple, percent say nothing."""
    if not before:
        return ""
    if here >= MULTIPLE * before:
        return f"\N{MULTIPLICATION SIGN} {number(round(here / before))}"
    more = round(100 * (here - before) / before)
    sign = "+" if more > 0 else "\N{MINUS SIGN}" if more < 0 else "\N{PLUS-MINUS SIGN}"
    return f"{sign}{number(abs(more))} %"


ROUTES = [Route("/rates", rates_page)]
