"""What reading commands print: tables for people, CSV for spreadsheets, one JSON document for programs."""

from __future__ import annotations

import csv
import json
import sys
from dataclasses import asdict, is_dataclass
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import TYPE_CHECKING, Any
from uuid import UUID

import typer

from engine.admin.amounts import span
from engine.cli.columns import COLUMNS, DOES, GOING, SAID
from engine.cli.text import plain
from engine.cli.zone import zone
from engine.text.times import local, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rich.console import Console
    from rich.table import Table

    Columns = Mapping[str, str]  # title: key of the row

UNBOUNDED = 100_000  # characters: what is read by a program is not cut to fit a screen
SHORT = 25  # characters, as many as a time with its offset has: no text up to this length is cut, and no identifier
BEGINNING = 18  # characters of an identifier that are left where there is no room: commands take the beginning
LEAST = 12  # characters that are left of a longer one
FOLDED = ("timeline", "history", "audit")  # tables whose texts may take several lines
GAP = 2  # between columns


class Form(Enum):
    """What a list is printed as."""

    TABLE = auto()
    JSON = auto()
    CSV = auto()


def form_of(as_json: bool, as_csv: bool) -> Form:
    """The form that was asked for; BadParameter for two of them."""
    if as_json and as_csv:
        raise typer.BadParameter("One of both.", param_hint="--json --csv")
    return Form.JSON if as_json else Form.CSV if as_csv else Form.TABLE


def print_rows(form: Form, name: str, rows: Sequence[Any], next_: str | None = None, *, none: str = "") -> None:
    """A list with the columns of this name; `next_`: the cursor of the page behind it.

    `none`: what is said, on standard error, in place of a table without rows.
    """
    match form:
        case Form.JSON:
            print_list(rows, next_)
        case Form.CSV:
            print_csv(COLUMNS[name], rows)
        case Form.TABLE if none and not rows:
            typer.echo(none, err=True)
        case Form.TABLE:
            print_table(name, rows)


def print_csv(columns: Columns, rows: Sequence[Mapping[str, Any]]) -> None:
    """RFC 4180: a line for each row, with all columns, uncut."""
    written = csv.writer(sys.stdout)
    written.writerow(columns)
    written.writerows([_unread(row.get(key)) for key in columns.values()] for row in rows)


def _unread(value: Any) -> str:
    """A value of CSV: no spreadsheet reads a text from outside as a formula, and no terminal obeys it."""
    if type(value) in (int, float):
        return str(value)
    from engine.admin.exports import cell as harmless

    return harmless("" if value in (None, "", [], {}) else cell(value))


def print_json(document: Any) -> None:
    """ASCII alone, so that no text can reach a terminal as anything else."""
    typer.echo(json.dumps(document, indent=2, default=_value).replace("\x7f", "\\u007f"))


def print_list(items: Sequence[Any], next_: str | None = None) -> None:
    """A list as JSON; `next` is the cursor of the page behind it."""
    print_json({"items": items, "next": next_})


