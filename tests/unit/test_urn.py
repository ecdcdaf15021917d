"""URNs by the contract's narrow grammar."""

from __future__ import annotations

import pytest

from engine.text.urn import is_urn


@pytest.mark.parametrize(
    "text",
    [
        "urn:altinn:resource:app_ttd_apps-test",
        "urn:a:b",
        "urn:altinn:person:identifier-no:16069412345",
        "urn:x-9:(a)+,.-;$_!/",
        "urn:" + "n" * 30 + ":b",
        "urn:a:" + "b" * 100,
        "urn:a" + ":b" * 10,
    ],
)
def test_these_are_urns(text: str) -> None:
    assert is_urn(text)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "urn",
        "urn:",
        "urn:a",
        "urn:a:",
        "urn::b",
        "urn:a::b",
        "urn:a:b:",
        "URN:a:b",
        "urn:A:b",
        "urn:a:B",
        "urn:a:b c",
        "urn:a:b%20c",
        "urn:a:ø",
        "urn:a:b?c",
        "urn:a_b:c",
        " urn:a:b",
        "urn:a:b\n",
        "https://urn:a:b",
        "urn:" + "n" * 31 + ":b",
        "urn:a:" + "b" * 101,
        "urn:a" + ":b" * 11,
    ],
)
def test_these_are_not(text: str) -> None:
    assert not is_urn(text)


def test_a_long_text_is_told_at_once() -> None:
    assert not is_urn("urn:a" + ":b" * 1_000_000)
    assert not is_urn("urn:" + "a" * 1_000_000)
