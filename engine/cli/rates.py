"""`varsel rates`: what was done in an hour, a day, a week or a month, as the console's page of that name shows."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from engine.cli.installation import reading
from engine.cli.options import Csv, Data, Json, local
from engine.cli.output import Form, form_of, print_rows

if TYPE_CHECKING:
    from engine.admin.rates import Rates


def rates(
    span: Annotated[Literal["hour", "day", "week", "month"], typer.Argument(help="How far back.")] = "day",
    until: Annotated[str | None, typer.Option(callback=local, help="Its end: a time, or how long ago: 7d.")] = None,
    as_json: Json = False,
    as_csv: Csv = False,
    data: Data = None,
) -> None:
    """Print what was taken in, sent and failed.

    Step by step, with the delay of e-mails: half took at most p50, 99 % at most p99.
    """
    from engine.admin import filters
    from engine.admin import rates as samples
    from engine.db.dialects import now
    from engine.errors import Invalid

    form = form_of(as_json, as_csv)
    with reading(data) as connection:
        try:
            end = filters.moment(until, now(connection)) if until else None
        except ValueError as error:
            raise Invalid({"until": [str(error)]}) from None
        found = samples.rates(connection, samples.SPANS[span], end)
    print_rows(form, "rates", [_row(found, place, form) for place in range(found.span.length // found.span.step)])


def _row(found: Rates, place: int, form: Form) -> dict[str, Any]:
    """A step; programs get delays in seconds, people as spans of time."""
    delays = {series: values[place] for series, values in found.delays.items()}
    if form is Form.TABLE:
        shown = {series: None if delay is None else timedelta(seconds=delay) for series, delay in delays.items()}
    else:
        shown = {series: None if delay is None else round(delay, 3) for series, delay in delays.items()}  # type: ignore[misc]
    counts = {series: values[place] for series, values in found.counts.items()}
    named = {series.replace(".", "_"): value for series, value in (counts | shown).items()}
    return {"at": found.first + place * found.span.step} | named
