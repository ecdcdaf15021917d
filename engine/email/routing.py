"""Which relays an e-mail may take: those of VARSEL_SMTP_URL, unless a rule of the routing file names others.

[relays.bulk]                       # beside those of the setting, which are named HOST:PORT
url = "smtp+starttls://varsel:secret@bulk.example.no"

[[route]]                           # the first rule that fits is followed
creators = ["skd"]                  # and, or
domains = ["example.no", "*.example.no"]
relays = ["bulk", "mail.example.no:25"]
else = "default"                    # over the setting's, while its own are down; without this line it waits

*.example.no means the domains below example.no.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from engine.errors import Misconfigured
from engine.runtime.config_files import Contents, read_toml
from engine.settings.relays import MOST_RELAYS, RelayAddress, check_smtp_url, check_weight, place_of, read_relays
from engine.text.addresses import compared
from engine.text.language import N_

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

MOST_RULES = 1_000
FEW = 5  # names in a sentence
WAIT_FOR = (
    N_("e-mails %(whose)s wait for it; all others go over other relays"),
    N_("e-mails %(whose)s wait for them; all others go over other relays"),
)
AND_THOSE = N_(" and those ")
WHOSE = (N_("of %(creators)s to %(domains)s"), N_("of %(creators)s"), N_("to %(domains)s"))
OTHERS = N_("others")
DEFAULT = "default"  # the relays of VARSEL_SMTP_URL, in a rule's `else`
_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")  # without a colon, so that it is no HOST:PORT
_DOMAIN = re.compile(r"(?:\*\.)?[^\s@*.]+(?:\.[^\s@*.]+)*")

Choices: TypeAlias = "tuple[tuple[str, ...], ...]"  # names of relays; further ones serve while those before are down


@dataclass(frozen=True, slots=True)
class Rule:
    """Whose e-mails it is about, and which relays they take. None: everybody's, or to any domain."""

    creators: frozenset[str] | None
    domains: frozenset[str] | None  # as `addresses.compared`; those that begin with *. mean all domains below
    choices: Choices

    def fits(self, creator: str, domains: Iterable[str]) -> bool:
        """Whether it is about this creator's e-mails to a domain, given as `_names` has it."""
        of_theirs = self.creators is None or creator in self.creators
        return of_theirs and (self.domains is None or not self.domains.isdisjoint(domains))

    @property
    def whose(self) -> str:
        """Whose e-mails, in words."""
        of_both, of_creators, to_domains = WHOSE
        template = of_both if self.creators and self.domains else of_creators if self.creators else to_domains
        creators, domains = (", ".join(_few(sorted(names or ()))) for names in (self.creators, self.domains))
        return template % {"creators": creators, "domains": domains}


@dataclass(frozen=True, slots=True)
class Routes:
    """All relays, and who takes which, as setting and file have them at one moment."""

    relays: Mapping[str, RelayAddress]
    usual: tuple[str, ...]  # names of the setting's
    rules: Sequence[Rule] = ()

    def choices(self, creator: str, domain: str) -> Choices:
        """The relays that an e-mail may take. `domain`: as `addresses.compared`."""
        names = list(_names(domain)) if self.rules else ()
        return next((rule.choices for rule in self.rules if rule.fits(creator, names)), (self.usual,))

    def choices_of(self, creator: str) -> Iterator[Choices]:
        """The relays that any of a creator's e-mails may take, whatever its recipient."""
        for rule in self.rules:
            if rule.creators is None or creator in rule.creators:
                yield rule.choices
                if rule.domains is None:
                    return
        yield (self.usual,)

    def without(self, down: Collection[str]) -> str:
        """What becomes of the e-mails of relays that are down, for operators; `down`: their names in the routes."""
        bound = [rule for rule in self.rules if all(name in down for names in rule.choices for name in names)]
        if all(name in down for name in self.usual):
            if len(bound) == len(self.rules):
                return N_("e-mails wait")
            return N_("e-mails wait, but for those that a route takes over others")
        if not bound:
            return (
                N_("its e-mails go over other relays") if len(down) == 1 else N_("their e-mails go over other relays")
            )
        whose = AND_THOSE.join(_few([rule.whose for rule in bound]))
        return WAIT_FOR[len(down) > 1] % {"whose": whose}


