"""The rules for a posted subscription (events contract 3.6 and 5.6), in the contract's order.

Beyond the contract are type patterns, sourcePrefixFilter, ordered, and mailto: endpoints with a template.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NoReturn

import httpx

from engine.auth.api_keys.guests import is_guest
from engine.errors import BadRequest, Forbidden, Refused
from engine.events.alternative_subjects import normal
from engine.events.fan_out import MOST_DOTS
from engine.resources import APP, OWN, SCOPE_CREATE, SCOPE_SUBSCRIBE, SCOPES_CREATE, app_resource
from engine.subscriptions.request import MOST_TYPES, read_request
from engine.subscriptions.spec import SubscriptionSpec
from engine.text.addresses import bare, read_address
from engine.text.controls import NOT_IN_A_LINE
from engine.text.urn import is_urn

if TYPE_CHECKING:
    from engine.models import Caller
    from engine.outbound import Guard
    from engine.subscriptions.request import SubscriptionRequest

LONGEST_URL = 2_000  # bytes of UTF-8, as the next two: they fit into a PostgreSQL index entry
LONGEST_SUBJECT = 1_000
LONGEST_TYPE = 500

_NO_ENDPOINT = "Missing or invalid endpoint to push events towards"
_TOO_LONG = f"{_NO_ENDPOINT}: it has more than {LONGEST_URL} characters"
_NO_SUBJECT = "A valid subject to the authenticated identity is required"
_NO_REGISTER = (
    "IncludeSubunits needs a register of organisations, which this installation does not have; subscribe to each unit."
)
_TYPE_FORM = "typeFilter takes a whole type (app.instance.created), a beginning (app.instance.*), or * alone for any."
_BARE_HOST = re.compile(r"\A([a-z]+://[^/?#]+)(?![^?#])")
_MAILTO = re.compile(r"mailto:([^?#%@]+@[^?#%@]+)", re.IGNORECASE)
_APP_SOURCE = re.compile(r"https://[^/?#@]+/([^/?#]+)/([^/?#]+)")
_ALTERNATIVE = re.compile(r"/(?:organisation|person)/[^/]+")
_TYPE = re.compile(r"[^*]+(?:\.\*)?")


@dataclass(frozen=True, slots=True)
class SubscriptionRules:
    """An installation's part: the domain of its apps, where calls may go, the names of the stored templates."""

    apps_domain: str
    guard: Guard
    templates: frozenset[str]


def parse_subscription(body: bytes, caller: Caller, rules: SubscriptionRules) -> SubscriptionSpec:
    """Check a posted subscription; the first broken rule counts.

    Invalid: not JSON of the right types. Forbidden: a scope is missing. BadRequest: any other rule, in its exact words.
    """
    request = read_request(body)
    endpoint = _endpoint(request.end_point, rules.guard)
    source = _source(request.source_filter)
    is_app = (request.resource_filter or "").lower().startswith(APP) or _on_domain(source, rules.apps_domain)
    _check_rights(caller, endpoint, is_app=is_app)
    if request.resource_filter is not None and not is_urn(request.resource_filter):
        raise BadRequest("Resource filter must be a valid urn")
    _check_texts(request)
    types = _types(request.type_filter)
    resource = _app_resource(request, source, caller) if is_app else _generic_resource(request, caller)
    if request.source_prefix_filter is not None and source is not None:
        raise BadRequest("sourceFilter and sourcePrefixFilter exclude each other.")
    _check_template(request.template, resource, rules.templates, is_mail=_is_mail(endpoint))
    given = request.type_filter
    return SubscriptionSpec(
        endpoint=endpoint,
        source_filter=source,
        source_prefix=request.source_prefix_filter,
        resource_filter=resource,
        subject_filter=request.subject_filter,
        alternative_subject_filter=request.alternative_subject_filter and normal(request.alternative_subject_filter),
        types=types,
        type_as_given=tuple(given) if isinstance(given, list) else given,
        include_subunits=request.include_subunits,
        ordered=request.ordered,
        template=request.template,
        is_app=is_app,
    )


def _endpoint(text: str | None, guard: Guard) -> str:
    if len(text or "") > LONGEST_URL:  # before anything that costs more than this
        raise BadRequest(_TOO_LONG)
    given = bare(text or "")
    if given[:7].lower() == "mailto:":
        parts = _MAILTO.fullmatch(given)
        address = read_address(parts[1]) if parts else None
        if address is None:
            raise BadRequest(f"{_NO_ENDPOINT}: mailto: takes one e-mail address and nothing else")
        local, _, domain = address.rpartition("@")
        return f"mailto:{local}@{domain.lower()}"
    try:
        guard.check_url(given)
    except Refused as refused:
        reason = f": {refused}" if given[:8].lower() == "https://" else ""
        raise BadRequest(_NO_ENDPOINT + reason) from None
    endpoint = _normal_url(httpx.URL(given))
    if len(endpoint) > LONGEST_URL:
        raise BadRequest(_TOO_LONG)
    return endpoint


def _source(text: str | None) -> str | None:
    if text is None:
        return None
    if not text.strip():
        _refuse_blank("sourceFilter")
    try:
        url = httpx.URL(text.strip() if len(text) <= LONGEST_URL else "")
    except httpx.InvalidURL:
        url = httpx.URL()
    source = _normal_url(url)
    if url.scheme != "https" or not url.raw_host or len(source) > LONGEST_URL:
        raise BadRequest("SourceFilter must be an absolute URL with the https scheme.")
    return source


def _normal_url(url: httpx.URL) -> str:
    """The URL with scheme and host in lower case, percent-encoded where necessary, and always with a path."""
    lower = httpx.URL(str(url))  # the default port is dropped only if the scheme is in lower case already
    return _BARE_HOST.sub(r"\1/", str(lower))


