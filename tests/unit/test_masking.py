"""The parts of a row that a viewer sees."""

from __future__ import annotations

import pytest

from engine.admin.masking import MASKED, masked


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://hooks.example/services/T1/B1/secret", f"https://hooks.example/{MASKED}"),
        ("https://hooks.example:8443/a?token=secret", f"https://hooks.example:8443/{MASKED}"),
        ("https://user:secret@hooks.example/a#secret", f"https://hooks.example/{MASKED}"),
        ("https://secret@hooks.example", f"https://hooks.example/{MASKED}"),
        ("https://a:b@secret@hooks.example/", f"https://hooks.example/{MASKED}"),
        ("https://hooks.example?secret@evil", f"https://hooks.example/{MASKED}"),
        ("http://[2001:db8::1]:80/secret", f"http://[2001:db8::1]:80/{MASKED}"),
        ("https://hooks.example:secret/", MASKED),
        ("https://[secret/", MASKED),
        ("https:///secret", f"https:{MASKED}"),
        ("mailto:secret@example.no", f"mailto:{MASKED}"),
        ("urn:altinn:person:identifier-no:secret", f"urn:{MASKED}"),
        ("secret", MASKED),
        ("//secret/secret", MASKED),
        ("/secret", MASKED),
    ],
)
def test_of_a_url_scheme_and_host_are_shown(url: str, shown: str) -> None:
    for name in ("endpoint", "condition_endpoint", "source", "source_filter", "source_prefix"):
        assert masked({name: url}) == {name: shown}


@pytest.mark.parametrize(
    ("address", "shown"),
    [("kari@example.no", f"k{MASKED}@example.no"), ("a@b@example.no", f"a{MASKED}@example.no"), ("kari", MASKED)],
)
def test_of_an_address_the_first_letter_and_the_domain_are_shown(address: str, shown: str) -> None:
    assert masked({"address": address}) == {"address": shown}


@pytest.mark.parametrize("name", ["reply", "last_reply", "answer"])
@pytest.mark.parametrize(
    ("reply", "shown"),
    [
        ("550 5.1.1 <kari@example.no> no such user", f"550 5.1.1 {MASKED}"),
        ("5.1.1 <kari@example.no> no such user", f"5.1.1 {MASKED}"),
        ("250 ok, kari", f"250 {MASKED}"),
        ("250", "250"),
        ("2.0.0", "2.0.0"),
        ("24123012345", MASKED),
        ("5.12.1987 kari", MASKED),
        ("no answer", MASKED),
    ],
)
def test_of_a_reply_the_codes_are_shown_whatever_it_is_called(name: str, reply: str, shown: str) -> None:
    assert masked({name: reply}) == {name: shown}


def test_what_is_masked_is_masked_at_every_depth() -> None:
    row = {"detail": {"filter": {"recipient": "kari", "state": "failed"}}, "events": [{"text": "x", "seq": 1}]}
    assert masked(row) == {
        "detail": {"filter": {"recipient": MASKED, "state": "failed"}},
        "events": [{"text": MASKED, "seq": 1}],
    }