class Routing:
    """The routes of the setting and of a TOML file, which is followed while it changes.

    Misconfigured when they cannot be used at the start.
    """

    def __init__(self, setting: str, file: Path | None = None) -> None:
        relays = read_relays(setting)
        self._usual = Routes({relay.name: relay for relay in relays}, tuple(relay.name for relay in relays))
        self._file = Contents(file, partial(_read, usual=self._usual), "routes") if file else None

    @property
    def routes(self) -> Routes:
        """The routes now."""
        return self._file.now if self._file else self._usual


def _few(names: Sequence[str]) -> list[str]:
    return [*names[:FEW], *([OTHERS] if names[FEW:] else [])]


def _names(domain: str) -> Iterator[str]:
    """What a rule may call a domain: itself, and each of those above it with *. before."""
    yield domain
    while "." in domain:
        domain = domain.partition(".")[2]
        yield f"*.{domain}"


def _read(file: Path, usual: Routes) -> Routes:
    document = read_toml(file)
    relays, rules = document.pop("relays", {}), document.pop("route", [])
    if document or not isinstance(relays, dict) or not isinstance(rules, list):
        raise Misconfigured(
            f"{file}: write [relays.NAME] above each relay, [[route]] above each rule, and nothing else"
        )
    if len(relays) > MOST_RELAYS or len(rules) > MOST_RULES:
        raise Misconfigured(f"{file}: may have {MOST_RELAYS} relays and {MOST_RULES} rules")
    known = {**usual.relays}
    for name, relay in relays.items():
        known[name] = _relay(name, relay, file)
    places = [f"{file}: rule {number}" for number in range(1, len(rules) + 1)]
    return Routes(
        known, usual.usual, [_rule(rule, known, usual.usual, place) for rule, place in zip(rules, places, strict=True)]
    )


def _relay(name: str, given: object, file: Path) -> RelayAddress:
    place = f"{file}: relays.{name!r}"
    if not _NAME.fullmatch(name):
        raise Misconfigured(f"{place}: a relay's name has 1 to 64 letters, digits and _ -")
    table = _table(given, {"url", "weight"}, place)
    url, weight = table.get("url"), table.get("weight", 1.0)
    if not isinstance(url, str) or not isinstance(weight, int | float):
        raise Misconfigured(f'{place}: needs url = "smtp://HOST:PORT", and perhaps weight = 2')
    try:
        check_smtp_url(url)
        check_weight(weight)
    except ValueError as error:
        raise Misconfigured(f"{place}: {error}") from None
    return RelayAddress(f"{name} ({place_of(url)})", url, float(weight), f"[relays.{name}] in {file}")


def _rule(given: object, known: Mapping[str, RelayAddress], usual: tuple[str, ...], place: str) -> Rule:
    table = _table(given, {"creators", "domains", "relays", "else"}, place)
    if "creators" not in table and "domains" not in table:
        raise Misconfigured(f"{place}: needs creators, domains or both")
    names = tuple(dict.fromkeys(_texts(table, "relays", place)))
    if strange := [name for name in names if name not in known]:
        raise Misconfigured(f"{place}: knows no relay {', '.join(strange)}; there are {', '.join(known)}")
    if table.get("else", DEFAULT) != DEFAULT:
        raise Misconfigured(f'{place}: else can only be "{DEFAULT}", the relays of VARSEL_SMTP_URL')
    creators = frozenset(_texts(table, "creators", place)) if "creators" in table else None
    domains = (
        frozenset(_domain(each, place) for each in _texts(table, "domains", place)) if "domains" in table else None
    )
    choices = (names, usual) if "else" in table else (names,)
    return Rule(creators, domains, choices)


def _domain(text: str, place: str) -> str:
    if not _DOMAIN.fullmatch(text):
        raise Misconfigured(f"{place}: {text!r} is no domain such as example.no, or *.example.no for those below it")
    head = "*." if text.startswith("*.") else ""
    return head + compared(text.removeprefix(head))


def _table(given: object, known: set[str], place: str) -> dict[str, object]:
    if not isinstance(given, dict):
        raise Misconfigured(f"{place}: is no table")
    if unknown := given.keys() - known:
        raise Misconfigured(f"{place}: knows no {', '.join(sorted(unknown))}; there are {', '.join(sorted(known))}")
    return given


def _texts(given: Mapping[str, object], key: str, place: str) -> list[str]:
    texts = given.get(key)
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise Misconfigured(f'{place}: {key} must be a list of one or more texts, such as {key} = ["..."]')
    return texts
