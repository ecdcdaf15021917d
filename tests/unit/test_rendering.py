"""E-mails from stored templates: what templates see, how long e-mails may become, and that values are escaped."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.email.plain_text import readable
from engine.errors import Invalid, Misconfigured
from engine.models import ContentType
from engine.orders.new_order import LONGEST_SUBJECT
from engine.webhooks.rendering import LONGEST_BODY, LONGEST_FAULT, Rendered, Templates

if TYPE_CHECKING:
    from pathlib import Path

EVENT = {
    "specversion": "1.0",
    "id": "1",
    "source": "https://ttd.apps.altinn.no/ttd/apps-test?a=1&b=2",
    "type": "app.instance.created",
    "subject": "/party/50002108",
    "time": "2026-11-23T12:00:00Z",
}
BUILT_IN = Templates(None)


def made(folder: Path, body: str, subject: str = "Hei", *, name: str = "own", file: str = "body.html") -> Templates:
    """The templates of a folder with this one in it."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / name / "subject.txt").write_text(subject, "utf-8")
    (folder / name / file).write_text(body, "utf-8")
    return Templates(folder)


def fault(templates: Templates, values: dict[str, Any], name: str = "own") -> str:
    with pytest.raises(Invalid) as refused:
        templates.render(name, values)
    [text] = refused.value.errors.pop("template")
    assert refused.value.errors == {}
    assert len(text) <= LONGEST_FAULT
    return text


def test_the_built_in_template_tells_what_happened() -> None:
    mail = BUILT_IN.render("event", EVENT)
    assert mail.subject == "app.instance.created: /party/50002108"
    assert mail.content_type is ContentType.HTML
    assert '<a href="https://ttd.apps.altinn.no/ttd/apps-test?a=1&amp;b=2">' in mail.body
    text = readable(mail.body)
    for told in ("app.instance.created", "/party/50002108", "2026-11-23T12:00:00Z", EVENT["source"]):
        assert told in text


def test_the_built_in_template_needs_no_optional_attribute() -> None:
    mail = BUILT_IN.render("event", {key: EVENT[key] for key in ("id", "source", "type")})
    assert mail.subject == "app.instance.created"
    assert "Subject" not in mail.body
    assert "Time" not in mail.body


@pytest.mark.parametrize("source", ["urn:varsel:orders", "javascript:alert(1)//https://", "/relative"])
def test_only_web_addresses_become_links(source: str) -> None:
    assert "<a" not in BUILT_IN.render("event", EVENT | {"source": source}).body


@given(st.dictionaries(st.sampled_from(["type", "subject", "time"]), st.text()), st.text())
def test_no_value_becomes_html_or_a_second_line_of_the_subject(values: dict[str, str], path: str) -> None:
    plain, mail = (BUILT_IN.render("event", EVENT | more) for more in ({}, values | {"source": f"https://{path}"}))
    assert [mail.body.count(mark) for mark in '<>"'] == [plain.body.count(mark) for mark in '<>"']
    assert mail.subject.splitlines() in ([], [mail.subject])


def test_a_value_that_looks_like_html_or_a_template_is_shown_as_it_is() -> None:
    evil = """"><script>alert('1')</script>{{ 7 * 7 }}{% include "event/subject.txt" %}"""
    mail = BUILT_IN.render("event", EVENT | {"type": evil, "source": "https://x/" + evil})
    assert "<script" not in mail.body
    assert '"">' not in mail.body
    assert "49" not in mail.body
    assert evil in mail.subject


def test_text_templates_are_not_escaped(tmp_path: Path) -> None:
    mail = made(tmp_path, "Hei {{ data.name }}\n", "{{ data.name }}", file="body.txt").render(
        "own", {"data": {"name": "A & B <c>"}}
    )
    assert mail == Rendered("A & B <c>", "Hei A & B <c>", ContentType.PLAIN)


def test_a_folder_adds_templates_and_wins_over_built_in_ones(tmp_path: Path) -> None:
    made(tmp_path, "mine", name="event", file="body.txt")
    (tmp_path / ".git").mkdir()
    (tmp_path / "README.md").touch()
    templates = made(tmp_path, "own")
    assert BUILT_IN.names() == ("event",)
    assert templates.names() == ("event", "own")
    assert templates.render("event", {}) == Rendered("Hei", "mine", ContentType.PLAIN)


def test_templates_are_read_once(tmp_path: Path) -> None:
    templates = made(tmp_path, "before")
    made(tmp_path, "after")
    assert templates.render("own", {}).body == "before"


