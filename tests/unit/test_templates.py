"""Templates: their locales, the schema of their values, values of strangers, and the installation's own."""

from __future__ import annotations

import re
from html import unescape
from html.parser import HTMLParser
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import Misconfigured
from engine.templating import registry
from engine.templating.checking import checked
from engine.templating.content import Content, Texts, Translated
from engine.templating.examples import example
from engine.templating.own import Own
from engine.templating.schema import faults, misfits, prepared
from engine.templating.untrusted import NON_JOINER, neutralised
from tests.helpers.templates import html, said

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

NAME = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}
OWN = Own(None)


def own(name: str) -> Content:
    version = OWN.find(name)
    assert version
    return Content.of(version.content)


def leaves(value: Any) -> list[str]:
    """The texts of a value."""
    if isinstance(value, dict | list):
        return [leaf for each in (value.values() if isinstance(value, dict) else value) for leaf in leaves(each)]
    return [str(value)]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [("nb-NO", "nb"), ("NB", "nb"), ("en-GB-oxendict", "en-GB"), ("en-US", "en"), ("de", "en"), (None, "en")],
)
def test_a_locale_falls_back_to_the_nearest_one(wanted: str | None, chosen: str) -> None:
    content = Content(Texts("a", "b", "c"), "en", {"nb": Texts("A"), "en-GB": Texts(html="B")})
    locale, texts = content.chosen(wanted)
    assert locale == chosen
    assert texts == {"nb": Texts("A", "b", "c"), "en-GB": Texts("a", "B", "c"), "en": Texts("a", "b", "c")}[chosen]


@pytest.mark.parametrize(
    ("source", "needed"),
    [
        ("{{ name }}", {"name": {}}),
        ("{{ user.name }}{{ user['id'] }}", {"user": {"id": {}, "name": {}}}),
        ("{% for line in lines %}{{ line.text }}{{ loop.index }}{% endfor %}", {"lines": [{"text": {}}]}),
        ("{% if a is defined %}{{ a }}{% endif %}{{ b|default('x') }}{{ c }}", {"c": {}}),
        ("{% set x = a %}{{ x }}{{ locale }}{{ range(3)|list }}", {"a": {}}),
        ("{{ source.lower().startswith('x') }}{% macro m(y) %}{{ y }}{{ z }}{% endmacro %}", {"source": {}, "z": {}}),
    ],
)
def test_what_a_template_names_is_what_it_needs(source: str, needed: Mapping[str, Any]) -> None:
    def required(schema: Mapping[str, Any]) -> Any:
        if schema.get("type") == "array":
            return [required(schema["items"])]
        return {name: required(schema["properties"][name]) for name in schema.get("required", ())}

    assert required(checked(html(source)).schema) == needed


@pytest.mark.parametrize(
    ("schema", "value", "place"),
    [
        (NAME, {}, "name"),
        (NAME, {"name": 1}, "name"),
        ({"items": NAME}, [{"name": "a"}, {}], "[1].name"),
        ({"properties": {"a": {"items": {"type": "integer"}}}}, {"a": [1, True]}, "a[1]"),
        ({"enum": [1, "a"]}, True, ""),
        ({"type": ["string", "null"], "maxLength": 1}, "ab", ""),
        ({"minimum": 2}, 1, ""),
        ({"maxItems": 1}, [1, 2], ""),
        ({"properties": {}, "additionalProperties": False}, {"x": 1}, "x"),
    ],
)
def test_a_value_that_does_not_fit_is_named(schema: Mapping[str, Any], value: object, place: str) -> None:
    assert list(faults(schema)) == []
    assert [where for where, _ in misfits(prepared(schema), value)] == [place]


@pytest.mark.parametrize(
    ("schema", "place"),
    [
        ([], ""),
        ({"pattern": "(a+)+"}, "pattern"),
        ({"$ref": "#"}, "$ref"),
        ({"type": "text"}, "type"),
        ({"properties": {"a": {"type": [[]]}}}, "properties.a.type"),
        ({"properties": {"a": 1}}, "properties.a"),
        ({"items": {"minLength": -1}}, "items.minLength"),
        ({"required": [1]}, "required"),
        ({"required": ["a"] * 501}, "required"),
        ({"enum": []}, "enum"),
        ({"enum": list(range(501))}, "enum"),
        ({"enum": [[1]]}, "enum"),
        ({"title": "a" * 50_000}, ""),
        ({"properties": {"a" * 1_000: {"type": 1}}}, f"properties.{'a' * 64}….type"),
    ],
)
def test_a_schema_of_which_something_is_not_known_is_refused(schema: object, place: str) -> None:
    assert [where for where, _ in faults(schema)] == [place]


