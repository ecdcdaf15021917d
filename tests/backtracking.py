"""Whether a pattern may take more than linear time, told from its parse tree: no clock, no example texts.

Python's matcher walks a pattern's automaton depth first, so what it does at most is to walk every path that a text
allows. Of each length there is a bounded number of paths, and the work is linear, unless the automaton has two states
p and q and a word that leads from p to p, from p to q and from q to q (Weber and Seidl, "On the degree of ambiguity of
finite automata", 1991), or two ways from one state of a loop to the next. That is what is looked for. A search begins
at every place: a state before the pattern loops on every character.

All that is simplified allows more paths, never fewer: a repeat of at most n is one without end where n is above
EXACT, a look-around is a path that goes no further, an assertion always holds.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from re import _constants as op
from re import _parser
from typing import Any

EXACT = 4  # repeats up to so many are unrolled
MOST_WAYS = 10_000  # without a character, from one state to others: above it, a pattern is too odd to judge
_SAMPLES = frozenset(map(chr, (*range(256), 0x130, 0x17F, 0x661, 0x2028, 0x20AC, 0x212A, 0x3000, 0xD800, 0x1F600)))
_CATEGORIES = {
    op.CATEGORY_DIGIT: r"\d",
    op.CATEGORY_NOT_DIGIT: r"\D",
    op.CATEGORY_SPACE: r"\s",
    op.CATEGORY_NOT_SPACE: r"\S",
    op.CATEGORY_WORD: r"\w",
    op.CATEGORY_NOT_WORD: r"\W",
}
_REPEATS = (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT)
_START = -1  # of the pattern


@dataclass(frozen=True, slots=True)
class _Step:
    """A transition that reads no character, only before those of `allowed`; `sure` unless something could forbid it."""

    to: int
    allowed: int
    sure: bool


@dataclass
class _Automaton:
    """States are numbers; a state with characters is left by reading one of them (Glushkov's positions)."""

    steps: list[list[_Step]] = field(default_factory=list)
    characters: dict[int, int] = field(default_factory=dict)  # state: what must be read to enter it, as bits

    def state(self) -> int:
        self.steps.append([])
        return len(self.steps) - 1

    def link(self, source: int, target: int, allowed: int = -1, *, sure: bool = True) -> None:
        self.steps[source].append(_Step(target, allowed, sure))


def superlinear(pattern: re.Pattern[Any], methods: set[str]) -> str | None:
    """Why a use of the pattern by these methods of re.Pattern may take more than linear time; None: it cannot."""
    source = pattern.pattern.decode("latin-1") if isinstance(pattern.pattern, bytes) else pattern.pattern
    parsed = _parser.parse(source, pattern.flags & ~re.UNICODE)
    anchored = bool(parsed.data) and parsed.data[0][0] is op.AT and not pattern.flags & re.MULTILINE
    anchored = anchored and parsed.data[0][1] in (op.AT_BEGINNING, op.AT_BEGINNING_STRING)
    builder = _Builder(pattern.flags, parsed)
    first, last = builder.whole(parsed)
    searches = not anchored and not methods <= {"match", "fullmatch"}
    return _judge(builder.automaton, first, last, searches=searches, whole="fullmatch" in methods)


class _Builder:
    def __init__(self, flags: int, parsed: Any) -> None:
        self.flags = flags
        self.automaton = _Automaton()
        samples = sorted(_SAMPLES | set(_mentioned(parsed)))
        self.bits = {character: 1 << place for place, character in enumerate(samples)}

    def whole(self, parsed: Any) -> tuple[int, int]:
        first = self.automaton.state()
        return first, self.sequence(parsed, first)

    def sequence(self, items: Any, at: int) -> int:
        for code, argument in items:
            at = self.item(code, argument, at)
        return at

    def item(self, code: Any, argument: Any, at: int) -> int:
        automaton = self.automaton
        if (characters := self.characters(code, argument)) is not None:
            state = automaton.state()
            automaton.characters[state] = characters
            automaton.link(at, state)
            return state
        if code is op.SUBPATTERN:
            return self.sequence(argument[3], at)
        if code is op.ATOMIC_GROUP:
            return self.sequence(argument, at)
        if code is op.BRANCH:
            end = automaton.state()
            for branch in argument[1]:
                automaton.link(self.sequence(branch, at), end)
            return end
        if code in _REPEATS:
            return self.repeat(code, argument, at)
        if code in (op.ASSERT, op.ASSERT_NOT, op.AT):
            if code is not op.AT:
                self.sequence(argument[1], at)  # a path that goes no further
            end = automaton.state()
            automaton.link(at, end, sure=False)
            return end
        raise NotImplementedError(str(code))

    def repeat(self, code: Any, argument: Any, at: int) -> int:
        automaton = self.automaton
        least, most, body = argument
        if most is not op.MAXREPEAT and (most <= EXACT or (least == most and len(body) == 1 and most < 2**6)):
            end = automaton.state()
            for count in range(most):
                if count >= least:
                    automaton.link(at, end)
                at = self.sequence(body, at)
            automaton.link(at, end)
            return end
        begin, again, end = automaton.state(), automaton.state(), automaton.state()
        automaton.link(at, begin)
        if not least:
            automaton.link(at, end)
        automaton.link(self.sequence(body, begin), again)
        automaton.link(again, begin)
        taken = self.characters(*body[0]) if len(body) == 1 else None
        if code is op.POSSESSIVE_REPEAT and most is op.MAXREPEAT and taken is not None:
            automaton.link(again, end, ~taken)  # it is left where no more can be taken
        else:
            automaton.link(again, end)
        return end

    def characters(self, code: Any, argument: Any) -> int | None:
        """The characters of which an item reads one, as bits; None: it reads no single character."""
        if code is op.ANY:
            return self.those(lambda c: self.flags & re.DOTALL or c != "\n")
        if code is op.LITERAL:
            return self.those(lambda c: ord(c) == argument)
        if code is op.NOT_LITERAL:
            return ~self.those(lambda c: ord(c) == argument) & self.all
        if code is not op.IN:
            return None
        negated = argument[0][0] is op.NEGATE
        found = reduce(or_, (self.member(*item) for item in argument[negated:]), 0)
        return ~found & self.all if negated else found

    def member(self, code: Any, argument: Any) -> int:
        if code is op.LITERAL:
            return self.those(lambda c: ord(c) == argument)
        if code is op.RANGE:
            return self.those(lambda c: argument[0] <= ord(c) <= argument[1])
        known = re.compile(_CATEGORIES[argument], self.flags & re.ASCII)
        return self.those(known.match)

    def those(self, good: Any) -> int:
        found = {character for character in self.bits if good(character)}
        if self.flags & re.IGNORECASE:
            cases = {case for character in found for case in (character.lower(), character.upper())}
            found |= {character for character in self.bits if {character.lower(), character.upper()} & cases}
        return reduce(or_, (self.bits[character] for character in found), 0)

    @property
    def all(self) -> int:
        return (1 << len(self.bits)) - 1


def _mentioned(items: Any) -> list[str]:
    """Every character that a pattern names, and its neighbours."""
    if isinstance(items, int) and not isinstance(items, bool):
        return [chr(near) for near in (items - 1, items, items + 1) if 0 <= near <= sys.maxunicode]
    if isinstance(items, list | tuple | _parser.SubPattern):
        return [character for item in items for character in _mentioned(item)]
    return []


def _judge(automaton: _Automaton, first: int, last: int, *, searches: bool, whole: bool) -> str | None:
    moves = _moves(automaton, first, last, searches=searches, whole=whole)
    reach = {state: _reached(moves, state) for state in moves}
    for p, targets in moves.items():
        repeated = [q for q, bits in targets if sum(1 for r, other in targets if r == q and bits & other) > 1]
        if any(p in reach[q] for q in repeated):
            return "a loop within a loop can take the same text in two ways"
    looping = [state for state in moves if state in reach[state]]
    met = next((p for p in looping for q in looping if p != q and q in reach[p] and _meet(moves, reach, p, q)), None)
    if met is None:
        return None
    where = "a search begins anew inside it" if met == _START else "two repeats can share what they take"
    return f"{where}: work grows with the square of the text, or faster"


def _moves(
    automaton: _Automaton, first: int, last: int, *, searches: bool, whole: bool
) -> dict[int, list[tuple[int, int]]]:
    """For every state, the states that follow, each with the characters (as bits) that lead there."""
    edges: dict[int, dict[int, list[int]]] = {}
    ends: set[int] = set()  # where a match is certain, whatever follows
    for state in (first, *automaton.characters):
        edges[state], certain = _ways(automaton, state, last)
        if certain:
            ends.add(state)
    if not whole:
        for state in _settled(edges, ends):
            edges[state] = {}
    if searches:
        edges[_START] = {_START: [-1], **edges[first]}
    return {
        p: [(q, bits) for q, masks in to.items() for mask in masks if (bits := mask & automaton.characters.get(q, -1))]
        for p, to in edges.items()
    }


def _ways(automaton: _Automaton, state: int, last: int) -> tuple[dict[int, list[int]], bool]:
    """The states that follow, each with the characters read on the way; and whether a match is certain here."""
    found: dict[int, list[int]] = {}
    certain, count = False, 0
    stack = [(state, -1, True, frozenset([state]))]
    while stack:
        at, allowed, sure, passed = stack.pop()
        count += 1
        if count > MOST_WAYS:
            raise NotImplementedError("too many ways")
        certain = certain or (at == last and sure)
        for step in automaton.steps[at]:
            mask = allowed & step.allowed
            if step.to in automaton.characters:
                found.setdefault(step.to, []).append(mask)
            elif step.to not in passed:
                stack.append((step.to, mask, sure and step.sure, passed | {step.to}))
    return found, certain


def _settled(edges: dict[int, dict[int, list[int]]], ends: set[int]) -> set[int]:
    """The states from which nothing can fail any more: everything read from there on belongs to the match."""
    settled = set(ends)
    while loose := {state for state in settled if not edges[state].keys() <= settled}:
        settled -= loose
    return settled


def _reached(moves: dict[int, list[tuple[int, int]]], state: int) -> set[int]:
    seen: set[int] = set()
    stack = [state]
    while stack:
        for target, _ in moves[stack.pop()]:
            if target not in seen:
                seen.add(target)
                stack.append(target)
    return seen


def _meet(moves: dict[int, list[tuple[int, int]]], reach: dict[int, set[int]], p: int, q: int) -> bool:
    """Whether one word leads from p to p, from p to q and from q to q."""
    stack, seen = [(p, p, q)], set()
    while stack:
        a, b, c = stack.pop()
        for x, one in moves[a]:
            if p not in reach[x] and x != p:
                continue
            for y, two in moves[b]:
                if not one & two or (q not in reach[y] and y != q):
                    continue
                for z, three in moves[c]:
                    if not one & two & three or (q not in reach[z] and z != q):
                        continue
                    if (x, y, z) == (p, q, q):
                        return True
                    if (x, y, z) not in seen:
                        seen.add((x, y, z))
                        stack.append((x, y, z))
    return False
