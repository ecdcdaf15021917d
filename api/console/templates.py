"""Templates in the console: which there are, their versions, a preview as one types, and a test to an address."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from api.console.acting import allowed, text_of
from api.console.messages import FOREIGN
from api.console.pages import look, page, render, tell, write
from api.console.sessions import require
from engine.admin import templates
from engine.admin.filters import number
from engine.auth.operators import Role
from engine.email.plain_text import readable
from engine.errors import Invalid, NotFound
from engine.templating.content import Content, Texts
from engine.templating.examples import example
from engine.templating.schema import check
from engine.text.json_numbers import read_json
from engine.text.language import _

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from engine.templating.own import Own
    from engine.templating.registry import TemplateVersion


async def listed(request: Request) -> Response:
    """The templates of all creators."""
    await require(request, Role.VIEWER)
    return await page(request, "templates.html", _listed, live=False)


async def one(request: Request) -> Response:
    """A version: its texts, its values, and what it would say."""
    await require(request, Role.OPERATOR)
    given = request.query_params
    found = await look(request, templates.one, _own(request), *_named(given))
    content: Content = found["content"]
    texts = [(content.locale, content.usual), *content.locales.items()]
    return render(
        request,
        "template.html",
        **found,
        texts=[(f"{kind}, {locale}", text) for locale, each in texts for kind, text in _sources(each)],
        example=example(content.schema),
        query=urlencode({"creator": found["version"].creator or "", "name": found["version"].name}),
    )


async def preview(request: Request) -> Response:
    """A version with these values, for a sandboxed frame: its HTML, or its subject and text."""
    _operator, form = await allowed(request, Role.OPERATOR)
    version = await look(request, templates.version, _own(request), *_named(form))
    try:
        values = _values(form)
        check(Content.of(version.content).schema, values)
        said = await request.app.state.catalogue.preview("operators", version, values, text_of(form, "locale"))
    except Invalid as error:
        return PlainTextResponse("\n".join(_faults(error)), headers=FOREIGN)
    if said.html is not None and text_of(form, "part") == "html":
        return Response(said.html, media_type="text/html", headers=FOREIGN)
    text = said.text if said.text is not None else readable(said.html or "")
    subject = said.subject or _("(a part: it has no subject)")
    return PlainTextResponse(f"{subject}\n\n{text}", headers=FOREIGN)


async def send(request: Request) -> Response:
    """Send a version with these values to an address."""
    operator, form = await allowed(request, Role.OPERATOR)
    version: TemplateVersion = await look(request, templates.version, _own(request), *_named(form))
    sender = request.app.state.settings.from_address
    about = (version, text_of(form, "address"), _values(form), text_of(form, "locale") or None, sender)
    made = await write(request, templates.send_test, operator, *about)
    tell(request, _("The test is on its way."), made)
    given = {name: text_of(form, name) for name in ("creator", "name", "version")}
    return RedirectResponse(f"/console/templates/one?{urlencode(given)}", 303)


async def _listed(request: Request) -> dict[str, Any]:
    return {"templates": await look(request, templates.listed, _own(request))}


def _sources(texts: Texts) -> list[tuple[str, str]]:
    named = ((_("Subject"), texts.subject), ("HTML", texts.html), (_("Text"), texts.text))
    return [(kind, text) for kind, text in named if text is not None]


def _own(request: Request) -> Own:
    own: Own = request.app.state.catalogue.own
    return own


def _named(given: Mapping[str, Any]) -> tuple[str, str, int | None]:
    """Whose template is meant, which, and which version; NotFound."""
    text = text_of(given, "version")
    try:
        return text_of(given, "creator"), text_of(given, "name"), number(text) if text else None
    except ValueError:
        raise NotFound(_("There is no such version.")) from None


def _values(form: Mapping[str, Any]) -> dict[str, Any]:
    try:
        values = read_json(text_of(form, "values").encode() or b"{}")
    except ValueError as error:
        raise Invalid({"values": [_("This is not valid JSON: %(error)s.", error=error)]}) from None
    if not isinstance(values, dict):
        raise Invalid({"values": [_("The values are a JSON object.")]})
    return values


def _faults(error: Invalid) -> list[str]:
    return [f"{name}: {' '.join(texts)}" for name, texts in error.errors.items()]


ROUTES = [
    Route("/templates", listed),
    Route("/templates/one", one),
    Route("/templates/preview", preview, methods=["POST"]),
    Route("/templates/test", send, methods=["POST"]),
]
