"""The console's texts are marked where they stand, and each has a translation that says the same."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.helpers.console_texts import ROOT, TEMPLATES, catalogue, collected, marked, untranslated

if TYPE_CHECKING:
    from pathlib import Path

    from babel.messages.catalog import Message

CODES = ("nb", "nn")
TODO = "run `make texts`, and translate what is new in templates/console/locale/{code}/LC_MESSAGES/console.po"
_NAMES = re.compile(r"%\(\w+\)s|\{\w+\}|%%")
_MARKS = re.compile(r"</?\w+[^>]*>")
_VALUES = re.compile(r"\b_\((?![\"'])")  # of a template, a text that is looked up without being marked


def told(code: str) -> str:
    return TODO.format(code=code)


@pytest.mark.parametrize("code", CODES)
def test_each_text_of_the_code_has_a_translation_and_no_other_is_there(code: str) -> None:
    here, there = ({message.id: message for message in found if message.id} for found in (collected(), catalogue(code)))
    assert here.keys() - there.keys() == set(), told(code)
    assert there.keys() - here.keys() == set(), told(code)
    assert [each.id for each in there.values() if each.fuzzy] == [], f"not sure: {told(code)}"
    assert [each.id for each in there.values() if not all(texts(each))] == [], told(code)


@pytest.mark.parametrize("code", CODES)
def test_a_translation_has_the_same_values_marks_and_edges(code: str) -> None:
    for message in catalogue(code):
        for text in texts(message) if message.id else ():
            english = message.id if isinstance(message.id, str) else message.id[0]
            for kind in (_NAMES, _MARKS):
                assert sorted(kind.findall(text)) == sorted(kind.findall(english)), text
            assert [text.startswith(" "), text.endswith(" ")] == [english.startswith(" "), english.endswith(" ")], text


def test_what_is_marked_is_collected() -> None:
    known = {message.id if isinstance(message.id, str) else message.id[0] for message in collected()}
    files = [file for package in ("api", "engine") for file in (ROOT / package).rglob("*.py")]
    lost = {text: str(file) for file in files for text in marked(file) if text not in known}
    assert lost == {}, "let the text stand in a statement of its own"


@pytest.mark.parametrize("template", sorted(TEMPLATES.glob("*.html")), ids=lambda file: file.stem)
def test_no_text_stands_in_a_template_unmarked(template: Path) -> None:
    assert untranslated(template) == [], 'write {{ _("…") }} or {% trans %}'
    assert _VALUES.findall(template.read_text()) == [], "a value that is a text has the filter `translated`"


def texts(message: Message) -> tuple[str, ...]:
    """The translation, or those of its plurals."""
    return tuple(message.string) if isinstance(message.string, tuple | list) else (str(message.string),)
