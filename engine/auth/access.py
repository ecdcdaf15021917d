"""Who may publish, read and subscribe on which resource: all questions go through one small interface.

An `Access` answers what Altinn asks of a policy decision point (events contract 7). `Rules` is Varsel's own: it follows
the rules of a file, or built-in ones. No answer is cached: it is valid for its own subject and moment only.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Protocol

from engine.errors import Misconfigured
from engine.resources import APP, OWN, status_resource
from engine.runtime.config_files import Contents, read_toml

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

# In the name of an app's resource, the organisation ends at the first underscore: one whose own name has an underscore
# cannot be told from another, and gets nothing without a rule file.
_APPOWNER = re.compile(r"/org/([A-Za-z0-9.-]+)")


class Action(StrEnum):
    """What somebody wants to do with events on a resource (events contract 7)."""

    PUBLISH = "publish"
    READ = "read"
    SUBSCRIBE = "subscribe"


@dataclass(frozen=True, slots=True)
class Question:
    """Whether `who` may do this with events on `resource` about `subject` (None: about nobody in particular)."""

    who: str  # an identity such as /org/ttd (events contract 6.1)
    action: Action
    resource: str
    subject: str | None
    party: str | None = None  # the number of the party that `who` speaks for


class Access(Protocol):
    """Decides. A client of a policy decision point over HTTP would stand here: so it is async, and in batches."""

    async def decide(self, questions: Sequence[Question]) -> Sequence[bool]:
        """One answer per question, in their order; Unavailable when there is no answer now."""
        ...


class Rules:
    """Access by the rules of a TOML file, which is followed while it changes; None: by the built-in rules.

    Misconfigured when the file cannot be used at the start.
    """

    def __init__(self, file: Path | None) -> None:
        self._file = Contents(file, _read, "access rules") if file else None

    async def decide(self, questions: Sequence[Question]) -> Sequence[bool]:
        """One answer per question, in their order."""
        return [self._permits(question) for question in questions]

    def _permits(self, question: Question) -> bool:
        resource = question.resource.lower()
        if resource.startswith(OWN):
            org = question.who.removeprefix("/org/")
            own = org != question.who and question.resource == status_resource(org)
            return own and question.action is not Action.PUBLISH
        if _of_own_party(question, resource):
            return True
        if self._file:
            return any(rule.permits(question, resource) for rule in self._file.now)
        return _built_in(question, resource)


def _of_own_party(question: Question, resource: str) -> bool:
    """Whether it is about app events of the party that an end user speaks for: these need no rule."""
    own = question.party is not None and question.subject == f"/party/{question.party}"
    return own and resource.startswith(APP) and question.action is not Action.PUBLISH


def _built_in(question: Question, resource: str) -> bool:
    """An app's events belong to its organisation, and to the party that is their subject; scopes decide all else.

    Only app events can be read without a scope (events contract 1.5); others cannot.
    """
    if not resource.startswith(APP):
        return question.action is not Action.READ
    if question.subject == question.who and question.action is not Action.PUBLISH:
        return True
    owner = _APPOWNER.fullmatch(question.who)
    return owner is not None and resource.startswith(f"{APP}{owner[1].lower()}_")


@dataclass(frozen=True, slots=True)
class _Patterns:
    """Texts that match as they are, and beginnings (written with a * behind)."""

    exact: frozenset[str]
    beginnings: tuple[str, ...]

    def match(self, text: str) -> bool:
        return text in self.exact or text.startswith(self.beginnings)


@dataclass(frozen=True, slots=True)
class _Rule:
    who: _Patterns
    may: frozenset[str]
    on: _Patterns  # in lower case
    subjects: _Patterns | None  # None: any subject, or none

    def permits(self, question: Question, resource: str) -> bool:
        return (
            question.action in self.may
            and self.on.match(resource)
            and self.who.match(question.who)
            and (self.subjects is None or (question.subject is not None and self.subjects.match(question.subject)))
        )


def _read(file: Path) -> list[_Rule]:
    document = read_toml(file)
    rules = document.pop("rule", None)
    if document:
        raise Misconfigured(f"{file}: knows no {_named(document)}; write [[rule]] above each rule")
    if not isinstance(rules, list) or not rules:
        raise Misconfigured(f"{file}: has no [[rule]]; without a rule nobody may do anything, so write at least one")
    return [_rule(rule, f"{file}: rule {number}") for number, rule in enumerate(rules, 1)]


def _rule(given: object, place: str) -> _Rule:
    if not isinstance(given, dict):
        raise Misconfigured(f"{place}: is no table; write [[rule]] above it")
    unknown = given.keys() - {"who", "may", "on", "subjects"}
    if unknown:
        raise Misconfigured(f"{place}: knows no {_named(unknown)}; a rule has who, may, on and perhaps subjects")
    may = frozenset(_texts(given, "may", place))
    strange = may - set(Action)
    if strange:
        raise Misconfigured(f"{place}: may: knows no {_named(strange)}; there are {', '.join(Action)}")
    return _Rule(
        _patterns(_texts(given, "who", place), f"{place}: who"),
        may,
        _patterns([text.lower() for text in _texts(given, "on", place)], f"{place}: on"),
        _patterns(_texts(given, "subjects", place), f"{place}: subjects") if "subjects" in given else None,
    )


def _texts(given: dict[str, object], key: str, place: str) -> list[str]:
    texts = given.get(key)
    if not isinstance(texts, list) or not texts or not all(isinstance(text, str) and text for text in texts):
        raise Misconfigured(f'{place}: {key} must be a list of one or more texts, such as {key} = ["..."]')
    return texts


def _patterns(texts: list[str], place: str) -> _Patterns:
    for text in texts:
        if "*" in text[:-1]:
            raise Misconfigured(f"{place}: {text!r} has a * before its end; write the beginning and one * behind it")
    beginnings = tuple(text[:-1] for text in texts if text.endswith("*"))
    return _Patterns(frozenset(text for text in texts if not text.endswith("*")), beginnings)


def _named(names: Iterable[str]) -> str:
    return ", ".join(repr(name) for name in sorted(names))
