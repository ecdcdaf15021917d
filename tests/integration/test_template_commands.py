"""Templates on the command line, and what the audit log says of their changes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from engine.resources import SCOPE_CREATE, SCOPE_TEMPLATES
from tests.helpers.cli import Cli
from tests.servers.installation import API

if TYPE_CHECKING:
    from tests.servers.installation import Installation

HELLO = {"subject": "Hei, {{ name }}", "text": "Hei, {{ name }}!", "locale": "nb", "locales": {"en": {"text": "Hello"}}}


@pytest.fixture(scope="module")
def cli(installation: Installation) -> Cli:
    """An installation with two versions of a template."""
    with installation.client("cmds", f"{SCOPE_CREATE} {SCOPE_TEMPLATES}") as client:
        for number, text in enumerate(("Hei, {{ name }}!", "Hallo, {{ name }}!"), 1):
            told = client.put(f"{API}/templates/hello", json=HELLO | {"text": text}).json()
            assert [each["version"] for each in told["versions"]] == [*range(number, 0, -1)]
        client.put(f"{API}/templates/gone", json=HELLO)
        client.delete(f"{API}/templates/gone")
    return Cli(installation.environment()["VARSEL_DATABASE_URL"])


def test_they_are_listed_shown_and_previewed(cli: Cli) -> None:
    mine = cli.items("templates", "list", "--creator", "cmds")
    assert [(each["name"], each["version"]) for each in mine] == [("hello", 2)]
    assert {"notice", "code", "receipt"} <= {each["name"] for each in cli.items("templates", "list", "--creator", "")}
    its = ("hello", "--creator", "cmds")
    assert [each["version"] for each in cli.items("templates", "versions", *its)] == [2, 1]
    first = cli.json("templates", "show", *its, "--version", 1)
    assert (first["text"], first["text_en"], first["locales"]) == ("Hei, {{ name }}!", "Hello", ["en"])
    values = json.dumps({"name": "Kari"})
    assert cli.text("templates", "preview", *its, "--values", values) == "Hei, Kari\n\nHallo, Kari!\n"
    said = cli.json("templates", "preview", *its, "--values", values, "--locale", "en-GB")
    assert (said["locale"], said["text"]) == ("en", "Hello")
    assert "<html" in cli.text("templates", "preview", "notice", "--html")
    assert cli.items("templates", "versions", "notice") == [{"name": "notice", "version": None, "created": None}]


def test_what_cannot_be_previewed_says_why(cli: Cli) -> None:
    its = ("templates", "preview", "hello", "--creator", "cmds")
    assert "values.name: The template needs this value." in cli.refused(2, *its, "--values", "{}")
    assert "JSON" in cli.refused(2, *its, "--values", "{")
    assert "JSON object" in cli.refused(2, *its, "--values", "[]")
    assert "no such template" in cli.refused(3, "templates", "show", "hello")
    assert "no such template" in cli.refused(3, "templates", "versions", "hello", "--creator", "skd")


def test_the_audit_log_says_who_stored_or_deleted_one(cli: Cli) -> None:
    stored = cli.items("audit", "list", "--target", "templates/hello")
    assert {line["who"] for line in stored} == {"/org/cmds"}
    acts = [(line["action"], line["detail"]["version"]) for line in stored]
    assert acts == [("store", 2), ("store", 1)]
    gone = cli.items("audit", "list", "--target", "templates/gone")
    assert [line["action"] for line in gone] == ["delete", "store"]
