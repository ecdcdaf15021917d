"""Persons in the console: operators are told what is known, admins erase it, and no page's address has theirs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.helpers.console import SECRET, fill

if TYPE_CHECKING:
    from tests.helpers.console import Site


def test_an_operator_exports_and_only_an_admin_erases(site: Site) -> None:
    fill(site.store, SECRET, "label")
    viewer, operator, admin = site.browser("kari"), site.browser("ola"), site.browser("anna")
    assert viewer.get("/console/persons").status_code == 403
    assert "Erase" not in operator.get("/console/persons").text
    found = operator.post("/console/persons/export", address=SECRET)
    assert "attachment" in found.headers["content-disposition"]
    assert [email["address"] for email in found.json()["emails"]] == [SECRET]
    assert operator.post("/console/persons/erase", address=SECRET).status_code == 403
    assert f"Erase {SECRET}?" in admin.post("/console/persons/ask", address=SECRET).text
    erased = admin.post("/console/persons/erase", address=SECRET.upper())
    assert (erased.status_code, "<dt>E-mails</dt><dd>1</dd>" in erased.text) == (200, True)
    assert SECRET not in operator.get("/console/emails").text
    assert operator.post("/console/persons/export", address=SECRET).json()["emails"] == []
    assert admin.post("/console/persons/erase", address="kari").status_code == 400
