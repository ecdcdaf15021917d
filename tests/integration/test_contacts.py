"""The contact directory, on both databases: what an import takes, and what a look-up finds."""

from __future__ import annotations

import io
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from engine.errors import Invalid
from engine.orders.contacts import Contact, ContactTable, import_contacts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from engine.db.store import Store

pytestmark = pytest.mark.slow

KARI, OLA, FIRM = "16069412345", "01010112345", "910150804"
HEAD = "identity,name,email,reserved\n"


def load(store: Store, text: str) -> int:
    with store.write() as connection:
        return import_contacts(connection, io.StringIO(text))


def refused(store: Store, text: str) -> dict[str, list[str]]:
    with pytest.raises(Invalid) as refusal:
        load(store, text)
    return refusal.value.errors


def found(store: Store, *identities: str) -> Mapping[str, Contact]:
    with store.read() as connection:
        return ContactTable().look_up(connection, identities)


def test_whom_the_file_names_is_found_and_nobody_else(store: Store) -> None:
    assert load(store, HEAD + f"{KARI}, Kari Nordmann ,kari@example.no,false\n{OLA},Ola,,TRUE\n{FIRM},Fjell,,\n") == 3
    assert found(store, KARI, OLA, FIRM, "99999999999") == {
        KARI: Contact("Kari Nordmann", ("kari@example.no",), is_reserved=False),
        OLA: Contact("Ola", (), is_reserved=True),
        FIRM: Contact("Fjell", (), is_reserved=False),
    }
    assert found(store) == {}


def test_an_organisations_addresses_are_told_apart_without_regard_to_case(store: Store) -> None:
    addresses = ("Post@fjell.example", "POST@FJELL.EXAMPLE", "info@fjell.example", "", "post@fjell.example")
    load(store, HEAD + "".join(f"{FIRM},Fjell,{address},\n" for address in addresses))
    assert found(store, FIRM)[FIRM].emails == ("Post@fjell.example", "info@fjell.example")


def test_an_import_replaces_what_was_known_of_its_identities_and_leaves_others(store: Store) -> None:
    load(store, HEAD + f"{KARI},Kari,kari@example.no,\n{FIRM},Fjell,a@fjell.example,\n{FIRM},Fjell,b@fjell.example,\n")
    load(store, HEAD + f"{FIRM},Fjell og Fjord,c@fjell.example,\n")
    assert found(store, FIRM)[FIRM] == Contact("Fjell og Fjord", ("c@fjell.example",), is_reserved=False)
    assert found(store, KARI)[KARI].emails == ("kari@example.no",)
    assert load(store, HEAD) == 0
    assert len(found(store, FIRM, KARI)) == 2


def test_thousands_are_imported_and_found_at_once(store: Store) -> None:
    numbers = [f"{n:011d}" for n in range(2_500)]
    for _ in range(2):
        assert load(store, HEAD + "".join(f"{number},N,n{number}@example.no,\n" for number in numbers)) == 2_500
    known = found(store, *numbers)
    assert len(known) == 2_500
    assert all(known[number].emails == (f"n{number}@example.no",) for number in numbers)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("1606941234,Kari,,", "11 digits"),
        ("160694123456,Kari,,", "11 digits"),
        ("1606941234x,Kari,,", "11 digits"),
        ("١٦٠٦٩٤١٢٣٤٥,Kari,,", "11 digits"),
        (",Kari,,", "11 digits"),
        (f"{KARI},Kari,kari@example,", "not an e-mail address"),
        (f"{KARI},Kari,a@example.no;b@example.no,", "not an e-mail address"),
        (f'{KARI},Kari,"a@example.no\r\nRCPT TO:<b@example.no>",', "not an e-mail address"),
        (f'{KARI},"Kari\r\nBcc: alle@example.no",,', "control character"),
        (f"{KARI},Ka\x00ri,,", "control character"),
        (f"{KARI},Ka\x85ri,,", "control character"),
        (f"{KARI},{'K' * 501},,", "more than 500 characters"),
        (f"{KARI},Kari,,maybe", "true or false"),
        (f"{OLA},Ola Nordmann,ola@example.no,", "line 2 already"),
    ],
)
def test_a_bad_line_is_named_and_refuses_the_whole_file(store: Store, line: str, reason: str) -> None:
    errors = refused(store, f"{HEAD}{OLA},Ola,,\n{line}\n{FIRM},Fjell,,\n")
    [(place, [problem])] = errors.items()
    assert place in ("line 3", "line 4")  # a quoted field may go over two lines
    assert reason in problem
    assert found(store, OLA, FIRM) == {}


def test_what_pasting_leaves_around_a_field_is_taken_off(store: Store) -> None:
    load(store, f"{HEAD}\u200b{KARI}\u00a0,\u00a0Kari,\ufeffkari@例え.テスト\u200e,\n")
    assert found(store, KARI)[KARI] == Contact("Kari", ("kari@例え.テスト",), is_reserved=False)
    assert "email" in refused(store, f"{HEAD}{OLA},Ola,ola@æø--x.no,\n")["line 2"][0]


@pytest.mark.parametrize("head", ["", "nummer,navn,epost\n", "identity,email\n", "IDENTITY,NAME,EMAIL\n"])
def test_a_file_without_the_columns_is_told_which(store: Store, head: str) -> None:
    assert "identity,name,email,reserved" in refused(store, head + f"{KARI},Kari,kari@example.no\n")["line 1"][0]


def test_columns_may_stand_in_any_order_beside_others(store: Store) -> None:
    assert load(store, f"email,by,name,identity\nkari@example.no,Oslo,Kari,{KARI}\n,,Ola,{OLA},mer,enda mer\n") == 2
    assert found(store, KARI)[KARI].emails == ("kari@example.no",)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (f"{HEAD}{KARI},Kåre,,\n".encode("latin-1"), "must be encoded in UTF-8"),
        (HEAD.encode() + b"\xff\xfe\n", "must be encoded in UTF-8"),
        (f"{HEAD}{KARI},{'x' * 200_000},,\n".encode(), "line 2: is not CSV: field larger than field limit"),
        (b"\xef\xbb\xbf" + f"{HEAD}{KARI},Kåre,,nei\n".encode(), "line 2: reserved must be true or false"),
    ],
    ids=["latin", "bytes", "huge", "reserved"],
)
def test_the_command_tells_a_file_that_is_none_in_a_line(content: bytes, told: str, tmp_path: Path) -> None:
    file = tmp_path / "contacts.csv"
    file.write_bytes(content)
    command = [sys.executable, "-m", "engine", "contacts", "import", str(file), "--data", str(tmp_path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("VARSEL_")}
    done = subprocess.run(command, env=environment, text=True, capture_output=True, check=False)
    assert done.returncode == 1
    assert told in done.stderr
    assert "Traceback" not in done.stderr
