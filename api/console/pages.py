"""Pages of the console: rendered here, escaped, complete without JavaScript; and the same pages as a live stream.

A page's address answers a browser with the page, and an EventSource with the parts of it that have changed.
"""

from __future__ import annotations

import hashlib
import re
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

import anyio
from jinja2 import Environment, FileSystemLoader, StrictUndefined, pass_context
from markupsafe import Markup, escape
from sse_starlette import EventSourceResponse
from starlette.requests import ClientDisconnect
from starlette.responses import HTMLResponse

from api import reads, root_path
from api.console import zones
from api.console.plots import area
from api.console.sessions import csrf_token, current, found, share
from api.console.texts import install, visible
from engine.admin import words
from engine.admin.amounts import some, span
from engine.admin.counts import COUNTED
from engine.admin.effects import of_trouble
from engine.admin.filters import TIMES
from engine.admin.masking import masked
from engine.admin.paused import SAID
from engine.admin.paused import told as who_paused
from engine.admin.row_statements import BACKLOG
from engine.admin.sentences import label, sentence, thing
from engine.auth.operators import Role
from engine.errors import VarselError
from engine.queue import due
from engine.text import language
from engine.text.language import decimal
from engine.text.times import local, rfc3339

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping

    from sqlalchemy import Connection
    from starlette.requests import Request
    from starlette.responses import Response

    Read = Callable[[Request], Awaitable[dict[str, Any]]]

P = ParamSpec("P")
R = TypeVar("R")

TEMPLATES = Path(__file__).parents[2] / "templates" / "console"
LOOK_EVERY = 1.0  # seconds between two looks of a live page
REST = 20  # a page rests so many times as long as its look took: a slow one costs little
GRACE = 2.0  # seconds in which a live page ends when the server does
TOLD = "told"  # in the session
OPEN = ("filter", "findings")  # what a viewer asked for, and what is wrong with the system: nothing of it is masked
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; frame-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "no-store",
    "Vary": "Accept, Accept-Language",  # and Cookie, as the session says
}
_TIME_IN_TEXT = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d(?::\d\d)?) UTC")


def render(request: Request, name: str, status: int = 200, **values: Any) -> Response:
    """A page of templates/console."""
    told = request.session.pop(TOLD, None)
    text = _environment.get_template(name).render(_all(request, {"told": told} | values))
    return HTMLResponse(text, status, HEADERS | {"Content-Language": language.current().code})


def tell(request: Request, text: str, order: UUID | None = None) -> None:
    """Say so on the next page that the operator sees, with a link to the `order` that it has made."""
    request.session[TOLD] = (text, order and str(order))