def test_a_schema_is_bounded() -> None:
    deep: dict[str, Any] = {}
    for _ in range(1_000):
        deep = {"items": deep}
    assert list(faults(deep))
    assert list(faults({"properties": {str(number): {} for number in range(1_000)}}))


def test_what_is_told_of_a_value_that_does_not_fit_is_short() -> None:
    """However long the schema's own texts are: the report of an upload and a refusal have a hundred of these."""
    long = "a" * 5_000
    schema = {"properties": {long: {"enum": [f"{number}{long}" for number in range(4)]}}, "required": ["b" * 9_000]}
    assert list(faults(schema)) == []
    for place, message in misfits(prepared(schema), {long: 1}):
        assert len(place) < 100
        assert len(message) < 500
    [(_, message)] = misfits(prepared({"enum": list(range(500))}), "a")
    assert message == "The value must be one of 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, others."


def test_a_schema_inferred_is_as_deep_as_one_may_be() -> None:
    deep = checked(html("{{ a" + ".b" * 60 + " }}")).schema
    assert list(faults(deep)) == []


@given(st.text())
@settings(max_examples=50)
def test_what_is_untrusted_becomes_no_markup_and_no_address(text: str) -> None:
    shown = neutralised({"properties": {"a": {"untrusted": True}}}, {"a": {"b": [text]}})["a"]["b"][0]
    assert not set("<>\"'`") & set(shown)
    for before, sign in pairwise(shown):
        assert sign not in ".:/\\@\u3002\uff0e\uff61\uff1a\uff0f" or before.isspace() or before == NON_JOINER
        assert sign != "=" or before == NON_JOINER
    assert len(shown.replace(NON_JOINER, "")) == len(text.replace(NON_JOINER, ""))


def test_an_untrusted_value_stays_text_where_a_template_would_make_markup_of_it() -> None:
    source = "<a href='{{ link }}'>{{ name|safe }}</a>{{ name|urlize }}"
    content = Content(Texts("{{ name }}", source), schema={"properties": {"name": {"untrusted": True}}})
    mail = said(content, {"name": "<b>www.evil.no</b>", "link": "https://example.no"})
    assert mail.html
    assert "<b>" not in mail.html
    assert mail.html.count("<a ") == 1
    assert "www.evil.no" not in f"{mail.subject}{mail.html}"


