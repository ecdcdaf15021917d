"""Senders: which an order may name, and how a name and a Reply-To address stand in a message."""

from __future__ import annotations

from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.email.mime import compile_message
from engine.models import Content, ContentType
from engine.orders.identities import Identities, Identity

OWN = "noreply@varsel.example"
POST = Identity("Post@Blåbær.no", None, None)
SOME = Identities({"post@xn--blbr-roah.no": POST}, POST)


@pytest.mark.parametrize("given_", [None, "", " ", " POST@xn--blbr-roah.no ", "post@blåbær.NO"])
def test_an_identity_is_named_in_whatever_case_or_left_to_the_default(given_: str | None) -> None:
    assert SOME.fault(given_, OWN) is None
    assert SOME.chosen(given_) is POST


@pytest.mark.parametrize("given_", [OWN, "post@blåbær.no.example", "xpost@blåbær.no"])
def test_any_other_address_is_refused_also_the_installations_own(given_: str) -> None:
    assert SOME.fault(given_, OWN) == "This creator's senders are Post@Blåbær.no."


def test_without_identities_there_is_the_installations_sender_unless_they_are_required() -> None:
    assert Identities().fault(OWN.upper(), OWN) is None
    assert Identities().chosen(OWN) is None
    assert "leave it out" in (Identities().fault("post@blåbær.no", OWN) or "")
    assert "needs one" in (Identities(required=True).fault(None, OWN) or "")


@settings(max_examples=60, deadline=None)
@given(st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Zl", "Zp")), min_size=1, max_size=100))
def test_a_name_is_read_back_as_it_was_and_breaks_out_of_no_header(name: str) -> None:
    content = Content(OWN, "Hei", "Hei", ContentType.PLAIN, name, "svar@blåbær.no")
    date = datetime(2026, 11, 28, tzinfo=UTC)
    made = compile_message(content).fill(to="kari@example.no", message_id="<a@b>", date=date)
    assert max(map(len, made.split(b"\r\n"))) < 400
    read = message_from_bytes(made, policy=policy.default)
    [sender] = read["From"].addresses
    assert sender.addr_spec == OWN
    assert "".join(sender.display_name.split()) == "".join(name.split())
    assert read["Reply-To"].addresses[0].addr_spec == "svar@xn--blbr-roah.no"
    assert read["Subject"] == "Hei"


def test_a_name_of_several_lines_makes_no_message() -> None:
    with pytest.raises(ValueError, match="one line"):
        compile_message(Content(OWN, "Hei", "Hei", ContentType.PLAIN, "a\r\nBcc: x@example.no"))
