"""Recipients that follow their order over HTTP: sent as lines, counted as they come, until the order is closed."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException

from api import reads
from api.auth import require_creator
from api.bodies import check_coding, media_type
from api.openapi import Description, Operations, Parameter
from api.openapi import Response as Documented
from api.orders import ID, PREFIX, READ, TAKEN, asked, asked_by
from api.parameters import INT32, Given, integer, integers, not_valid
from api.problems import Problem
from api.upload_answers import DryRun, RecipientLine, RecipientTable, UploadStatus
from engine.errors import Overrun
from engine.models import ContentType
from engine.orders import uploads
from engine.orders.forecasts import forecast
from engine.orders.line_rules import fitting, to_guests
from engine.orders.recipient_lines import LONGEST_LINE
from engine.orders.upload_reading import Reading, Start
from engine.queue import due
from engine.templating import registry
from engine.templating.content import Content

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from engine.models import Caller
    from engine.orders.forecasts import Forecast
    from engine.orders.line_rules import Rule
    from engine.orders.uploads import Upload

NDJSON, CSV = "application/x-ndjson", "text/csv"
MEDIA = {NDJSON: False, "application/ndjson": False, "application/jsonl": False, CSV: True}  # whether it is CSV
BLOCK = 262_144  # bytes that are read, checked and stored at once
AT_ONCE = 6  # uploads of a process; of one creator, two thirds

FROM = Parameter(
    "fromLine",
    "query",
    "which line of all the body begins with: 1 (then lines that were taken already are skipped), or the next",
    schema=integers(INT32) | {"default": 1},
)
DRY_RUN = Parameter(
    "dryRun",
    "query",
    "store nothing: tell what would follow if the order were closed behind these lines",
    schema={"type": "boolean", "default": False},
)
VALID_ONLY = Parameter(
    "validOnly",
    "query",
    "close the order although some lines are invalid: they get nothing",
    schema={"type": "boolean", "default": False},
)
UNKNOWN = {
    400: Documented("The input breaks a rule; `errors` says which, per field.", Problem),
    404: Documented("This creator has no such order, or it came with its recipients.", Problem),
    **READ,
}


OPERATIONS = Operations("Orders")


@OPERATIONS.add(
    Description(
        method="POST",
        path=PREFIX + "/orders/{id}/recipients",
        summary="Send recipients of an open order",
        description="Any number of lines, each a recipient, in any number of requests. Each is checked by itself: what"
        f" is wrong is reported, and the others are taken. A line has at most {LONGEST_LINE:,} bytes.",
        parameters=(ID, FROM, DRY_RUN),
        media={NDJSON: RecipientLine, CSV: RecipientTable},
        example={"emailAddress": "kari@example.no", "values": {"name": "Kari"}},
        responses={
            200: Documented("Stored: how far it is.", UploadStatus),
            408: Documented("Of the body, less than 16 kB came in 30 seconds.", Problem),
            409: Documented("The order is not open, or the body does not begin with the next line.", Problem),
            413: Documented(f"A line is longer than {BLOCK:,} bytes: it is not even reported.", Problem),
            415: Documented("The body is neither NDJSON nor CSV, or it is compressed.", Problem),
            **UNKNOWN,
        },
    )
)
async def post(request: Request) -> Response:
    """Take recipients in, as they come."""
    csv = MEDIA.get(media_type(request))
    if csv is None:
        raise HTTPException(415)
    check_coding(dict(request.scope["headers"]))
    caller, order_id = await asked_by(request)
    creator = require_creator(caller)
    start, dry = Start(_from_line(request), csv), Given(request).flag(DRY_RUN.name)
    state = request.app.state
    if not state.uploading.fits(creator):
        raise Overrun("Other uploads leave no room for this one; wait until one of them has ended.")
    state.uploading.take(creator)
    try:
        upload: Upload = await state.readers.read(creator, uploads.find_open, creator, order_id)
        reading = await _read(request, caller, upload, start, store=not dry)
    finally:
        state.uploading.give_back(creator)
    if dry:
        zones = reading.zones + Counter({None: upload.valid})  # nobody looks at what came before
        calendars = state.limits.calendars
        found = await state.readers.read(creator, forecast, creator, order_id, zones, reading.first, calendars)
        run = DryRun.of(await _filled(request, creator, upload, reading, found))
        return UploadStatus.of(upload, reading.totals, run).response()
    upload = await state.readers.read(creator, uploads.find, creator, order_id)
    return UploadStatus.of(upload).response()


async def _filled(request: Request, creator: str, upload: Upload, reading: Reading, found: Forecast) -> Forecast:
    """The forecast with a sample of the order's template, if it has one; Invalid when it cannot be rendered."""
    if not (upload.template_id and found.sample and reading.first):
        return found
    state, its = request.app.state, reading.first
    version = await state.readers.read(creator, registry.find_by_id, upload.template_id)
    said = await state.catalogue.preview(creator, version, its.get("values", {}), its.get("locale"))
    content = replace(
        found.sample.content,
        subject=said.subject or "",
        body=said.html or said.text or "",
        content_type=ContentType.HTML if said.html else ContentType.PLAIN,
    )
    return replace(found, sample=replace(found.sample, content=content))


