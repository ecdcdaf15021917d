"""Lines of recipients: what is read of them, what is wrong with them, and that blocks make no difference."""

from __future__ import annotations

import json
from array import array
from dataclasses import replace
from itertools import pairwise
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Invalid
from engine.models import OrderState
from engine.orders.digests import Digests
from engine.orders.recipient_lines import LONGEST_LINE, CsvLines, Fault, JsonLines
from engine.orders.upload_reading import PORTION_BYTES, Reading, Start
from engine.orders.uploads import Totals, Upload

EMPTY = Upload(0, 0, 0, 0, 0, 0, 0, "[]", 1, UUID(int=1), OrderState.OPEN, None, False, b"s" * 16, None, None)
ONCE = Start(1, csv=False)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b'{"emailAddress":" Kari@example.no "}', {"emailAddress": "Kari@example.no"}),
        (b'{"EMAILADDRESS":"kari@example.no","values":null}', {"emailAddress": "kari@example.no"}),
        (b'{"nationalIdentityNumber":"01017512345"}', {"nationalIdentityNumber": "01017512345"}),
        (
            '{"organizationNumber":"910150804","values":{"sum":1.5,"år":true,"none":null}}'.encode(),
            {"organizationNumber": "910150804", "values": {"sum": 1.5, "år": True, "none": None}},
        ),
        (b"  ", None),
        (b"kari@example.no", ""),
        (b"[]", ""),
        (b"{}", ""),
        (b'{"emailAddress":"kari"}', "emailAddress"),
        (b'{"emailAddress":7}', "emailAddress"),
        (b'{"nationalIdentityNumber":"1"}', "nationalIdentityNumber"),
        (b'{"organizationNumber":"1"}', "organizationNumber"),
        (b'{"emailAddress":"kari@example.no","organizationNumber":"910150804"}', ""),
        (b'{"emailAddress":"kari@example.no","name":"Kari"}', "name"),
        (b'{"emailAddress":"kari@example.no","values":[]}', "values"),
        (b'{"emailAddress":"kari@example.no","values":{"a":{}}}', "values.a"),
        (b'{"emailAddress":"kari@example.no","values":{"a":1e999}}', "values.a"),
        (b'{"emailAddress":"kari@example.no","values":{"' + b"a" * 101 + b'":1}}', "values"),
        (b'{"emailAddress":"kari@example.no"}{"emailAddress":"ola@example.no"}', ""),
    ],
)
def test_a_line_of_json_is_a_recipient_or_says_what_is_wrong(line: bytes, found: object) -> None:
    read = JsonLines().read(line)
    assert (read.column if isinstance(read, Fault) else read) == found


@pytest.mark.parametrize(
    ("header", "line", "found"),
    [
        ("emailAddress", "kari@example.no", {"emailAddress": "kari@example.no"}),
        ("\ufeffName;E-Mail;EmailAddress", "Kari;x;kari@example.no", {"Name": "Kari", "E-Mail": "x"}),
        ("emailAddress,name", 'kari@example.no,"Nordmann, ""Kari"""', {"name": 'Nordmann, "Kari"'}),
        ("emailAddress\tname", "kari@example.no\t", {"name": ""}),
        ("emailAddress,organizationNumber", ",910150804", {"organizationNumber": "910150804"}),
        ("emailAddress,name", ",", None),
        ("emailAddress,name", "kari@example.no", ""),
        ("emailAddress,name", 'kari@example.no,"open', ""),
        ("emailAddress,name", "\udcff,", ""),
        ("emailAddress,name", "kari,Kari", "emailAddress"),
    ],
)
def test_a_line_of_csv_is_a_recipient_or_says_what_is_wrong(header: str, line: str, found: object) -> None:
    read = CsvLines(header.encode()).read(line.encode("utf-8", "surrogateescape"))
    if isinstance(read, dict) and isinstance(found, dict):
        values = read.pop("values", {})
        assert {**read, **values} == {
            **({"emailAddress": "kari@example.no"} if "emailAddress" in read else {}),
            **found,
        }
    else:
        assert (read.column if isinstance(read, Fault) else read) == found


@pytest.mark.parametrize("header", ["", "name", "emailAddress,", "emailAddress,Name,name", 'emailAddress,"', "\udcff"])
def test_a_first_line_that_names_no_columns_is_refused(header: str) -> None:
    with pytest.raises(Invalid):
        CsvLines(header.encode("utf-8", "surrogateescape"))