class Read(HTMLParser):
    """What a browser makes of HTML: the elements with their attributes, and the text."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.mark.parametrize(
    "value",
    [
        "javascript:alert(1)",
        "javascript&#58;alert(1)",
        "https&colon;&sol;&sol;evil&period;no",
        "&#x68;ttps&#58&#47&#47evil&#46no",
        "//evil\u3002no",
        "https\uff1a\uff0f\uff0fevil\uff0eno",
        "www.evil.no",
        ".no",
        "kari\uff20evil\uff61no",
        "kari&commat;evil.no",
        "x onclick=alert(1) style=color:red",
        "x onclick = alert(1)",
        "><img src=x onerror=alert(1)>",
        "&lt;img src=x&gt;",
    ],
)
def test_an_untrusted_value_is_no_link_and_no_attribute_for_who_reads_it(value: str) -> None:
    source = "<a href={{ name|safe }}>{{ name|safe }}</a><a href='{{ name|safe }}'></a><p>evil{{ name }}</p>"
    content = Content(
        Texts("s", source, "evil{{ name|striptags }}"), schema={"properties": {"name": {"untrusted": True}}}
    )
    mail = said(content, {"name": value})
    assert mail.html
    assert mail.text
    read = Read(mail.html)
    assert [tag for tag, _ in read.elements] == ["a", "a", "p"]
    given = {name for _, named in read.elements for name, its in named.items() if its}
    assert all(name == "href" or NON_JOINER in name for name in given), given
    for text in (read.text, mail.text, *(named.get("href") or "" for _, named in read.elements)):
        assert not re.search("[\\w:/](?:[.\u3002\uff0e\uff61]no|[:/@\uff1a\uff0f\uff20])", text), text


def test_values_are_escaped_and_are_no_templates() -> None:
    mail = said(html("<p>{{ text }}</p>"), {"text": "<b>{{ 7 * 7 }}</b>"})
    assert mail.html == "<p>&lt;b&gt;{{ 7 * 7 }}&lt;/b&gt;</p>"


def test_a_template_uses_parts_of_its_kind_in_its_locale() -> None:
    part = Translated(Texts(html="<i>foot</i>", text="foot"), "en", {"nb": Texts(html="<i>fot</i>")})
    content = Content(
        Texts("Hei", "{% include 'foot' %}", "{% include 'foot' %}"), "en", {"nb": Texts("Hei")}, {"foot": part}
    )
    mail = said(content, {}, "nb")
    assert (mail.html, mail.text) == ("<i>fot</i>", "foot")


@pytest.mark.parametrize("name", OWN.names())
@pytest.mark.parametrize("locale", ["en", "nb", "nn"])
def test_each_of_the_installations_own_says_all_values_in_html_and_text(name: str, locale: str) -> None:
    content = own(name)
    texts = {"source": "https://example.no/1", "type": "created", "subject": "/party/1", "time": "2026"}
    values = texts if name == "event" else example(content.schema)
    assert list(misfits(prepared(content.schema), values)) == []
    mail = said(content, values, locale)
    assert mail.subject
    assert mail.html
    assert mail.text
    assert f'lang="{locale if locale in content.locales else "en"}"' in mail.html
    for leaf in leaves(values):
        assert leaf in unescape(mail.html)
        assert leaf in mail.text


def made(folder: Path, name: str = "own", **files: str) -> Own:
    """The templates of a folder with this one in it."""
    (folder / name).mkdir(parents=True, exist_ok=True)
    for file, text in ({"subject_txt": "Hei", "body_txt": "Hei"} | files).items():
        (folder / name / file.replace("_", ".")).write_text(text, "utf-8")
    return Own(folder)


def test_a_folder_adds_templates_and_wins_over_built_in_ones(tmp_path: Path) -> None:
    made(tmp_path, "event", body_txt="mine {{ type }}")
    templates = made(tmp_path, body_nb_txt="{{ a }}", schema_json='{"required": ["b"]}')
    assert {"event", "notice", "own"} <= set(templates.names())
    version = templates.find("own")
    assert version
    content = Content.of(version.content)
    assert (content.schema, content.chosen("nb")[1].text) == ({"required": ["b"]}, "{{ a }}")
    changed = templates.find("event")
    assert changed
    assert "mine" in changed.content
    assert Own(tmp_path).find("own") == version
    assert "base" not in templates.names()


@pytest.mark.parametrize("name", ["Own", "_own", "a b", "a.b", "a" * 65])
def test_a_folder_whose_name_is_none_for_a_template_is_refused_at_the_start(name: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="is no template's name"):
        made(tmp_path, name)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({"body_txt": "{{ a b }}"}, "cannot be compiled: text, line 1: expected token"),
        ({"body_txt": "{% include 'nothing' %}"}, "it names the template nothing, which is not there"),
        ({"schema_json": "{"}, "cannot be read"),
        ({"schema_json": '{"pattern": "x"}'}, "pattern"),
    ],
)
def test_a_folder_that_cannot_be_used_is_refused_at_the_start(files: dict[str, str], told: str, tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=told):
        made(tmp_path, **files)
    with pytest.raises(Misconfigured, match="No such file"):
        Own(tmp_path / "missing")


def test_what_a_version_needs_and_an_earlier_one_did_not_is_found_in_any_depth() -> None:
    new = "{{ user.name }}{{ user.email }}{% for a in lines %}{{ a.b }}{% endfor %}{{ more }}"
    earlier = "{{ user.name }}{% for a in lines %}{{ a.c }}{% endfor %}"
    lacking = registry._lacking(checked(html(new)).schema, checked(html(earlier)).schema)  # noqa: SLF001
    assert sorted(lacking) == ["lines[].b", "more", "user.email"]
