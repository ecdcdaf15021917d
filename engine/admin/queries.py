"""The search field of a list: what is typed there, as the conditions that stand in the list's address.

`state:failed recipient:kari@example.no reference:"my reference" word`: keys with values, as code hosts and mail
programs have them. A word without a key is a state, if it is the name of one, or else what most people look for.
"""

from __future__ import annotations

import re
from difflib import get_close_matches
from typing import TYPE_CHECKING

from engine.errors import Invalid
from engine.text.language import N_, _

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from engine.admin.filters import Field
    from engine.admin.resources import Resource

FIELD = "q"  # of the form
_TERM = re.compile(  # addresses that begin with https:// or urn: have no key
    r"(?:(?!urn:)(?P<key>[A-Za-z]+):(?!//)\s*)?(?:\"(?P<quoted>[^\"]*)\"|(?P<word>[^\s\"]+)|$)(?:\s+|$)"
)
_ANY = re.compile(".+")
_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]+")
_DIGITS, _URN, _PATH = re.compile(r"\d+"), re.compile("urn:.+"), re.compile("/.+")
# What words without a key are, by list: the first pattern that fits, of a field that the reader may ask for.
_BARE: Mapping[str, Sequence[tuple[re.Pattern[str], str]]] = {
    "orders": ((_ID, "order"), (re.compile(r"[^\s@]*@\S*"), "recipient"), (_ANY, "reference"), (_ANY, "creator")),
    "emails": ((_ID, "email"), (_ANY, "recipient"), (_ANY, "creator")),
    "recurring": ((_ANY, "creator"),),
    "events": ((_DIGITS, "event"), (_URN, "resource"), (_PATH, "subject"), (_ANY, "type")),
    "subscriptions": (
        *((_DIGITS, "subscription"), (_URN, "resource"), (_PATH, "consumer")),
        *((_ANY, "endpoint"), (_ANY, "consumer")),
    ),
    "deliveries": ((_ANY, "delivery"),),
    "audit": ((re.compile("[^/]+/.*"), "target"), (_ANY, "who")),
    "keys": ((_ANY, "creator"),),
    "senders": ((_ANY, "creator"),),
}


def conditions(text: str, resource: Resource, fields: Mapping[str, Field]) -> dict[str, str]:
    """The values by name, as typed; Invalid for an unknown key, one without a value, and one that stands there twice.

    `fields`: what the reader may narrow this list by. A key that others may use is returned as well.
    """
    if text.strip() and not fields:
        raise Invalid({FIELD: ["This list cannot be narrowed."]})
    found: dict[str, str] = {}
    bare: list[str] = []
    errors: list[str] = []
    for key, value in _terms(text):
        if not key:
            bare.append(value)
        elif key not in resource.fields:
            errors.append(_unknown(key, value, fields))
        elif not value:
            text = N_("%(key)s: needs a value behind the colon, such as %(example)s.")
            errors.append(_(text, key=key, example=_example(resource.fields[key])))
        elif key in found:
            errors.append(_("%(key)s: stands there twice. Leave one out.", key=key))
        else:
            found[key] = value
    for name, value in _named(bare, resource, fields):
        if name in found:
            text = N_("%(value)s is taken as %(name)s:, which stands there already. Write another key before it.")
            errors.append(_(text, value=value, name=name))
        found.setdefault(name, value)
    if errors:
        raise Invalid({FIELD: errors})
    return found


def suggestions(fields: Mapping[str, Field]) -> list[str]:
    """What can be typed: each value of what has only so many, and the keys of the rest."""
    its = (field for field in fields.values() if field.name != "ids")
    return [f"{field.name}:{choice}" for field in its for choice in field.choices or ("",)]


def _terms(text: str) -> Iterator[tuple[str, str]]:
    """Keys and values; a word without a key has an empty one. Invalid where a quotation mark is not closed."""
    text, place = text.strip(), 0
    while place < len(text):
        term = _TERM.match(text, place)
        if term is None:
            told = _(
                "The quotation mark in %(text)s ends nowhere, or inside a word."
                " Put one before and one behind the value.",
                text=text[place:],
            )
            raise Invalid({FIELD: [told]})
        value = term["quoted"] if term["quoted"] is not None else term["word"]
        yield (term["key"] or "").lower(), (value or "").strip()
        place = term.end()


def _example(field: Field) -> str:
    return f"{field.name}:{field.choices[0] if field.choices else '…'}"


def _unknown(key: str, value: str, fields: Mapping[str, Field]) -> str:
    known = [name for name in fields if name != "ids"]
    alike = next(iter(get_close_matches(key, known, 1)), None)
    choices = fields[alike].choices if alike else ()
    fits = not choices or value.lower() in {choice.lower() for choice in choices}
    meant = _("Its keys are %(names)s.", names=", ".join(known))
    if alike:
        meant = _("Did you mean %(key)s:%(value)s?", key=alike, value=value if fits else "…")
    return _(
        "This list has no key %(key)s. %(meant)s"
        ' To look for just that, put quotation marks around it: "%(key)s:%(value)s".',
        key=key,
        meant=meant,
        value=value,
    )


def _named(words: Sequence[str], resource: Resource, fields: Mapping[str, Field]) -> Iterator[tuple[str, str]]:
    """What words without a key mean: a state each, or together a text."""
    states = {choice.lower() for choice in fields["state"].choices} if "state" in fields else set()
    for word in words:
        if word.lower() in states:
            yield "state", word
    if rest := " ".join(word for word in words if word.lower() not in states):
        fits = (name for pattern, name in _BARE[resource.name] if name in fields and pattern.fullmatch(rest))
        yield next(fits), rest