LINE = st.sampled_from(
    [b'{"emailAddress":"%d@example.no"}' % number for number in range(5)] + [b"", b"{}", b"x" * (LONGEST_LINE + 1)]
)


@settings(max_examples=30, deadline=None)
@given(lines=st.lists(LINE, min_size=1, max_size=12), cuts=st.sets(st.integers(1, 11)), broken=st.integers(0, 12))
def test_blocks_and_breaks_make_no_difference(lines: list[bytes], cuts: set[int], broken: int) -> None:
    whole = read(EMPTY, Digests(), [lines])
    places = [0, *sorted(cut for cut in cuts if cut < len(lines)), len(lines)]
    blocks = [lines[start:end] for start, end in pairwise(places)]
    assert read(EMPTY, Digests(), blocks) == whole
    known = Digests()
    if first := lines[:broken]:
        totals, before = read(EMPTY, known, [first])
        upload = replace(EMPTY, **{name: getattr(totals, name) for name in Totals.__slots__})
        behind, after = read(upload, known, blocks)
        assert (behind, before + after) == whole


def read(upload: Upload, digests: Digests, blocks: list[list[bytes]]) -> tuple[Totals, list[str]]:
    """The totals behind these blocks, whatever the number of portions, and the recipients."""
    reading = Reading(upload, digests, ONCE, 1_000)
    pieces = [reading.take(b"".join(line + b"\n" for line in block)) for block in blocks]
    reading.end()
    found = [json.loads(portion.recipients) for piece in pieces if piece for portion in piece.portions]
    totals = {name: getattr(reading.totals, name) for name in Totals.__slots__}
    return Totals(**totals | {"portions": 0, "bytes": 0}), [entry["emailAddress"] for each in found for entry in each]


def test_a_portion_of_large_recipients_has_fewer() -> None:
    line = b'{"emailAddress":"%d@example.no","values":{"text":"' + b"x" * 10_000 + b'"}}\n'
    reading = Reading(EMPTY, Digests(), ONCE, 1_000)
    piece = reading.take(b"".join(line % number for number in range(100)))
    assert piece
    assert max(len(portion.recipients) for portion in piece.portions) <= PORTION_BYTES
    assert [portion.number for portion in piece.portions] == list(range(1, len(piece.portions) + 1))
    counts = [len(json.loads(portion.recipients)) for portion in piece.portions]
    assert [portion.first for portion in piece.portions] == [sum(counts[:place]) for place in range(len(counts))]
    assert sum(counts) == 100


def test_more_lines_than_an_order_may_have_are_refused() -> None:
    reading = Reading(EMPTY, Digests(), ONCE, 2)
    with pytest.raises(Invalid) as refused:
        reading.take(b"\n\n\n")
    assert refused.value.errors == {"Recipients": ["An order takes at most 2 lines; split it."]}


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 1 << 64) | st.integers(0, 3), max_size=200))
def test_digests_are_a_set(numbers: list[int]) -> None:
    given_ = [number % (1 << 64) or 1 for number in numbers]
    known, seen = Digests(), set[int]()
    told = known.add(array("Q", given_))
    for number, new in zip(given_, told, strict=True):
        assert new == (number not in seen)
        seen.add(number)
    known.add(array("Q", range(10, 10_000)))  # it grows
    assert known.add(array("Q", given_)) == [False] * len(given_)


@pytest.mark.parametrize("body", [b"emailAddress;name\rkari@example.no;Kari\r", b"emailAddress\rkari@example.no"])
def test_a_file_whose_lines_end_with_cr_alone_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid, match="CR alone"):
        Reading(EMPTY, Digests(), Start(1, csv=True), 9).take(body)


def test_a_line_with_cr_in_it_is_no_recipient_and_one_at_its_end_does_no_harm() -> None:
    its = Reading(EMPTY, Digests(), Start(1, csv=True), 9)
    piece = its.take(b"emailAddress;name\r\n" + b"a@example.no;A\r\r\n" + b"b@example.no;B\rc@example.no;C\n")
    assert piece
    assert json.loads(piece.portions[0].recipients) == [{"emailAddress": "a@example.no", "values": {"name": "A"}}]
    [told] = json.loads(piece.totals.report)
    assert (told["line"], "CR alone" in told["reason"]) == (3, True)


def test_each_column_that_is_no_member_of_a_line_is_a_value_whatever_it_is_called() -> None:
    lines = CsvLines(b"emailAddress,values,Locale")
    assert lines.read(b"kari@example.no,7,nb") == {
        "emailAddress": "kari@example.no",
        "locale": "nb",
        "values": {"values": "7"},
    }
