"""Replies that say the same have one wording, which names nobody."""

from __future__ import annotations

import pytest

from engine.email.smtp import Reply
from engine.email.wording import LONGEST, key, wording

SAME = [
    (
        (550, "5.1.1 <kari@example.no>: Recipient address rejected: User unknown in virtual mailbox table"),
        (550, "5.1.1 <ola.nordmann@other.example>: Recipient address rejected: User unknown in virtual mailbox table"),
        "550 5.1.1 <address> Recipient address rejected: User unknown in virtual mailbox table",
    ),
    (
        (550, "5.7.1 Our system has detected spam. https://support.example/mail/?p=A1 x1-20020a17 - gsmtp"),
        (550, "5.7.1 Our system has detected spam. https://support.example/mail/?p=B2 y9-10050b33 4711 - gsmtp"),
        "550 5.7.1 Our system has detected spam. <link> … - gsmtp",
    ),
    (
        (451, "4.7.1 mx1.example.no said: try again in 300 seconds (id AbCdEfGhIjKlMnOpQrStUvWxYz)"),
        (451, "4.7.1 mail.other.example said: try again in 17 seconds (id ZyXwVuTsRqPoNmLkJiHgFeDcBa)"),
        "451 4.7.1 <host> said: try again in … seconds (id …",
    ),
    ((None, "not delivered within 48 hours"), (None, "not delivered within 72 hours"), "not delivered within … hours"),
]


@pytest.mark.parametrize(("one", "other", "expected"), SAME)
def test_what_differs_from_one_e_mail_to_the_next_is_taken_out(
    one: tuple[int | None, str], other: tuple[int | None, str], expected: str
) -> None:
    assert wording(Reply.of(*one)) == wording(Reply.of(*other)) == expected


def test_replies_that_say_different_things_are_told_apart() -> None:
    texts = [wording(Reply(code, text)) for code, text in ((550, "5.1.1 no"), (550, "5.7.1 no"), (554, "5.7.1 no"))]
    assert len(set(map(key, texts))) == 3


def test_a_wording_and_its_key_are_short() -> None:
    text = wording(Reply.of(550, "word " * 400))
    assert len(text) <= LONGEST
    assert len(key(text)) == 12
    assert wording(Reply(None, "")) == ""