def test_a_missing_value_is_named_together_with_the_template(tmp_path: Path) -> None:
    templates = made(tmp_path, "{{ data.amount }}")
    assert fault(templates, {}) == "own: 'data' is undefined"
    assert "own: " in fault(templates, {"data": {}})
    assert "'amount'" in fault(templates, {"data": {}})


@pytest.mark.parametrize("member", ["items", "keys", "get", "update", "__class__"])
def test_objects_have_members_and_no_methods(member: str, tmp_path: Path) -> None:
    templates = made(tmp_path, f"{{{{ data.{member} }}}} {{{{ data['{member}'] }}}}")
    assert templates.render("own", {"data": {member: 1}}).body == "1 1"
    assert member in fault(templates, {"data": {}})


@pytest.mark.parametrize(
    "body",
    [
        "{{ 1 / 0 }}",
        "{{ [] + 1 }}",
        "{{ text.nothing }}",
        "{{ text.__class__.__mro__ }}",
        "{{ ''.__class__ }}",
        "{{ list.append(1) }}",
        "{{ '%d' % text }}",
        "{{ range(10**9) }}",
        "{% for i in range(100000) %}{% for j in range(100000) %}{{ i }}{% endfor %}{% endfor %}",
        "{% for i in range(100000) %}{% for j in range(10000) %}{{ '' }}{% endfor %}{% endfor %}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{% include 'other/body.html' %}",
        "{% include '../secret' %}",
        "{% include 'own/../../secret' %}",
        "{% include '/etc/hostname' %}",
        "{% include text %}",
        "{% import 'os' as os %}",
    ],
)
def test_a_template_that_fails_or_reaches_out_is_told_of(body: str, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    templates = made(tmp_path / "templates", body)
    assert fault(templates, {"text": "../secret", "list": []}).startswith("own: ")


def test_templates_may_share_parts(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "part.html").write_text("<b>{{ type }}</b>")
    assert made(tmp_path, "{% include 'own/part.html' %}").render("own", {"type": "<"}).body == "<b>&lt;</b>"


def test_a_subject_is_one_line_of_bounded_length(tmp_path: Path) -> None:
    templates = made(tmp_path, "", "\n  {{ text }}\n")
    assert templates.render("own", {"text": "a\r\nBcc: b\0\x85\u2028\ud800c"}).subject == "a Bcc: b c"
    assert templates.render("own", {"text": "ø" * 2000}).subject == "ø" * LONGEST_SUBJECT


def test_a_body_keeps_its_lines_and_loses_what_cannot_be_stored(tmp_path: Path) -> None:
    assert made(tmp_path, "{{ text }}").render("own", {"text": "a\tb\r\nc\0\x1b\ud800d"}).body == "a\tb\r\nc   d"


def test_a_body_that_grows_too_long_is_refused(tmp_path: Path) -> None:
    templates = made(tmp_path, "{{ text }}")
    assert len(templates.render("own", {"text": "a" * LONGEST_BODY}).body) == LONGEST_BODY
    assert "longer than 1000000 characters" in fault(templates, {"text": "a" * (LONGEST_BODY + 1)})


@pytest.mark.slow
def test_a_text_that_takes_too_long_is_refused(tmp_path: Path) -> None:
    endless = "{% for a in range(99999) %}{% for b in range(99999) %}{{ text }}{% endfor %}{% endfor %}"
    assert "takes longer than 1 s" in fault(made(tmp_path, endless), {"text": ""})


@pytest.mark.parametrize("name", ["", "nothing", "../event", "event/body.html", "EVENT", "\r\n" + "a" * 1000])
def test_an_unknown_name_is_refused(name: str) -> None:
    assert "there is no such template" in fault(BUILT_IN, EVENT, name)


@pytest.mark.parametrize("name", ["Own", "_own", "a b", "a.b", "a" * 65])
def test_a_folder_whose_name_is_none_for_a_template_is_refused_at_the_start(name: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="is no template's name"):
        made(tmp_path, "", name=name)


def test_a_folder_that_cannot_be_used_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="No such file"):
        Templates(tmp_path / "missing")
    with pytest.raises(Misconfigured, match=r"own: cannot be compiled: .*end of print statement"):
        made(tmp_path, "{{ a b }}")
    (tmp_path / "own" / "body.html").write_bytes(b"\xff")
    with pytest.raises(Misconfigured, match="own: cannot be compiled"):
        Templates(tmp_path)
    with pytest.raises(Misconfigured, match=r"either body\.html or body\.txt"):
        made(tmp_path, "", file="body.txt")
    (tmp_path / "own" / "body.html").unlink()
    (tmp_path / "own" / "subject.txt").unlink()
    with pytest.raises(Misconfigured, match=r"has subject\.txt"):
        Templates(tmp_path)