def print_table(name: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Rows for people, with the columns of this name; on standard error, which of them had no room."""
    out, columns = console(), COLUMNS[name]
    made = table(columns, rows, out.width, going=GOING.get(name, ()), fold=name in FOLDED)
    out.print(made)
    shown = {column.header for column in made.columns}
    if left := [title for title in columns if title not in shown]:
        typer.echo(f"No room for: {', '.join(left)}. --csv and --json have them.", err=True)


def print_one(item: Mapping[str, Any]) -> None:
    """One row with all that belongs to it: values first, then lists, then texts of several lines."""
    values, lists, texts = {}, {}, {}
    for name, value in item.items():
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            lists[name] = value
        elif isinstance(value, str) and "\n" in value.strip():
            texts[name] = value
        else:
            values[name] = value
    width = max(map(len, values))
    out = console()
    for name, value in values.items():
        out.print(f"{_title(name):<{width}}  {_worded(name, value, item)}", soft_wrap=True)
    for name, rows in lists.items():
        columns = COLUMNS.get(name) or {_title(key): key for row in rows for key in row}
        out.print(f"\n{_title(name)}", style="bold")
        out.print(table(columns, rows, out.width, fold=name in FOLDED))
    for name, text in texts.items():
        out.print(f"\n{_title(name)}", style="bold")
        for line in text.splitlines():
            out.print(f"  {plain(line)}", soft_wrap=True)


def console(*, stderr: bool = False) -> Console:
    """Where tables go. Texts are shown as they are: no markup, no colours of their own."""
    from rich.console import Console

    made = Console(stderr=stderr, markup=False, highlight=False, emoji=False)
    if not made.is_terminal:
        made.width = UNBOUNDED
    return made


def table(
    columns: Columns,
    rows: Sequence[Mapping[str, Any]],
    width: int,
    *,
    going: Sequence[str] = (),
    fold: bool = False,
) -> Table:
    """A table of at most this width.

    To fit, long texts are cut (`fold`: the last is folded), columns without values go, identifiers are cut, and the
    columns go that are `going`, and the last.
    """
    from rich.cells import cell_len
    from rich.table import Table
    from rich.text import Text

    cells = {title: [_worded(key, row.get(key), row) for row in rows] for title, key in columns.items()}
    widths = {title: max(map(cell_len, [title, *texts])) for title, texts in cells.items()}
    whole = {title for title, key in columns.items() if any(isinstance(row.get(key), UUID) for row in rows)}
    long = {title for title in columns if widths[title] > SHORT} - whole if not fold else {[*columns][-1]}
    least = {title: max(len(title), LEAST) if title in long else its for title, its in widths.items()}
    empty = [title for title, texts in cells.items() if {"-"}.issuperset(texts)]
    _leave_out(least, reversed(empty), width)
    if _width(least) > width:
        cut = {title: [text[:BEGINNING] for text in cells[title]] for title in whole}
        cells, least = cells | cut, least | dict.fromkeys(whole & least.keys(), BEGINNING)
    _leave_out(least, (*going, *reversed([*columns])), width)
    more = (width - _width(least)) // max(1, len(long & least.keys()))
    made = Table(box=None, pad_edge=False, header_style="bold")
    for title, its in least.items():
        right = any(type(row.get(columns[title])) in (int, float, timedelta) for row in rows)
        made.add_column(
            title,
            justify="right" if right else "left",
            width=min(its + more if title in long else its, widths[title]),
            no_wrap=not fold,
            overflow="fold" if fold else "ellipsis",
        )
    for line in zip(*(cells[title] for title in least), strict=True):
        made.add_row(*map(Text, line))
    return made


def _leave_out(columns: dict[str, int], going: Iterable[str], width: int) -> None:
    """Remove those that are going, one by one, until the others fit; the last one stays."""
    for title in going:
        if len(columns) > 1 and _width(columns) > width:
            columns.pop(title, None)


def _width(columns: Mapping[str, int]) -> int:
    return sum(columns.values()) + GAP * (len(columns) - 1)


def cell(value: Any) -> str:
    """A value on one line, harmless for terminals; times have their offset."""
    if value in (None, "", [], {}):
        return "-"
    match value:
        case bool():
            return "yes" if value else "no"
        case datetime():
            return local(value, zone()).isoformat(" ", "seconds")
        case timedelta():
            return span(value)
        case dict() if all(isinstance(each, int) for each in value.values()):
            return ", ".join(f"{count} {plain(str(name))}" for name, count in value.items())
        case dict() | list():
            return plain(json.dumps(value, ensure_ascii=False, default=_value))
    return plain(str(value))


def _said(line: Mapping[str, Any]) -> str:
    """A line of the audit log as a sentence, with whole identifiers: commands take them."""
    from engine.admin.sentences import Link, sentence

    def text(piece: Any) -> str:
        if not isinstance(piece, Link):
            return piece if isinstance(piece, str) else cell(piece)
        name, cut, _ = piece.text.partition("…")
        return name + piece.path.rpartition("/")[2] if cut else piece.text

    return plain("".join(map(text, sentence(line))))


def _worded(key: str, value: Any, row: Mapping[str, Any]) -> str:
    """A value of a row as people read it; the keys SAID and DOES are made of the whole row."""
    from engine.admin.words import of_job, of_outcome, of_state

    if key == SAID:
        return _said(row)
    if key == DOES:
        return of_job(row["resource"], row["action"])
    if key == "filter" and value:
        return plain(", ".join(f"{name} {each}" for name, each in value.items()))
    if isinstance(value, dict) and all(isinstance(each, int) for each in value.values()):  # numbers by state
        return cell({of_state(name): each for name, each in value.items()})
    words = {"state": of_state, "outcome": of_outcome}.get(key)
    return cell(words(value) if words and value else value)


def _title(name: str) -> str:
    return plain(name.replace("_", " "))


def _value(value: Any) -> Any:
    """What JSON has no form for."""
    if isinstance(value, datetime):
        return rfc3339(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    return str(value)
