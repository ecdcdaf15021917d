"""What a relay calls a message is read from its reply, where that is known to say it."""

from __future__ import annotations

import pytest

from engine.email.smtp import queue_id


@pytest.mark.parametrize(
    ("reply", "called"),
    [
        ("2.0.0 Ok: queued as 4Xk2Jq1Zz9z1", "4Xk2Jq1Zz9z1"),
        ("Ok: queued as C9F1B2A3D4.", "C9F1B2A3D4"),
        ("2.0.0 kept as 1764361000.M1P2.host", "1764361000.M1P2.host"),
        ("OK id=1sXYZa-0001AB-2C", "1sXYZa-0001AB-2C"),
        ("2.0.0 31ABCxyz012345 Message accepted for delivery", "31ABCxyz012345"),
        ("2.0.0: 1a2b3c4d Message accepted for delivery", "1a2b3c4d"),
        ("2.6.0 <a@b.example> [InternalId=120259084, Hostname=x.example] Queued mail for delivery", "120259084"),
        ("2.0.0 OK  1764361000 4fb4d7f45d1cf-abc.12 - gsmtp", "4fb4d7f45d1cf-abc.12"),
        ("Ok 0102018f3e2a1b4c-11111111-000000", "0102018f3e2a1b4c-11111111-000000"),
        ("ok 1764361000 qp 43210", "43210"),
        ("Message Queued (0A1B2C3D.1)", "0A1B2C3D.1"),
        ("2.0.0 accepted", None),
        ("2.0.0 Ok: queued", None),
        ("Ok, thank you", None),
        ("", None),
    ],
)
def test_the_identifier_of_the_relays_log_is_found(reply: str, called: str | None) -> None:
    assert queue_id(reply) == called


def test_a_long_reply_gives_a_bounded_identifier() -> None:
    assert len(queue_id(f"queued as {'4' * 900}") or "") == 100