async def look(request: Request, act: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call `act(connection, …)` on a view, in the operator's share of the readers."""
    return await reads.read(request, _share(request), act, *args, **kwargs)


async def write(request: Request, act: Callable[Concatenate[Connection, P], R], *args: P.args, **kwargs: P.kwargs) -> R:
    """Call `act(connection, …)` in a transaction, in the operator's share of the writers; then workers look at once."""
    written: R = await request.app.state.writers.write(_share(request), act, *args, **kwargs)
    for lane in due.LANES:
        request.app.state.notifier.notify(lane.name)
    return written


def _share(request: Request) -> str:
    operator = found(request)
    return share(operator.name if operator else "")


async def page(request: Request, name: str, read: Read, *, live: bool = True) -> Response:
    """A page of what `read` returns; for a request of an event stream, its parts as they change."""
    if live and request.headers.get("accept") == "text/event-stream":
        ending = anyio.Event()  # set when the server stops
        return EventSourceResponse(
            _stream(request, name, read, ending),
            ping=15,
            headers={name: HEADERS[name] for name in ("Cache-Control", "Vary")},
            shutdown_event=ending,
            shutdown_grace_period=GRACE,
        )
    return render(request, name, **await read(request) | {"live": live})


async def _stream(request: Request, name: str, read: Read, ending: anyio.Event) -> AsyncIterator[Mapping[str, str]]:
    template = _environment.get_template(name)
    last = b""
    with request.app.state.live.opened(_share(request), ending) as live:
        while not ending.is_set():
            started = time.monotonic()
            try:
                if await current(request) is None:
                    yield {"event": "gone", "data": ""}
                    return
                values = await read(request)
            except (VarselError, ClientDisconnect):  # the database or what was shown is away: the browser asks again
                return
            text = template.render(_all(request, values | {"layout": "_live.html"}))
            digest = hashlib.blake2b(text.encode()).digest()
            if digest != last:
                yield {"event": "page", "data": text}
            last = digest
            request.state.resting = True
            with anyio.move_on_after(max(LOOK_EVERY, REST * (time.monotonic() - started))):
                await ending.wait()
            request.state.resting = False
        if live.displaced:
            yield {"event": "full", "data": ""}


def _all(request: Request, values: dict[str, Any]) -> dict[str, Any]:
    """What every page knows, and its own values as the operator may see them."""
    operator = found(request)
    if operator is None or not operator.role.sees_personal_data:
        values = masked(values) | {name: values[name] for name in OPEN if name in values}
    common = {
        "path": request.url.path,
        "root_path": root_path.of(request.app.state.settings),
        "operator": operator,
        "csrf": csrf_token(request),
        "language": language.current().code,
        "zone_shown": zones.shown(request),
        "zone_chosen": zones.chosen(request) is not None,
        "inbox": request.app.state.settings.inbox is not None,
        "open_to_all": not request.app.state.sign_in_needed,
        "sees_personal_data": operator is not None and operator.role.sees_personal_data,
        "may_act": operator is not None and operator.role.allows(Role.OPERATOR),
        "may_pause": operator is not None and operator.role.allows(Role.ADMIN),
    }
    return {"layout": "_console.html", "live": False, "told": None} | common | values


@pass_context
def _time(context: Mapping[str, Any], value: datetime | None) -> str | Markup:
    """A time in the reader's zone, with UTC in its title; the script writes it as the reader's language does."""
    if value is None:
        return "—"
    title = value.strftime("%Y-%m-%d %H:%M:%S.") + f"{value.microsecond // 1000:03d} UTC"
    mark = Markup('<time datetime="{}" title="{}">{:%Y-%m-%d %H:%M:%S %Z}</time>')
    return mark.format(rfc3339(value), title, local(value, ZoneInfo(context["zone_shown"])))


@pass_context
def _timed(context: Mapping[str, Any], text: str) -> Markup:
    """A sentence of ours, with the times in it as `_time` shows them."""
    parts = _TIME_IN_TEXT.split(str(text))
    times = [datetime.fromisoformat(part).replace(tzinfo=UTC) for part in parts[1::2]]
    shown = [visible(part) for part in parts[::2]]
    return Markup().join(
        [escape(shown[0]), *(escape(_time(context, at)) + after for at, after in zip(times, shown[1:], strict=True))]
    )


@pass_context
def _typed(context: Mapping[str, Any], value: datetime) -> str:
    """A time as a field has it whose zone is the page's."""
    return f"{local(value, ZoneInfo(context['zone_shown'])):%Y-%m-%dT%H:%M}"


def _seconds(first: datetime, last: datetime) -> float:
    """The time between two times."""
    return (last - first).total_seconds()


def _short(value: Any) -> str:
    """The end of an identifier, which is what tells two apart."""
    return str(value)[-8:] if isinstance(value, UUID) else str(value)


@pass_context
def _condition(context: Mapping[str, Any], value: str, name: str) -> str | Markup:
    """What a list is narrowed to by this name; a time as `_time` shows it, unless it is one such as 24h."""
    if name in TIMES:
        with suppress(ValueError):
            return _time(context, datetime.fromisoformat(value))
    return words.of_condition(name, value)


def _rate(value: float) -> str:
    """How many a minute: few, with a digit behind the point."""
    return decimal(value, 1 if 0 < value < 10 else 0)  # noqa: PLR2004 one digit is enough


def _commands(text: str) -> Markup:
    """A sentence whose commands stand between backticks."""
    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else part for place, part in enumerate(parts)
    )


_environment = Environment(
    loader=FileSystemLoader(TEMPLATES),
    autoescape=True,
    undefined=StrictUndefined,
    finalize=visible,
    trim_blocks=True,
    lstrip_blocks=True,
    extensions=[root_path.Links],
)
install(_environment)
_environment.filters |= {
    "time": _time,
    "timed": _timed,
    "span": span,
    "short": _short,
    "typed": _typed,
    "rfc3339": rfc3339,
}
_environment.filters |= {"worded": words.of_state, "outcome": words.of_outcome, "seconds": _seconds}
_environment.filters |= {"condition": _condition, "paused": who_paused}
_environment.filters |= {"lane": words.of_lane, "field": words.of_field}
_environment.filters |= {"processes": words.of_processes, "erased": words.of_erased, "reason": words.of_reason}
_environment.filters["trouble"] = of_trouble
_environment.globals |= {"area": area, "some": some, "job_words": words.of_job}
_environment.globals |= {"sentence": sentence, "action_label": label, "thing": thing}
_environment.filters |= {"rate": _rate, "commands": _commands}
_environment.globals |= {"BACKLOG": BACKLOG, "COUNTED": COUNTED, "SAID": SAID, "TIMES": TIMES}
