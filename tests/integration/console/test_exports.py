"""Lists as files: as they are narrowed, all that match, masked by role, and never without a line in the audit log."""

from __future__ import annotations

import csv
import io
import json
import re
from html import unescape
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from engine.admin import exports
from engine.admin.exports import BOM, COLUMNS
from engine.admin.lists import page
from engine.admin.resources import AUDIT, RESOURCES
from engine.db.tables import emails
from engine.models import EmailState
from tests.helpers.console import SECRET, fill
from tests.helpers.rows import add_email, add_order

if TYPE_CHECKING:
    from engine.db.store import Store
    from tests.helpers.console import Site


def lines(store: Store) -> list[dict[str, Any]]:
    with store.read() as connection:
        return page(connection, AUDIT, {"action": "export"}).items


def read_csv(text: str) -> list[dict[str, str]]:
    assert text.startswith(BOM)
    return list(csv.DictReader(io.StringIO(text.removeprefix(BOM), newline="")))


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_every_list_can_be_had_as_a_file(site: Site, keys: dict[str, Any], name: str, form: str) -> None:
    del keys
    answer = site.browser("anna").get(f"/console/export/{name}.{form}")
    assert answer.status_code == 200
    assert answer.headers["content-disposition"] == f'attachment; filename="varsel-{name}.{form}"'
    rows = read_csv(answer.text) if form == "csv" else [json.loads(line) for line in answer.text.splitlines()]
    assert rows or name == "senders"
    for row in rows:
        assert [column.removesuffix(" (UTC)") for column in row] == list(COLUMNS[name])


def test_the_lists_are_those_that_have_pages() -> None:
    assert COLUMNS.keys() == RESOURCES.keys()


def test_all_that_match_are_in_it_in_portions_and_the_audit_log_says_so(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PORTION", 7)
    with store.write() as connection:
        for creator, number in (("ttd", 30), ("skd", 5)):
            order = add_order(connection, creator=creator)
            for each in range(number):
                add_email(connection, order, address=f"={creator}{each}@example.no")
    rows = read_csv(site.browser("ola").get("/console/export/emails.csv?creator=ttd&since=24h").text)
    assert sorted(row["address"] for row in rows) == sorted(f"'=ttd{each}@example.no" for each in range(30))
    [line] = lines(store)
    assert (line["who"], line["target"]) == ("ola", "emails")
    since = line["detail"]["filter"].pop("since")
    assert since.startswith("20"), "how long ago is a time"
    assert line["detail"] == {"filter": {"creator": "ttd"}, "format": "CSV", "rows": 30}


def test_a_file_stands_in_the_order_that_the_list_shows(
    site: Site, store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exports, "PORTION", 2)
    with store.write() as connection:
        order = add_order(connection)
        for each in range(5):
            add_email(connection, order, address=f"person{each}@example.no", state=EmailState.FAILED, due_at=None)
        usual = list(connection.scalars(select(emails.c.address).order_by(emails.c.id.desc())))
    browser = site.browser("ola")
    for sort, expected in (("", usual), ("&sort=ascending", usual[::-1]), ("&sort=descending", usual)):
        page = browser.get(f"/console/emails?state=failed{sort}").text
        for form in ("csv", "ndjson"):
            [link] = re.findall(rf'href="(/console/export/emails\.{form}[^"]*)"', page)
            text = browser.get(unescape(link)).text
            rows = read_csv(text) if form == "csv" else [json.loads(line) for line in text.splitlines()]
            assert [row["address"] for row in rows] == expected
    assert browser.get("/console/export/emails.csv?sort=sideways").status_code == 400


def test_what_breaks_off_is_a_broken_file_and_a_line(site: Site, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    with store.write() as connection:
        add_email(connection, add_order(connection))
    monkeypatch.setattr(exports.Export, "_written", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        site.browser("ola").get("/console/export/emails.csv")
    [line] = lines(store)
    assert line["detail"] == {"filter": {}, "format": "CSV", "rows": 1, "unfinished": True}


def test_a_viewer_gets_it_masked_and_cannot_narrow_by_what_is_masked(site: Site, store: Store) -> None:
    fill(store, SECRET, "label")
    viewer, operator = site.browser("kari"), site.browser("ola")
    for name in COLUMNS:
        for form in ("csv", "ndjson"):
            assert "secret" not in viewer.get(f"/console/export/{name}.{form}").text.replace("rotate-secret", "")
    assert SECRET in operator.get("/console/export/emails.csv").text
    assert viewer.get("/console/export/emails.csv?recipient=secret@example.no").status_code == 403
    assert operator.get("/console/export/emails.csv?recipient=secret@example.no").status_code == 200
    assert viewer.get("/console/export/emails.csv?planet=mars").status_code == 400
    assert viewer.get("/console/export/planets.csv").status_code == 404
    assert viewer.get("/console/export/emails.xlsx").status_code == 404
