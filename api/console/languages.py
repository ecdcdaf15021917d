"""The reader's language: the chosen one, which a cookie keeps, or else the first of the browser's that is known here.

Each has a catalogue in templates/console/locale, which is read when this module is imported.
"""

from __future__ import annotations

from datetime import timedelta
from gettext import GNUTranslations
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

from babel import Locale
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from babel.numbers import get_decimal_symbol, get_group_symbol
from starlette.requests import HTTPConnection

from api.console import cookies
from engine.text.language import ENGLISH, Language, spoken

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import Receive, Scope, Send

CATALOGUES = Path(__file__).parents[2] / "templates" / "console" / "locale"
COOKIE = "varsel_language"
LIFE = timedelta(days=365)  # of the cookie
_WITHOUT_FORM = {"no": "nb"}  # Norwegian that does not say which is bokmål


class InLanguage:
    """An application whose answers, streams and errors are in the language of whoever asks."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self.routes = app.routes  # which a Mount shows as its own

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with spoken(language_of(HTTPConnection(scope))):
            await self._app(scope, receive, send)


def language_of(request: HTTPConnection) -> Language:
    """The reader's language."""
    code = chosen(request)
    return LANGUAGES[code] if code else of_browser(request)


def chosen(request: HTTPConnection) -> str | None:
    """The code of the language that the reader has chosen; None: none, so it is the browser's."""
    code = request.cookies.get(COOKIE)
    return code if code in LANGUAGES else None


def of_browser(request: HTTPConnection) -> Language:
    """The language that the browser asks for."""
    return preferred(request.headers.get("accept-language", ""))


def preferred(header: str) -> Language:
    """The language that is wanted most of those that are known here; English if there is none (RFC 9110, 12.5.4)."""
    for code in _by_weight(header):
        known = LANGUAGES.get(_WITHOUT_FORM.get(code, code))
        if known:
            return known
    return ENGLISH


def choose(request: Request, response: Response, code: str) -> Language:
    """Let the browser keep what was chosen; "": the browser's own language from now on. Returns the reader's."""
    if code in LANGUAGES:
        cookies.keep(request, response, COOKIE, code, LIFE)
        return LANGUAGES[code]
    cookies.forget(request, response, COOKIE)
    return of_browser(request)


def _by_weight(header: str) -> Iterator[str]:
    """The languages of Accept-Language, without their regions; those that are wanted most come first."""
    found = []
    for part in header.split(","):
        name, _, weight = part.partition(";")
        try:
            quality = float(weight.strip().removeprefix("q=") or 1)
        except ValueError:
            continue
        if quality > 0:
            found.append((-quality, name.strip().partition("-")[0].lower()))
    yield from (name for _, name in sorted(found, key=lambda each: each[0]))


def _read(folder: Path) -> Language:
    """A language, of its catalogue and of what is known of it (CLDR)."""
    with (folder / "LC_MESSAGES" / "console.po").open("rb") as file:
        catalogue = read_po(file, locale=folder.name, abort_invalid=True)
    compiled = BytesIO()
    write_mo(compiled, catalogue)
    compiled.seek(0)
    code = folder.name
    return Language(code, GNUTranslations(compiled), get_group_symbol(code), get_decimal_symbol(code))


LANGUAGES = {ENGLISH.code: ENGLISH} | {folder.name: _read(folder) for folder in sorted(CATALOGUES.iterdir())}
NAMES = {code: str(Locale(code).get_display_name(code)) for code in LANGUAGES}  # each in its own
