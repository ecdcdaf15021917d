"""The reading of an upload's body: lines become recipients, what was taken before is skipped, and all is counted."""

from __future__ import annotations

import json
from collections import Counter
from itertools import compress
from typing import TYPE_CHECKING, NamedTuple
from zlib import crc32

from pydantic_core import to_json

from engine.errors import Conflict, Invalid
from engine.orders.digests import SIZE, digested
from engine.orders.recipient_lines import LONGEST_LINE, OTHER_ENDS, CsvLines, Fault, JsonLines, key
from engine.orders.uploads import Piece, Portion, Totals

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from engine.orders.digests import Digests
    from engine.orders.line_rules import Rule
    from engine.orders.new_order import Recipient
    from engine.orders.recipient_lines import Form
    from engine.orders.uploads import Upload

PORTION = 2_000  # recipients of a portion, since other writers wait while its e-mails are made
PORTION_BYTES = 400_000  # likewise, unless one recipient has more
REPORTED = 100  # invalid lines that the report shows
LARGEST = 1_000_000_000  # bytes of an order's recipients, as they are stored
_OTHER_ENDS = Fault("", OTHER_ENDS)
_TOO_LONG = Fault("", f"A line has at most {LONGEST_LINE:,} bytes.")


class Start(NamedTuple):
    """Which line of all a body begins with, and whether it is CSV: then its first line names the columns.

    That one counts as line 1, and stands before further lines as well.
    """

    line: int
    csv: bool


class Reading:
    """Reads one body. `most`: lines that an order may have; `rules`: what each recipient must fit.

    Conflict when the body does not begin where it may.
    """

    def __init__(self, upload: Upload, digests: Digests, start: Start, most: int, rules: Sequence[Rule] = ()) -> None:
        if start.line not in (1, upload.lines + 1):
            raise Conflict(f"The next line is {upload.lines + 1}; a body begins there, or with line 1 once more.")
        self.totals: Totals = upload
        self.first: Recipient | None = None  # that gets the e-mail
        self.zones = Counter[str | None]()  # of those who get it, of this body; None: they have none of their own
        self._upload = upload
        self._digests = digests
        self._most = most
        self._rules = rules
        self._form: Form | None = None if start.csv else JsonLines()
        self._counts_header = start.line == 1
        self._skipped = 0 if start.line == 1 else upload.lines
        self._checksum = 0  # of what is skipped
        self._report: list[dict[str, str | int]] = json.loads(upload.report)

    def take(self, block: bytes) -> Piece | None:
        """Read whole lines; None: they were taken before. Conflict when they differ from those."""
        lines = block.replace(b"\r\n", b"\n").removesuffix(b"\n").split(b"\n")
        if self._form is None:
            self._form = CsvLines(lines[0])
            if not self._counts_header:
                del lines[0]
        new = self._skip(lines)
        if not new:
            return None
        if self.totals.lines + len(new) > self._most:
            raise Invalid({"Recipients": [f"An order takes at most {self._most:,} lines; split it."]})
        return self._piece(self._form, new)

    def end(self) -> None:
        """Nothing more comes; Conflict when that is less than was taken before."""
        if self._skipped < self._upload.lines:
            raise Conflict(
                f"The body ends before line {self._upload.lines}, up to which lines were taken already; of a further"
                f" file, say fromLine={self._upload.lines + 1}."
            )

    def _skip(self, lines: Sequence[bytes]) -> Sequence[bytes]:
        """The lines that were not taken before."""
        again = lines[: self._upload.lines - self._skipped]
        if again:
            self._skipped += len(again)
            self._checksum = _checksum(again, self._checksum)
            if self._skipped == self._upload.lines and self._checksum != self._upload.checksum:
                text = f"The lines up to {self._upload.lines} differ from those that were taken already."
                raise Conflict(f"{text} To go on behind them, say fromLine={self._upload.lines + 1}.")
        return lines[len(again) :]

    def _read(self, form: Form, line: bytes) -> Recipient | Fault | None:
        if b"\r" in line:
            line = line.rstrip(b"\r")
            if b"\r" in line:
                return _OTHER_ENDS
        found = form.read(line) if len(line) <= LONGEST_LINE else _TOO_LONG
        if found is None or isinstance(found, Fault):
            return found
        return next((fault for rule in self._rules if (fault := rule(found))), found)

    def _piece(self, form: Form, lines: Sequence[bytes]) -> Piece:
        before = self.totals
        invalid = 0
        entries: list[Recipient] = []
        for number, line in enumerate(lines, before.lines + 1):
            if number == 1 and isinstance(form, CsvLines):
                continue
            found = self._read(form, line)
            if isinstance(found, Fault):
                invalid += 1
                if len(self._report) < REPORTED:
                    self._report.append({"line": number, "column": found.column, "reason": found.reason})
            elif found is not None:
                entries.append(found)
        digests = digested(map(key, entries), self._upload.salt)
        new = self._digests.add(digests)
        duplicate = new.count(False)
        if duplicate and not self._upload.duplicates_kept:
            entries = list(compress(entries, new))
            digests = type(digests)("Q", compress(digests, new))
        self.first = self.first or next(iter(entries), None)
        self.zones.update(entry.get("timeZone") for entry in entries)
        portions = list(_portions(entries, digests.tobytes(), before))
        size = before.bytes + sum(len(portion.recipients) for portion in portions)
        if size > LARGEST:
            raise Invalid({"Recipients": [f"The recipients of an order have at most {LARGEST:,} bytes; split it."]})
        self.totals = Totals(
            lines=before.lines + len(lines),
            checksum=_checksum(lines, before.checksum),
            bytes=size,
            valid=before.valid + len(entries),
            invalid=before.invalid + invalid,
            duplicate=before.duplicate + duplicate,
            portions=before.portions + len(portions),
            report=json.dumps(self._report, ensure_ascii=False) if invalid else before.report,
        )
        return Piece(portions, self.totals)


def _portions(entries: Sequence[Recipient], digests: bytes, before: Totals) -> Iterator[Portion]:
    """Recipients in portions of at most PORTION, and fewer where they are large."""
    number, first = before.portions, 0
    while first < len(entries):
        last = first + PORTION
        while len(text := to_json(entries[first:last])) > PORTION_BYTES and last > first + 1:
            last = first + (min(last, len(entries)) - first + 1) // 2
        number += 1
        place = before.valid + first
        yield Portion(number, place, text.decode(), digests[SIZE * first : SIZE * last])
        first = last


def _checksum(lines: Sequence[bytes], before: int) -> int:
    return crc32(b"\n".join(lines) + b"\n", before)
