"""What was done, in words: a line of the audit log as a sentence. All its words stand here.

A sentence is built of what its reader may see: of a row that was masked before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from engine.admin.words import of_condition
from engine.observability.audit import ITSELF
from engine.queue.pauses import CREATOR, DOMAIN, LANE
from engine.text.times import rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class Link:
    """Words that lead to a page of the console."""

    text: str
    path: str


Piece = str | datetime | Link

_LANES = {"orders": "all orders", "emails": "all e-mails", "fan_outs": "all fan-outs", "webhooks": "all webhooks"}
# By action, what follows the name of who did it. {what} is the thing; other names are those of the line's detail.
ACTIONS = {
    "pause": "paused {what}",
    "resume": "resumed {what}",
    "pause-over": "resumed {what}, since the pause that {by} began {at} is over",
    "fail": "pushes nothing to {what} for a while, since its endpoint does not take events",
    "recover": "pushes to {what} again: its endpoint takes events",
    "orders.cancel": "cancelled {what}",
    "orders.withdraw": "cancelled what had not left of {what}",
    "orders.retry_failed": "retried {what} for those that failed",
    "orders.resend_failed": "sent {what} again to those that failed",
    "orders.resend": "sent {what} to all again",
    "orders.reschedule": "rescheduled {what} to {to}",
    "orders.send_now": "sent {what} now",
    "orders.retry": "retried {what}",
    "orders.release": "released {what}",
    "emails.retry": "retried {what}",
    "emails.retry_now": "sent {what} now",
    "emails.resend": "sent {what} again",
    "emails.release": "released {what}",
    "deliveries.retry": "replayed {what}",
    "deliveries.retry_now": "sent {what} now",
    "retry": "replayed {what}",
    "replay": "replayed the events from {since} to {until} for {what}",
    "test": "sent a test event to {what}",
    "jobs.stop": "stopped {what}",
    "jobs.give-up": "gave {what} up",
    "cancel": "cancelled {what}",
    "condition-failed": "could not ask the condition of {what}",
    "set-aside": "set {what} aside",
    "events.publish": "published {what}",
    "subscribe": "created {what}",
    "unsubscribe": "removed {what}",
    "rotate-secret": "gave {what} a new signing key",
    "create": "created {what}",
    "revoke": "revoked {what}",
    "expire": "ended {what}, whose time is over",
    "make-default": "made {what} the default",
    "store": "stored {what}",
    "delete": "deleted {what}",
    "remove": "removed {what}",
    "send test": "sent a test of {what}",
    "export": "exported {what}",
    "erase": "erased {what}",
    "look-up": "looked up orders by {what}",
    "restored.pause": "paused what the database might do twice: it lacks what was done from {as_of} to {seen}",
    "restored.resume": "resumed what the database might do twice: it lacks what was done from {as_of} to {seen}",
    "sign-in": "signed in",
    "sign-in-refused": "was not let in",
}
# What else a line's detail says, in the order in which a sentence says it.
_TAILS = {
    "address": " with the address {address}",
    "until": " until {until}",
    "to": " to {to}",
    "version": ", version {version}",
    "replaces": ", in the place of key {replaces}",
    "order": ", as {order}",
    "job": ", with {job}",
    "filter": ", narrowed to {filter}",
    "format": ", as {format}",
    "rows": ", {rows} rows",
    "unfinished": ", which was broken off",
    "answers": ", and found {answers}",
    "role": " as {role}",
    "source": " ({source})",
    "from": " from {from}",
    "begun": " (begun)",
    "reason": ": {reason}",
    "then": "; {then}",
    "times": " ({times} times, the last {last})",
}
_SAID_SO = frozenset({"last", "unfinished", "begun"})  # said by another, or by being there
_NOUNS = {
    "orders": "order", "emails": "e-mail", "events": "event", "subscriptions": "subscription", "jobs": "job",
    "deliveries": "delivery", "keys": "key", "senders": "sender", "templates": "template",
}  # fmt: skip
_MANY = {"emails": "e-mails", "audit": "the audit log"}
_WITH_PAGES = frozenset({"orders", "emails", "events", "subscriptions", "jobs", "deliveries"})
_SOURCES = {"file": "with a password", "oidc": "through the OpenID provider"}
_NAMES = re.compile(r"\{(\w+)\}")
_SHORT = 8  # characters of an identifier, its last: they tell two apart
_COMMAND_LINE = "cli:"
_NAMED = {ITSELF: "Varsel", "unknown": "Somebody unknown"}


def thing(kind: str, value: str) -> str:
    """What a pause stops, such as mail to example.no."""
    if kind == LANE:
        return _LANES.get(value, value)
    return f"what {value} orders" if kind == CREATOR else f"mail to {value}"


def sentence(line: Mapping[str, Any]) -> list[Piece]:
    """A line of the audit log (who, action, target, detail) in words."""
    detail = dict(line["detail"])
    found: list[Piece] = [Link(_who(line["who"]), f"audit?who={quote(line['who'], safe='')}"), " "]
    many = line["target"].startswith("jobs/") and "count" in detail
    if many:
        detail["job"] = line["target"].partition("/")[2]
        of = line["action"].partition(".")[0]
        what: list[Piece] = [f"{detail.pop('count'):,} {_MANY.get(of, of)}"]
        if not detail["filter"]:
            what.append(" (all)")
            del detail["filter"]
    else:
        what = list(_what(line["target"]))
        of, name = detail.pop("creator", None), detail.pop("name", None)
        what += ([f" of {of}"] if of else []) + ([f" ({name})"] if name else [])
    words = ACTIONS.get(line["action"], f"did {line['action'].replace('_', ' ')} to {{what}}")
    used = set(_NAMES.findall(words))
    found += _filled(words, detail, what)
    for name, tail in _TAILS.items():
        if name in detail and name not in used:
            used.add(name)
            found += _filled(tail, detail, what)
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
    return _NAMES.sub("…", ACTIONS.get(action, action))


def _who(name: str) -> str:
    if name in _NAMED:
        return _NAMED[name]
    return f"{name.removeprefix(_COMMAND_LINE)} (command line)" if name.startswith(_COMMAND_LINE) else name


def _what(target: str) -> Iterator[Piece]:
    """The thing that a line is about: kind/key, or a kind alone."""
    kind, _, key = target.partition("/")
    if kind in (LANE, CREATOR, DOMAIN):
        yield thing(kind, key)
    elif kind == "persons":
        yield f"what is known of a person ({key})"
    elif kind == "dashboard":
        yield f"the header {key}"
    elif not key:
        yield _MANY.get(kind, kind)
    elif "/" in key:  # a subscription's delivery
        yield from _what(key.partition("/")[2])
    else:
        text = f"{_NOUNS.get(kind, kind)} {f'…{key[-_SHORT:]}' if '-' in key and kind in _WITH_PAGES else key}"
        yield Link(text, f"{kind}/{key}") if kind in _WITH_PAGES else text


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
        yield ", ".join(f"{key} {of_condition(key, str(text))}" for key, text in value.items())
    elif name == "source":
        yield _SOURCES.get(value, str(value))
    elif name == "by":
        yield _who(str(value))
    elif name in ("to", "as_of", "seen"):
        yield _moment(str(value))
    elif isinstance(value, datetime):
        yield value
    else:
        yield f"{value:,}" if isinstance(value, int) else str(value)


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
