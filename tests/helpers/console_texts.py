"""The console's texts: as they stand in the code, and what stands there untranslated."""

from __future__ import annotations

import ast
import re
import tomllib
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

from babel.messages.catalog import Catalog
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.pofile import read_po
from jinja2 import Environment

from api.console.languages import CATALOGUES

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
TEMPLATES = ROOT / "templates" / "console"
SHOWN = {"aria-label", "title", "placeholder", "alt", "data-label"}  # attributes that people read or hear
UNSPOKEN = {"code", "script", "style"}  # elements whose text is the same in all languages
MARKS = {"_", "N_", "N2_", "gettext", "ngettext"}
KEYWORDS = DEFAULT_KEYWORDS | {"N2_": (1, 2)}
NAMES = {"Varsel", "CSV", "NDJSON", "HTML", "Message-ID", "ttd", "kari@example.no @example.no"}
_WORD = re.compile(r"[A-Za-z]{2}")
_MARK = "\N{OBJECT REPLACEMENT CHARACTER}"  # where an expression stands


def collected() -> Catalog:
    """All texts that the code marks, as `make texts` finds them."""
    mappings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["babel"]["mappings"]
    methods = [(each["pattern"], each["method"]) for each in mappings]
    options = {each["pattern"]: each for each in mappings}
    catalog = Catalog()
    for folder in ("api", "engine", "templates"):
        for file, line, message, comments, context in extract_from_dir(ROOT / folder, methods, options, KEYWORDS):
            catalog.add(message, None, [(f"{folder}/{file}", line)], auto_comments=comments, context=context)
    return catalog


def catalogue(code: str) -> Catalog:
    """The translations into a language."""
    with (CATALOGUES / code / "LC_MESSAGES" / "console.po").open("rb") as file:
        return read_po(file, locale=code)


def untranslated(template: Path) -> list[str]:
    """Texts that stand in a template without {% trans %} or _()."""
    parser = _Texts()
    parser.feed("".join(_literally(template.read_text())))
    parser.close()
    return parser.found


def _literally(source: str) -> Iterator[str]:
    """What a template says outside of its expressions and of what is translated."""
    inside, opened = False, ""  # of {% trans %}; the block that has begun
    for _, kind, value in Environment(autoescape=True).lex(source):
        if kind == "block_begin":
            opened = kind
        elif opened and kind == "name":
            inside = value == "trans" or (inside and value != "endtrans")
            opened = ""
        elif kind in ("variable_end", "block_end"):
            yield _MARK
        elif kind == "data" and not inside:
            yield value


class _Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []
        self._within: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in UNSPOKEN:
            self._within.append(tag)
        for name, value in attrs:
            if name in SHOWN and value:
                self._look(value)

    def handle_endtag(self, tag: str) -> None:
        if self._within and self._within[-1] == tag:
            self._within.pop()

    def handle_data(self, data: str) -> None:
        if not self._within:
            self._look(data)

    def _look(self, text: str) -> None:
        self.found += [
            part
            for part in (each.strip(" \n·") for each in text.split(_MARK))
            if _WORD.search(part) and part not in NAMES and '"' not in part
        ]


def marked(file: Path) -> Iterator[str]:
    """The texts that a module marks, by its syntax: Babel sees none within an f-string, or within another such call."""
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in MARKS:
            first = node.args[0] if node.args else None
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value
