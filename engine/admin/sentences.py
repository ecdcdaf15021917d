"""What was done, in words: a line of the audit log as a sentence. All its words stand here.

A sentence is built of what its reader may see: of a row that was masked before.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from engine.admin.amounts import some
from engine.admin.filters import TIMES
from engine.admin.words import of_condition, of_consequence, of_field, of_reason
from engine.observability.audit import ITSELF
from engine.queue.pauses import CREATOR, DOMAIN, LANE
from engine.text.language import N_, _, number, translated
from engine.text.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Link:
    """Words that lead to a page of the console."""

    text: str
    path: str


Piece = str | datetime | Link

_LANES = {
    "orders": N_("all orders"),
    "emails": N_("all e-mails"),
    "fan_outs": N_("all fan-outs"),
    "webhooks": N_("all webhooks"),
}
# By action, what follows the name of who did it. {what} is the thing; other names are those of the line's detail.
ACTIONS = {
    "pause": N_("paused {what}"),
    "resume": N_("resumed {what}"),
    "pause-over": N_("resumed {what}, since the pause that {by} began {at} is over"),
    "fail": N_("pushes nothing to {what} for a while, since its endpoint does not take events"),
    "recover": N_("pushes to {what} again: its endpoint takes events"),
    "orders.cancel": N_("cancelled {what}"),
    "orders.withdraw": N_("cancelled what had not left of {what}"),
    "orders.retry_failed": N_("retried {what} for those that failed"),
    "orders.resend_failed": N_("sent {what} again to those that failed"),
    "orders.resend": N_("sent {what} again to all"),
    "orders.reschedule": N_("rescheduled {what} to {to}"),
    "orders.send_now": N_("sent {what} now"),
    "orders.retry": N_("retried {what}"),
    "orders.release": N_("released {what}"),
    "emails.retry": N_("retried {what}"),
    "emails.retry_now": N_("sent {what} now"),
    "emails.resend": N_("sent {what} again"),
    "emails.release": N_("released {what}"),
    "deliveries.retry": N_("replayed {what}"),
    "deliveries.retry_now": N_("sent {what} now"),
    "retry": N_("replayed {what}"),
    "replay": N_("replayed the events from {since} to {until} for {what}"),
    "test": N_("sent a test event to {what}"),
    "jobs.stop": N_("stopped {what}"),
    "jobs.give-up": N_("gave {what} up"),
    "cancel": N_("cancelled {what}"),
    "condition-failed": N_("could not ask the condition of {what}"),
    "set-aside": N_("set {what} aside"),
    "events.publish": N_("published {what}"),
    "subscribe": N_("created {what}"),
    "unsubscribe": N_("removed {what}"),
    "rotate-secret": N_("gave {what} a new signing key"),
    "create": N_("created {what}"),
    "revoke": N_("revoked {what}"),
    "expire": N_("ended {what}, whose time is over"),
    "make-default": N_("made {what} the default"),
    "store": N_("stored {what}"),
    "delete": N_("deleted {what}"),
    "remove": N_("removed {what}"),
    "send test": N_("sent a test of {what}"),
    "export": N_("exported {what}"),
    "erase": N_("erased {what}"),
    "look-up": N_("looked up orders by {what}"),
    "restored.pause": N_("paused what the database might do twice: it lacks what was done from {as_of} to {seen}"),
    "restored.resume": N_("resumed what the database might do twice: it lacks what was done from {as_of} to {seen}"),
    "database.lacks": N_("found that the database lacks what was done from {as_of} to {seen}"),
    "sign-in": N_("signed in"),
    "sign-in-refused": N_("was not let in"),
}
# What else a line's detail says, in the order in which a sentence says it.
_TAILS = {
    "address": N_(" with the address {address}"),
    "until": N_(" until {until}"),
    "to": N_(" to {to}"),
    "version": N_(", version {version}"),
    "replaces": N_(", in the place of key {replaces}"),
    "order": N_(", as {order}"),
    "job": N_(", with {job}"),
    "filter": N_(", narrowed to {filter}"),
    "format": N_(", as {format}"),
    "rows": ", {rows}",
    "unfinished": N_(", which was broken off"),
    "answers": N_(", and found {answers}"),
    "role": N_(" as {role}"),
    "source": N_(" ({source})"),
    "from": N_(" from {from}"),
    "begun": N_(" (begun)"),
    "reason": N_(": {reason}"),
    "then": N_("; {then}"),
    "times": N_(" ({times} times, the last {last})"),
}
_SAID_SO = frozenset({"last", "unfinished", "begun"})  # said by another, or by being there
_NOUNS = {
    "orders": N_("order"), "emails": N_("e-mail"), "events": N_("event"), "subscriptions": N_("subscription"),
    "jobs": N_("job"), "deliveries": N_("delivery"), "keys": N_("key"), "senders": N_("sender"),
    "templates": N_("template"),
}  # fmt: skip
_MANY = {
    "orders": N_("orders"), "emails": N_("e-mails"), "events": N_("events"), "subscriptions": N_("subscriptions"),
    "deliveries": N_("deliveries"), "keys": N_("keys"), "jobs": N_("jobs"), "audit": N_("the audit log"),
}  # fmt: skip
_WITH_PAGES = frozenset({"orders", "emails", "events", "subscriptions", "jobs", "deliveries"})
_SOURCES = {"file": N_("with a password"), "oidc": N_("through the OpenID provider")}
_TOLD: Mapping[str, Callable[[str], str]] = {"reason": of_reason, "then": of_consequence}
_NAMES = re.compile(r"\{(\w+)\}")
_SHORT = 8  # characters of an identifier, its last: they tell two apart
_COMMAND_LINE = "cli:"
_NAMED = {ITSELF: "Varsel", "unknown": N_("Somebody unknown")}


def thing(kind: str, value: str) -> str:
    """What a pause stops, such as mail to example.no."""
    if kind == LANE:
        return translated(_LANES.get(value, value))
    return _("what %(creator)s orders", creator=value) if kind == CREATOR else _("mail to %(domain)s", domain=value)


def sentence(line: Mapping[str, Any]) -> list[Piece]:
    """A line of the audit log (who, action, target, detail) in words."""
    detail = dict(line["detail"])
    if line.get("failed_with"):
        detail["filter"] = detail["filter"] | {"failure": line["failed_with"]}
    found: list[Piece] = [Link(_who(line["who"]), f"audit?who={quote(line['who'], safe='')}"), " "]
    many = line["target"].startswith("jobs/") and "count" in detail
    if many:
        detail["job"] = line["target"].partition("/")[2]
        of = line["action"].partition(".")[0]
        what: list[Piece] = [_many(int(detail.pop("count")), of)]
        if not detail["filter"]:
            what.append(_(" (all)"))
    else:
        what = list(_what(line["target"]))
        of, name = detail.pop("creator", None), detail.pop("name", None)
        what += ([_(" of %(creator)s", creator=of)] if of else []) + ([f" ({name})"] if name else [])
    words = _of_action(line["action"])
    if not detail.get("filter"):
        detail.pop("filter", None)
    used = set(_NAMES.findall(words))
    found += _filled(words, detail, what)
    for name, tail in _TAILS.items():
        if name in detail and name not in used:
            used.add(name)
            found += _filled(translated(tail), detail, what)
    rest = [f"{name.replace('_', ' ')}: {value}" for name, value in detail.items() if name not in used | _SAID_SO]
    return _joined([*found, f" ({', '.join(rest)})" if rest else ""])


def plain(line: Mapping[str, Any]) -> str:
    """The same as text; times are in UTC."""
    return "".join(
        piece.text if isinstance(piece, Link) else rfc3339(piece, "seconds") if isinstance(piece, datetime) else piece
        for piece in sentence(line)
    )


def label(action: str) -> str:
    """An action in a menu."""
    return _NAMES.sub("…", translated(ACTIONS.get(action, action)))


def names_of(said: str) -> set[str]:
    """The names in the log of who is called so in sentences; somebody may be called like Varsel itself."""
    return {said} | {name for name, shown in _NAMED.items() if said in (shown, translated(shown))}


def _who(name: str) -> str:
    if name in _NAMED:
        return translated(_NAMED[name])
    if name.startswith(_COMMAND_LINE):
        return _("%(user)s (command line)", user=name.removeprefix(_COMMAND_LINE))
    return name


def _what(target: str) -> Iterator[Piece]:
    """The thing that a line is about: kind/key, or a kind alone."""
    kind, _slash, key = target.partition("/")
    if kind in (LANE, CREATOR, DOMAIN):
        yield thing(kind, key)
    elif kind == "persons":
        yield _("what is known of a person (%(key)s)", key=key)
    elif kind == "dashboard":
        yield _("the header %(name)s", name=key)
    elif not key:
        yield translated(_MANY.get(kind, kind))
    elif "/" in key:  # a subscription's delivery
        yield from _what(key.partition("/")[2])
    else:
        text = (
            f"{translated(_NOUNS.get(kind, kind))} {f'…{key[-_SHORT:]}' if '-' in key and kind in _WITH_PAGES else key}"
        )
        yield Link(text, f"{kind}/{key}") if kind in _WITH_PAGES else text


def _many(count: int, resource: str) -> str:
    """So many rows that a job was started for."""
    if resource in ("orders", "emails", "deliveries"):
        return some(count, resource)
    return f"{number(count)} {translated(_MANY.get(resource, resource))}"


def _of_action(name: str) -> str:
    """What follows who did it."""
    if name in ACTIONS:
        return translated(ACTIONS[name])
    return _("did %(action)s to {what}", action=name.replace("_", " "))


def _filled(words: str, detail: Mapping[str, Any], what: list[Piece]) -> Iterator[Piece]:
    """Words with their names replaced."""
    literal = True
    for part in _NAMES.split(words):
        if literal:
            yield part
        elif part == "what":
            yield from what
        else:
            yield from _value(part, detail.get(part, "…"))
        literal = not literal


def _value(name: str, value: Any) -> Iterator[Piece]:
    if name in ("order", "job"):
        yield from _what(f"{name}s/{value}")
    elif name == "filter" and isinstance(value, Mapping):
        for key, text in value.items():
            label = of_field(key)
            yield f"{'' if key == next(iter(value)) else ', '}{label[:1].lower()}{label[1:]} "
            yield _moment(str(text)) if key in TIMES else of_condition(key, str(text))
    elif name == "source":
        yield translated(_SOURCES.get(value, str(value)))
    elif name in _TOLD:
        yield _TOLD[name](str(value))
    elif name == "rows" and isinstance(value, int):
        yield some(value, "rows")
    elif name == "by":
        yield _who(str(value))
    elif name in ("to", "as_of", "seen"):
        yield _moment(str(value))
    elif isinstance(value, datetime):
        yield value
    else:
        yield number(value) if isinstance(value, int) else str(value)


def _moment(text: str) -> Piece:
    """A time that was written as text; what is none stays."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return text
    return found if found.tzinfo else text


def _joined(pieces: list[Piece]) -> list[Piece]:
    """Texts that follow each other as one."""
    found: list[Piece] = []
    for piece in pieces:
        if isinstance(piece, str) and found and isinstance(found[-1], str):
            found[-1] += piece
        elif piece != "":
            found.append(piece)
    return found
