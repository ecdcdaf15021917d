"""Who may do what: the built-in rules, the rules of a file, and the resources that are Varsel's own."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.auth.access import Action, Question, Rules
from engine.errors import Misconfigured
from engine.resources import status_resource
from engine.runtime import config_files
from engine.runtime.config_files import MAX_TOML
from engine.text.urn import is_urn

if TYPE_CHECKING:
    from pathlib import Path

APP, OTHER = "urn:altinn:resource:app_ttd_apps-test", "urn:altinn:resource:dialog-service"
ANY = '[[rule]]\nwho = ["*"]\nmay = ["publish", "read", "subscribe"]\non = ["*"]\n'
CREATORS = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=100)


def may(  # noqa: PLR0913, PLR0917 what a question has
    rules: Rules, who: str, action: str, resource: str, subject: str | None = None, party: str | None = None
) -> bool:
    [answer] = asyncio.run(decided(rules, Question(who, Action(action), resource, subject, party)))
    return answer


async def decided(rules: Rules, *questions: Question) -> list[bool]:
    return list(await rules.decide(questions))


def written(folder: Path, text: str) -> Path:
    file = folder / "access.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("who", ["/org/ttd", "/user/1337", "/organisation/987564321"])
def test_only_apps_events_are_read_without_a_scope(who: str) -> None:
    assert not may(Rules(None), who, "read", OTHER, who)
    assert may(Rules(None), who, "subscribe", OTHER, who)  # whose scope was asked for


@pytest.mark.parametrize("file", ["", '[[rule]]\nwho = ["/org/ttd"]\nmay = ["read"]\non = ["urn:x"]\n'])
def test_an_end_users_own_party_needs_no_rule(tmp_path: Path, file: str) -> None:
    rules = Rules(written(tmp_path, file) if file else None)
    assert may(rules, "/user/1", "read", APP, "/party/50019855", "50019855")
    assert not may(rules, "/user/1", "read", APP, "/party/50019856", "50019855")
    assert not may(rules, "/user/1", "read", APP, "/party/50019855/x", "50019855")
    assert not may(rules, "/user/1", "read", APP, "/party/50019855")
    assert not may(rules, "/user/1", "read", APP, None, "50019855")
    assert not may(rules, "/user/1", "publish", APP, "/party/50019855", "50019855")
    assert not may(rules, "/user/1", "read", OTHER, "/party/50019855", "50019855")
    assert not may(rules, "/user/1", "read", status_resource("ttd"), "/party/50019855", "50019855")


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(
    ("who", "resource"),
    [
        ("/org/ttd", APP),
        ("/org/TTD", APP),
        ("/org/ttd", APP.replace("ttd", "TTD")),
        ("/org/a", "urn:altinn:resource:app_a_b_c"),
    ],
)
def test_an_organisation_may_do_everything_with_its_own_apps(action: Action, who: str, resource: str) -> None:
    assert may(Rules(None), who, action, resource)


@pytest.mark.parametrize("action", Action)
@pytest.mark.parametrize(
    ("who", "resource"),
    [
        ("/org/tt", APP),
        ("/org/ttdx", APP),
        ("/org/", "urn:altinn:resource:app__x"),
        ("/org/*", APP),
        ("/org/.*", APP),
        ("/org/ttd_apps-test", "urn:altinn:resource:app_ttd_apps-test_x"),  # may be ttd's app apps-test_x
        ("/org/a_b", "urn:altinn:resource:app_a_b_c"),
        ("/org/a.b", "urn:altinn:resource:app_a_b_c"),
        ("/user/ttd", APP),
        ("/organisation/991825827", APP),
        ("/org/ttd", "urn:altinn:resource:app_ttd"),
        ("/org/ttd", "urn:altinn:resource:app_"),
        ("/org/\N{KELVIN SIGN}", "urn:altinn:resource:app_k_x"),
        ("/org/ttd\n", APP),
    ],
)
def test_nobody_has_the_apps_of_another_organisation(action: Action, who: str, resource: str) -> None:
    assert not may(Rules(None), who, action, resource, "/party/1")


def test_a_subject_may_read_and_subscribe_but_not_publish_what_is_about_itself() -> None:
    who = "/organisation/991825827"
    assert may(Rules(None), who, "read", APP, who)
    assert may(Rules(None), who, "subscribe", APP, who)
    assert not may(Rules(None), who, "publish", APP, who)
    assert not may(Rules(None), who, "read", APP, "/organisation/991825828")
    assert not may(Rules(None), who, "read", APP, None)


@pytest.mark.parametrize("action", [Action.PUBLISH, Action.SUBSCRIBE])
def test_without_a_file_the_scopes_alone_decide_about_other_resources(action: Action) -> None:
    assert may(Rules(None), "/user/1", action, OTHER)


def test_many_questions_are_answered_in_their_order() -> None:
    questions = [
        Question("/org/ttd", Action.SUBSCRIBE, resource, None) for resource in (APP, APP.replace("ttd", "x"), OTHER)
    ]
    assert asyncio.run(decided(Rules(None), *questions)) == [True, False, True]
    assert asyncio.run(decided(Rules(None))) == []


@pytest.mark.parametrize("file", [None, ANY])
def test_what_became_of_orders_is_for_their_creator_to_read_and_for_nobody_to_publish(
    file: str | None, tmp_path: Path
) -> None:
    rules = Rules(file and written(tmp_path, file))  # type: ignore[arg-type]
    for creator in ("ttd", "Ttd", "a_b.c", "Ærlig Org"):
        resource = status_resource(creator)
        assert may(rules, f"/org/{creator}", "read", resource)
        assert may(rules, f"/org/{creator}", "subscribe", resource)
        assert not may(rules, f"/org/{creator}", "publish", resource)
        for other in ("/org/x", f"/org/{creator}x", f"/user/{creator}", creator, "/org/", f"/org//org/{creator}"):
            assert not may(rules, other, "read", resource, other)
    for resource in (
        "urn:altinn:resource:varsel:",
        "urn:altinn:resource:VARSEL:ttd",
        "urn:altinn:resource:varsel:ttd:x",
    ):
        assert not may(rules, "/org/ttd", "subscribe", resource)


@given(CREATORS)
def test_every_creator_has_a_resource_that_is_a_urn(creator: str) -> None:
    assert is_urn(status_resource(creator))


@pytest.mark.parametrize("creator", ["\N{GRINNING FACE}" * 100, "Æ" * 100, "a" * 100, "A" * 100, "a b"])
def test_the_longest_creators_have_one_too(creator: str) -> None:
    assert is_urn(status_resource(creator))


@given(CREATORS, CREATORS)
def test_two_creators_never_share_a_resource(one: str, two: str) -> None:
    variants = {one, two, one.upper(), one.lower(), one.swapcase(), status_resource(one).rpartition(":")[2], one + two}
    assert len({status_resource(creator).lower() for creator in variants}) == len(variants)


def test_plain_names_stay_readable() -> None:
    assert status_resource("ttd") == "urn:altinn:resource:varsel:ttd"
    assert status_resource("Ttd") == "urn:altinn:resource:varsel:(kr2gi"


def test_a_rule_grants_what_it_lists_and_nothing_else(tmp_path: Path) -> None:
    rules = Rules(
        written(
            tmp_path,
            """
            [[rule]]
            who = ["/org/ttd", "/organisation/9*"]
            may = ["publish", "read"]
            on = ["urn:altinn:resource:app_TTD_*", "urn:altinn:resource:exact"]

            [[rule]]
            who = ["*"]
            may = ["subscribe"]
            on = ["urn:altinn:resource:about-parties"]
            subjects = ["/party/*", "/org/one"]
            """,
        )
    )
    assert may(rules, "/org/ttd", "publish", APP)
    assert may(rules, "/organisation/991825827", "read", APP, "/party/1")
    assert may(rules, "/org/ttd", "read", "urn:altinn:resource:exact")
    assert not may(rules, "/org/ttd", "subscribe", APP)
    assert not may(rules, "/org/ttdx", "read", APP)
    assert not may(rules, "/organisation/1", "read", APP)
    assert not may(rules, "/org/ttd", "read", "urn:altinn:resource:exactly")
    assert not may(rules, "/org/ttd", "read", OTHER)
    assert may(rules, "/user/1", "subscribe", "urn:altinn:resource:about-parties", "/party/1")
    assert may(rules, "/user/1", "subscribe", "urn:altinn:resource:about-parties", "/org/one")
    assert not may(rules, "/user/1", "subscribe", "urn:altinn:resource:about-parties", "/org/two")
    assert not may(rules, "/user/1", "subscribe", "urn:altinn:resource:about-parties")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("", r"has no \[\[rule\]\]"),
        ("rule = []", r"has no \[\[rule\]\]"),
        ("rule = 1", r"has no \[\[rule\]\]"),
        ("rule = [1]", "rule 1: is no table"),
        ("[[rule]", "is not TOML"),
        ("a = " + "[" * 5000, "is not TOML"),
        (ANY + "[other]", "knows no 'other'"),
        (ANY + ANY + "when = []", "rule 2: knows no 'when'"),
        (ANY.replace("publish", "delete"), "rule 1: may: knows no 'delete'; there are publish, read, subscribe"),
        (ANY.replace('who = ["*"]', "who = []"), "rule 1: who must be a list"),
        (ANY.replace('who = ["*"]', 'who = "*"'), "rule 1: who must be a list"),
        (ANY.replace('who = ["*"]', 'who = [""]'), "rule 1: who must be a list"),
        (ANY.replace('on = ["*"]', ""), "rule 1: on must be a list"),
        (ANY + "subjects = [1]", "rule 1: subjects must be a list"),
        (ANY.replace('on = ["*"]', 'on = ["a*b"]'), r"rule 1: on: 'a\*b' has a \* before its end"),
        (ANY + 'subjects = ["/a", "**"]', "rule 1: subjects: "),
        (ANY + "#" * MAX_TOML, "has more than 1048576 bytes"),
    ],
)
def test_a_file_that_cannot_be_meant_is_refused_at_the_start(text: str, fault: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=rf"access\.toml: .*{fault}"):
        Rules(written(tmp_path, text))


def test_a_file_that_cannot_be_read_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="missing: No such file"):
        Rules(tmp_path / "missing")
    with pytest.raises(Misconfigured, match="Is a directory"):
        Rules(tmp_path)
    file = tmp_path / "latin"
    file.write_bytes(b"# \xe6")
    with pytest.raises(Misconfigured, match="is not TOML"):
        Rules(file)


def test_a_changed_file_is_followed_and_a_broken_one_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(config_files, "CHECK", timedelta(0))
    file = written(tmp_path, ANY)
    rules = Rules(file)
    file.write_text(ANY.replace('["*"]', '["/org/ttd"]', 1))
    assert not may(rules, "/org/x", "read", OTHER)
    file.write_text("[[rule]]\nwho = [")
    assert may(rules, "/org/ttd", "read", OTHER)
    assert [message.partition(":")[0] for message in caplog.messages] == ["the access rules stay as they were"]
