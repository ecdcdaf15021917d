"""What readers of events ask for (events contract 5.2 and 5.3), and the link to the page that follows theirs."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import quote, urlencode

from starlette.exceptions import HTTPException

from api.openapi import Parameter
from api.parameters import DATE_TIME, Given, checked, integers
from engine.errors import BadRequest, Invalid
from engine.events.alternative_subjects import spellings
from engine.events.reading import Query, floating
from engine.resources import RESOURCE, app_resource

if TYPE_CHECKING:
    from starlette.requests import Request

    from engine.db.records import EventName

PAGE = 50  # events, when no size is asked for
MOST = 1_000  # events of a page
LONGEST_QUERY = 16_000  # bytes; what is asked comes back in a header, percent-encoded
MOST_PATTERNS = 50
LONGEST_PATTERN = 500  # characters
MOST_WILDCARDS = 5  # % of a pattern
MOST_FLOATING = 1_000  # characters behind a % in all patterns of a kind: each is compared with each of an event's

_SEALED = "alternativeSubject"
_BEHIND = ("after", "aftersource", _SEALED.lower())
_UNIT, _PERSON = re.compile("[0-9]{9}"), re.compile("[0-9]{11}")
_ZONE = "parameter must specify timezone. E.g. 2022-07-07T11:00:53.3917Z for UTC"


@dataclass(frozen=True, slots=True)
class Asked:
    """A reader's query, and the alternative subject in it that a header has named; "": none."""

    query: Query
    by_header: str


def app_query(request: Request) -> Asked:
    """What is asked of an app's events or, where the path names no app, of a party's; BadRequest or Invalid."""
    given = _given(request)
    resource = _resource(request)
    since, until = given.moment("from", zoned=False), given.moment("to", zoned=False)
    size, party = given.number("size", PAGE), given.number("party", 0)
    after, unit, person = given.text("after"), given.text("unit").strip(), request.headers.get("person", "").strip()
    narrowed = f"/person/{person}" if person else _unsealed(request, given)
    rules = (  # in the contract's order; the first that is broken is told
        (not after and not since, "The 'From' or 'After' parameter must be defined."),
        (since and not since.tzinfo, f"The 'From' {_ZONE}"),
        (until and not until.tzinfo, f"The 'To' {_ZONE}"),
        (size < 1, "The 'Size' parameter must be a number larger that 0."),
        (narrowed and party > 0, "Only one of 'Party' or 'Person' can be defined."),
        (unit and party > 0, "Only one of 'Party' or 'Unit' can be defined."),
        (unit and not _UNIT.fullmatch(unit), "Value of 'Unit' needs to be exactly 9 digits."),
        (person and not _PERSON.fullmatch(person), "Value of 'Person' needs to be exactly 11 digits."),
        (
            not (resource or narrowed or unit or party > 0),
            "Subject must be specified using either query params party or unit or header value person.",
        ),
    )
    for broken, text in rules:
        if broken:
            raise BadRequest(text)
    query = Query(
        after=after,
        after_source=given.text("aftersource"),
        size=min(size, MOST),
        resource=resource,
        of_apps=resource is None,
        subject=f"/party/{party}" if party > 0 else None,
        alternative_subjects=(
            *(spellings(f"/organisation/{unit}") if unit else ()),
            *(spellings(narrowed) if narrowed else ()),
        ),
        types=_patterns(given, "type"),
        sources=() if resource else _patterns(given, "source"),
        any_case=True,
        since=since,
        until=until,
    )
    return Asked(query, narrowed)


def resource_query(request: Request) -> Asked:
    """What is asked of a resource's events; BadRequest or Invalid."""
    given = _given(request)
    size = given.number("size", PAGE)
    after, resource, subject = given.text("after"), given.text("resource"), given.text("subject")
    alternative = request.headers.get("altinn-alternativesubject", "") or _unsealed(request, given)
    if not resource:
        raise Invalid({"resource": ["The resource field is required."]})
    if not resource.startswith(RESOURCE):
        raise BadRequest(f"The 'resource' parameter must begin with `{RESOURCE}`")
    if not after:
        raise BadRequest("The 'after' parameter must be defined.")
    if subject and alternative:
        raise BadRequest("Only one of 'subject' or 'alternativeSubject' can be defined.")
    query = Query(
        after=after,
        after_source=given.text("aftersource"),
        size=PAGE if size < 1 else min(size, MOST),
        resource=resource,
        subject=subject or None,
        alternative_subjects=spellings(alternative) if alternative else (),
        types=_patterns(given, "type"),
    )
    return Asked(query, alternative)