async def _rules(request: Request, caller: Caller, upload: Upload, start: Start) -> Sequence[Rule]:
    """What each line must fit."""
    rules = [] if caller.guests is None else [to_guests(caller.guests)]
    if upload.template_id:
        version = await request.app.state.readers.read(caller.creator, registry.find_by_id, upload.template_id)
        rules.append(fitting(Content.of(version.content).schema, texts=start.csv))
    return rules


async def _read(request: Request, caller: Caller, upload: Upload, start: Start, *, store: bool) -> Reading:
    """Read the body of an upload and, unless it is a dry run, store what was read."""
    state, creator = request.app.state, require_creator(caller)
    digests = state.digests.take(upload.id, upload.lines)
    if digests is None:
        digests = await state.readers.read(creator, uploads.digests, upload.order_seq)
    rules = await _rules(request, caller, upload, start)
    reading = Reading(upload, digests, start, state.settings.max_streamed_recipients, rules)
    async for block in _blocks(request):
        before = reading.totals.lines
        take = partial(reading.take, block)
        piece = await state.large_bodies.turn(creator, take, rest=0.0)  # others go on while it is stored
        if piece and store:
            await state.writers.write(creator, uploads.add, upload.order_seq, before, piece)
    reading.end()
    if store:
        state.digests.keep(upload.id, reading.totals.lines, digests)
    return reading


def _from_line(request: Request) -> int:
    text = Given(request).text(FROM.name.lower()).strip()
    line = integer(FROM.name, text, INT32) if text else 1
    if line < 1:
        raise not_valid(FROM.name, text)
    return line


async def _blocks(request: Request) -> AsyncIterator[bytes]:
    """The body in blocks of whole lines; the last one may have no end."""
    request.state.streams = True  # see api/connections
    text = bytearray()
    async for part in request.stream():
        text += part
        if len(text) >= BLOCK:
            end = text.rfind(b"\n") + 1
            if not end:
                raise HTTPException(413, f"A line has at most {LONGEST_LINE:,} bytes.")
            yield bytes(text[:end])
            del text[:end]
    if text:
        yield bytes(text)


@OPERATIONS.add(
    Description(
        method="GET",
        path=PREFIX + "/orders/{id}/recipients",
        summary="How far the recipients of an order have come",
        description="The counts, the next line, and what is wrong with the first invalid lines.",
        parameters=(ID,),
        responses={200: Documented("How far it is.", UploadStatus), **UNKNOWN},
    )
)
async def get(request: Request) -> Response:
    """How far the recipients of an order have come."""
    creator, order_id = await asked(request)
    return UploadStatus.of(await reads.read(request, creator, uploads.find, creator, order_id)).response()


@OPERATIONS.add(
    Description(
        method="PUT",
        path=PREFIX + "/orders/{id}/close",
        summary="Close an order that has all its recipients",
        description="From now on it waits for its send time like any other. Closing twice is no error.",
        parameters=(ID, VALID_ONLY),
        responses={
            200: Documented("Closed.", UploadStatus),
            409: Documented("Some lines are invalid, or the order was cancelled.", Problem),
            429: TAKEN[429],
            **UNKNOWN,
        },
    )
)
async def put_close(request: Request) -> Response:
    """Close an order."""
    creator, order_id = await asked(request)
    state = request.app.state
    valid_only = Given(request).flag(VALID_ONLY.name)
    upload = await state.writers.write(creator, uploads.close, state.quotas, creator, order_id, valid_only=valid_only)
    state.notifier.notify(due.ORDERS.name)
    return UploadStatus.of(upload).response()