def _is_mail(endpoint: str) -> bool:
    return endpoint.startswith("mailto:")


def _on_domain(source: str | None, domain: str) -> bool:
    """Whether a source's host is the domain or below it, by whole labels; the contract compares letters."""
    host = httpx.URL(source or "").raw_host.decode()
    return f".{host}".endswith(f".{domain.lower()}")


def _check_rights(caller: Caller, endpoint: str, *, is_app: bool) -> None:
    is_mail = _is_mail(endpoint)
    if not is_app and SCOPE_SUBSCRIBE not in {scope.lower() for scope in caller.scopes}:
        raise Forbidden(f"needs the scope {SCOPE_SUBSCRIBE}", SCOPE_SUBSCRIBE)
    if is_mail and SCOPES_CREATE.isdisjoint(caller.scopes):
        raise Forbidden(f"mailto: needs one of the scopes {', '.join(sorted(SCOPES_CREATE))}", SCOPE_CREATE)
    if is_mail and caller.creator is None:
        raise Forbidden("mailto: needs a credential that names an organisation")
    if is_mail and caller.guests is not None and not is_guest(endpoint.partition(":")[2], caller.guests):
        raise BadRequest("This address is not in the guest list of the team key, which sends to nobody else.")


def _check_texts(request: SubscriptionRequest) -> None:
    for field, text, longest in (
        ("subjectFilter", request.subject_filter, LONGEST_SUBJECT),
        ("alternativeSubjectFilter", request.alternative_subject_filter, LONGEST_SUBJECT),
        ("sourcePrefixFilter", request.source_prefix_filter, LONGEST_URL),
    ):
        if text is not None:
            _check_text(field, text, longest)


def _check_text(field: str, text: str, longest: int) -> None:
    if not text.strip():
        _refuse_blank(field)
    if len(text.encode("utf-8", "surrogatepass")) > longest:
        raise BadRequest(f"{field} has at most {longest} bytes of UTF-8.")
    if NOT_IN_A_LINE.search(text):
        raise BadRequest(f"{field} must not contain control characters.")


def _refuse_blank(field: str) -> NoReturn:
    raise BadRequest(f"{field} must not be empty, since nothing would match; leave it out to match everything.")


def _types(given: str | list[str] | None) -> tuple[str, ...]:
    if given is None:
        return ()
    types = [given] if isinstance(given, str) else given
    if not types:
        _refuse_blank("typeFilter")
    if len(types) > MOST_TYPES:
        raise BadRequest(f"typeFilter has at most {MOST_TYPES} types.")
    for text in types:
        _check_text("typeFilter", text, LONGEST_TYPE)
        if text != "*" and not _TYPE.fullmatch(text):
            raise BadRequest(_TYPE_FORM)
        if text.endswith("*") and text.count(".") > MOST_DOTS:
            raise BadRequest(f"A beginning in typeFilter has at most {MOST_DOTS} dots.")
    return () if "*" in types else tuple(dict.fromkeys(types))


def _app_resource(request: SubscriptionRequest, source: str | None, caller: Caller) -> str:
    """The rules for app events (events contract 5.6); returns the resource, which may follow from the source."""
    alternative = request.alternative_subject_filter
    has_subject = request.subject_filter is not None or alternative is not None
    if not has_subject and not (caller.identity or "").startswith("/org/"):
        raise BadRequest(_NO_SUBJECT)
    if alternative is not None and not _ALTERNATIVE.fullmatch(normal(alternative)):
        raise BadRequest(_NO_SUBJECT)
    _check_subunits(request, has_subject=has_subject)
    _check_consumer(caller)
    given = request.resource_filter
    if source is None:
        return given or ""
    parts = _APP_SOURCE.fullmatch(source)
    resource = app_resource(*parts.groups()) if parts else ""
    if not is_urn(resource):  # for instance, percent signs in the path: no event can have such a resource
        raise BadRequest("A valid app id is required in source filter {environment}/{org}/{app}")
    if given not in (None, resource):
        raise BadRequest("Provided resource filter and source filter are not compatible")
    return resource


def _generic_resource(request: SubscriptionRequest, caller: Caller) -> str:
    """The rules for all other events (events contract 5.6); returns the resource."""
    if request.resource_filter is None:
        raise BadRequest("Resource filter is required.")
    if request.source_filter is not None:
        raise BadRequest("Source filter is not supported for subscriptions on this resource.")
    if request.alternative_subject_filter is not None:
        raise BadRequest("AlternativeSubject filter is not supported for subscriptions on this resource.")
    _check_subunits(request, has_subject=request.subject_filter is not None)
    _check_consumer(caller)
    return request.resource_filter


def _check_subunits(request: SubscriptionRequest, *, has_subject: bool) -> None:
    if request.include_subunits:
        raise BadRequest(_NO_REGISTER if has_subject else "IncludeSubunits requires a subject filter.")


def _check_consumer(caller: Caller) -> None:
    if caller.identity is None:
        raise BadRequest("Missing event consumer")


def _check_template(template: str | None, resource: str, known: frozenset[str], *, is_mail: bool) -> None:
    if not is_mail:
        if template is not None:
            raise BadRequest("A template is allowed only with a mailto: endPoint.")
    elif template not in known:
        raise BadRequest(
            f"A mailto: endPoint needs a template, one of: {', '.join(sorted(known)) or '(none is stored)'}."
        )
    elif resource.startswith(OWN):
        raise BadRequest("A mailto: endPoint cannot get events about e-mails: each mail would cause the next.")