def next_page(request: Request, by_header: str, last: EventName) -> str:
    """The address of the page behind the event `last`; everything else is asked as before.

    What a header has narrowed stays so without it, sealed: addresses come into logs, and it may be a person's number.
    """
    behind = [("after", last.id), ("afterSource", last.source)]
    if by_header:
        behind.append((_SEALED, request.app.state.seal.close(by_header)))
    asked = [(name, value) for name, value in request.query_params.multi_items() if name.lower() not in _BEHIND]
    address: str = request.app.state.settings.base_url + quote(request.scope["path"])
    return f"{address}?{urlencode(behind + asked)}"


def _unsealed(request: Request, given: Given) -> str:
    """The alternative subject that a header has named on a page before; "": none."""
    sealed = given.text(_SEALED.lower())
    subject: str | None = request.app.state.seal.open(sealed) if sealed else ""
    if subject is None:
        raise BadRequest(f"'{_SEALED}' is not of a 'next' of this installation; send the header again in its place.")
    return subject


def _given(request: Request) -> Given:
    if len(request.scope["query_string"]) > LONGEST_QUERY:
        raise HTTPException(414)
    return Given(request)


def _patterns(given: Given, name: str) -> tuple[str, ...]:
    patterns = given.texts(name)
    if len(patterns) > MOST_PATTERNS:
        raise Invalid({name: [f"There can be at most {MOST_PATTERNS} values."]})
    for pattern in patterns:
        if len(pattern) > LONGEST_PATTERN or pattern.count("%") > MOST_WILDCARDS:
            rule = f"A value can have at most {LONGEST_PATTERN} characters, of which {MOST_WILDCARDS} can be %."
            raise Invalid({name: [rule]})
    if sum(map(floating, patterns)) > MOST_FLOATING:
        raise Invalid({name: [f"The values can have at most {MOST_FLOATING} characters behind a %, all together."]})
    return patterns


def _resource(request: Request) -> str | None:
    """The resource of the app that the path names; None: it names none."""
    names = [checked(name, request.path_params[name]) for name in ("org", "app") if name in request.path_params]
    return app_resource(*names) if names else None


def _list(name: str, description: str) -> Parameter:
    pattern = {"type": "string", "maxLength": LONGEST_PATTERN}
    schema = {"type": "array", "maxItems": MOST_PATTERNS, "items": pattern}
    return Parameter(
        name, "query", f"{description}; `%` and `_` are wildcards; repeated: one must match", schema=schema
    )


_NAME = {"type": "string", "pattern": "^[A-Za-z0-9._-]+$"}
_NUMBER = {"type": "string", "pattern": "^[0-9]{9}$"}
_PARTY = {"type": "integer", "minimum": 1}
_RESOURCE = {"type": "string", "pattern": f"^{RESOURCE}"}
_PERSON_NUMBER = {"type": "string", "pattern": "^[0-9]{11}$"}
_AFTER = "id of the last event seen; an unknown one: from the beginning"
_SEALED_SUBJECT = Parameter(_SEALED, "query", "from `next`, in place of the header by which the page before was asked")
_AFTER_SOURCE = Parameter("afterSource", "query", "its source, since ids of two sources can be the same")
_SIZE = Parameter("size", "query", "of a page", schema=integers(MOST) | {"default": PAGE})
_OF_APPS = (
    Parameter("after", "query", f"{_AFTER}; needed without `from`", example="0"),
    _AFTER_SOURCE,
    _SEALED_SUBJECT,
    Parameter("from", "query", "events of then or later, with time zone; needed without `after`", schema=DATE_TIME),
    Parameter("to", "query", "events of then or earlier, with time zone", schema=DATE_TIME),
    Parameter("party", "query", "events with the subject `/party/N`", schema=_PARTY, example=50019855),
    Parameter("unit", "query", "events with the alternative subject `/organisation/N`", schema=_NUMBER),
    Parameter("person", "header", "events with the alternative subject `/person/N`", schema=_PERSON_NUMBER),
    _list("type", "in any case"),
    _SIZE,
)
APP_PARAMETERS = (
    Parameter("org", "path", "whose app", required=True, schema=_NAME, example="ttd"),
    Parameter("app", "path", "the app's name", required=True, schema=_NAME, example="apps-test"),
    *_OF_APPS,
)
PARTY_PARAMETERS = (*_OF_APPS, _list("source", "in any case"))
RESOURCE_PARAMETERS = (
    Parameter("resource", "query", "exact", required=True, schema=_RESOURCE, example=f"{RESOURCE}skattemelding"),
    Parameter("after", "query", _AFTER, required=True, example="0"),
    _AFTER_SOURCE,
    _SEALED_SUBJECT,
    Parameter("subject", "query", "exact"),
    Parameter("Altinn-AlternativeSubject", "header", "exact; not together with `subject`"),
    _list("type", "exact, in its case"),
    _SIZE,
)
