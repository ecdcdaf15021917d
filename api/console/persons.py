"""What is known of an address, in the console: told to operators, erased by admins. No address of a page has it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pydantic_core import to_json
from starlette.responses import Response
from starlette.routing import Route

from api.console.acting import allowed, text_of
from api.console.pages import HEADERS, look, render, write
from api.console.sessions import require
from engine.admin.persons.erasure import Erasure
from engine.admin.persons.export import Export, note_export
from engine.admin.persons.person import Person
from engine.auth.operators import Role

if TYPE_CHECKING:
    from starlette.requests import Request

PAGE = "persons.html"


async def show(request: Request) -> Response:
    """The page on which an address is typed."""
    await require(request, Role.OPERATOR)
    return render(request, PAGE, typed="", receipt=None)


async def export(request: Request) -> Response:
    """All that is known of an address, as a file."""
    operator, form = await allowed(request, Role.OPERATOR)
    person = Person.of(text_of(form, "address"))
    await write(request, note_export, operator, person.mark(_key(request)))
    found = Export(person)
    while await look(request, found.step):
        pass
    headers = {**HEADERS, "Content-Disposition": 'attachment; filename="person.json"'}
    return Response(to_json(found.document, indent=2), media_type="application/json", headers=headers)


async def ask(request: Request) -> Response:
    """The question before an address is erased."""
    _, form = await allowed(request, Role.ADMIN)
    return render(request, PAGE, typed=Person.of(text_of(form, "address")).address, receipt=None)


async def erase(request: Request) -> Response:
    """Erase an address, and show the receipt."""
    operator, form = await allowed(request, Role.ADMIN)
    person = Person.of(text_of(form, "address"))
    erasure = Erasure(person, operator, person.mark(_key(request)))
    while await write(request, erasure.step):
        pass
    return render(request, PAGE, typed="", receipt=erasure.receipt)


def _key(request: Request) -> str:
    key: str = request.app.state.settings.need("webhook_key")
    return key


ROUTES = [
    Route("/persons", show),
    Route("/persons/export", export, methods=["POST"]),
    Route("/persons/ask", ask, methods=["POST"]),
    Route("/persons/erase", erase, methods=["POST"]),
]
