"""A mail through a real mail system: Varsel, STARTTLS, Postfix, a mailbox, and a parser that reads it."""

from __future__ import annotations

import email
import os
from email import policy
from typing import TYPE_CHECKING

import pytest

from tests.helpers.waiting import wait_for
from tests.servers.installation import API, Installation, order
from tests.servers.postfix import Postfix

if TYPE_CHECKING:
    from pathlib import Path

TEXT = "Blåbærsyltetøy på brødskiva. "


@pytest.mark.skipif(os.geteuid() != 0, reason="Postfix runs as root alone")
@pytest.mark.parametrize("pipelining", ["true", "false"])
def test_postfix_takes_the_mail_over_starttls_and_both_parts_arrive_intact(pipelining: str, tmp_path: Path) -> None:
    html = f"<h1>Hei, Kari 👋</h1><p>{TEXT * 100}</p><p>.<br>..</p>"
    with (
        Postfix() as postfix,
        Installation(
            tmp_path, smtp_url=postfix.url, smtp_ca_file=postfix.ca_file, smtp_pipelining=pipelining
        ) as varsel,
    ):
        with varsel.client() as client:
            posted = order("kari@example.no", subject="Søknaden din er mottatt ✓", body=html, contentType="Html")
            assert client.post(f"{API}/orders/email", json=posted).status_code == 202
        [source] = wait_for(postfix.delivered)

        message = email.message_from_bytes(source, policy=policy.default)
        assert "ESMTPS" in source.decode()  # RFC 3848: with TLS
        assert message["Subject"] == "Søknaden din er mottatt ✓"
        assert message["To"] == "kari@example.no"
        assert message["Auto-Submitted"] == "auto-generated"
        assert message["Message-ID"].endswith("@varsel.example>")
        text, rich = message.get_body(("plain",)), message.get_body(("html",))
        assert text is not None
        assert rich is not None
        assert rich.get_content().strip() == html
        assert "Hei, Kari 👋" in text.get_content()
        assert TEXT.strip() in " ".join(text.get_content().split())
