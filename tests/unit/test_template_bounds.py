"""What templates of strangers may not do: reach out, take much time or memory, hold up others."""

from __future__ import annotations

import asyncio
import sys
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest

from engine.errors import Invalid, Unavailable
from engine.templating.checking import BY_TEXT
from engine.templating.sandbox import LONGEST_TEXT, LOOPS
from tests.helpers.templates import html, render, renderer

if TYPE_CHECKING:
    from engine.templating.renderer import Renderer

HOSTILE = [
    ("{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}", "loops run more than"),
    ("{% for a in range(9999) %}{{ text * 1 }}{% endfor %}", "for numbers alone"),
    ("{{ '%999999999d' % 1 }}", "for numbers alone"),
    ("{{ 9 ** 9 }}", r"no \*\*"),
    ("{% set n = namespace(x=9) %}{% for i in range(99) %}{% set n.x = n.x * n.x %}{% endfor %}", "numbers up to"),
    ("{{ 'a'|center(999999999) }}", "too much memory"),
    ("{{ '{:9999999999}'.format(1) }}", "too much memory"),
    ("{% set n = namespace(x=text) %}{% for i in range(99) %}{% set n.x = n.x ~ n.x %}{% endfor %}", "too much|takes"),
    ("{{ (1, 2)|slice(999999999)|list }}", "longer than 1 s"),
    ("{% macro m() %}{{ m() }}{{ m() }}{% endmacro %}{{ m() }}", "nested too deeply"),
    ("{% for x in [1, 2] recursive %}{{ loop([1, 2]) }}{% endfor %}", "nested too deeply|loops run"),
    ("{{ " + "(" * 9_000, "nested too deeply"),
    ("{{ ''.__class__.__mro__ }}", "unsafe"),
    ("{{ cycler.__init__.__globals__ }}", "unsafe"),
    ("{{ text|attr('__class__') }}", "unsafe"),
    ("{% include '/etc/hostname' %}", "not found|hostname"),
    ("{% import 'os' as os %}", "os"),
    ("{{ items.append(1) }}", "append"),
    ("{{ nothing }}", "'nothing' is undefined"),
    ("{{ object.items }}", "has no attribute 'items'"),
]


def test_hostile_templates_fail_with_a_reason_and_hold_up_nobody() -> None:
    """While they run, another party's mail is rendered: no process serves one party alone."""

    async def fault(its: Renderer, source: str) -> str:
        with pytest.raises(Invalid) as refused:
            await render(its, html(source), {"text": "abc" * 10, "items": [], "object": {}})
        return refused.value.errors["template"][0]

    async def run() -> list[str]:
        async with renderer() as its:
            found = asyncio.gather(*(fault(its, source) for source, _ in HOSTILE))
            mail = await render(its, html("{{ a }}"), {"a": 1}, party="skd")
            assert mail.html == "1"
            assert not found.done()
            return await found

    told = asyncio.run(run())
    for text, (source, expected) in zip(told, HOSTILE, strict=True):
        assert any(each.replace("\\", "") in text for each in expected.split("|")), (source[:60], text)


def test_a_version_that_took_too_much_is_not_tried_for_each_of_its_emails() -> None:
    async def run() -> None:
        async with renderer() as its:
            version, content = uuid4(), html("{{ [1]|slice(n)|list and 'quick' }}")
            with pytest.raises(Invalid, match="longer than 1 s"):
                await render(its, content, {"n": 999_999_999}, name=version)
            with pytest.raises(Invalid, match="longer than 1 s"):
                await render(its, content, {"n": 1}, name=version)
            assert (await render(its, content, {"n": 1}, name=version, party="skd")).html == "quick"
            assert (await render(its, content, {"n": 1})).html == "quick"

    asyncio.run(run())


def test_texts_have_bounds_and_no_characters_that_no_message_may_have() -> None:
    async def run() -> None:
        async with renderer() as its:
            longest = await render(its, html("{{ text }}"), {"text": "a" * LONGEST_TEXT})
            assert longest.html == "a" * LONGEST_TEXT
            with pytest.raises(Invalid, match="longer than"):
                await render(its, html("{{ text }}"), {"text": "a" * (LONGEST_TEXT + 1)})
            mail = await render(its, html("{{ text }}"), {"text": "a\tb\r\nc\0\x1b\ud800d"})
            assert mail.html == "a\tb\r\nc   d"
            many = await render(its, html("{% for a in list %}{% endfor %}x"), {"list": [0] * LOOPS})
            assert many.html == "x"

    asyncio.run(run())


def test_values_that_are_too_much_fail_their_own_email_alone() -> None:
    async def run() -> None:
        async with renderer() as its:
            version = uuid4()
            for source, values in (("{{ text }}", "a" * (LONGEST_TEXT + 1)), ("{{ text }}", "short")):
                found = await asyncio.gather(
                    render(its, html(source), {"text": values}, name=version), return_exceptions=True
                )
                assert isinstance(found[0], Invalid) == (len(values) > LONGEST_TEXT)

    asyncio.run(run())


def test_a_child_that_cannot_start_is_not_the_fault_of_a_template(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")

    async def run() -> None:
        async with renderer() as its:
            with pytest.raises(Unavailable):
                await render(its, html("x"), {})

    asyncio.run(run())


def test_a_child_that_is_killed_is_replaced() -> None:
    async def run() -> None:
        async with renderer() as its:
            for _ in range(2):
                assert (await render(its, html("x"), {})).html == "x"
                for child in its._idle:  # noqa: SLF001 as the system would
                    child._process.kill()  # noqa: SLF001

    asyncio.run(run())


def test_a_template_names_others_by_their_names() -> None:
    async def run() -> None:
        async with renderer() as its:
            needs = await its.check("ttd", html("{% extends 'base' %}{% block a %}{% include 'foot' %}{% endblock %}"))
            assert list(needs.missing) == ["base", "foot"]
            with pytest.raises(Invalid, match=BY_TEXT):
                await its.check("ttd", html("{% include text %}"))

    asyncio.run(run())
