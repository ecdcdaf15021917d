"""Several relays of an installation, while one of them goes away and the routes change: nothing is lost or doubled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.helpers.counting import count, tell
from tests.helpers.ports import free_port
from tests.helpers.waiting import wait_for
from tests.servers.site import FLAWLESS, Site, addresses
from tests.servers.smtp import ScriptedSMTP

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def test_mail_goes_on_while_a_relay_is_away_and_routes_change(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    to = addresses(300)
    port, file = free_port(), tmp_path / "routes.toml"
    file.write_text("")
    with ScriptedSMTP() as always, ScriptedSMTP() as own:
        setting = f"smtp://127.0.0.1:{port},{always.url}"
        with Site(tmp_path / "site", smtp_url=setting, routes_file=file, worker_processes=1) as site:
            site.post(*to[:100])
            site.settle()
            assert len(always.accepted) == 100
            with ScriptedSMTP(port=port) as other:
                wait_for(lambda: site.post(other_address(other)) and other.accepted)
                site.post(*to[100:200])
                site.settle()
            rule = '[[route]]\ndomains = ["example.no"]\nrelays = ["own"]\n'
            file.write_text(f'[relays.own]\nurl = "{own.url}"\n{rule}')
            wait_for(lambda: site.post("probe@example.no") and own.accepted)
            before = len(own.accepted)
            site.post(*to[200:300])
            site.settle()
            assert len(own.accepted) >= before + 100
            relays = {attempt.relay for attempt in site.ledger.attempts()}
        assert relays >= {f"127.0.0.1:{always.port}", f"own (127.0.0.1:{own.port})"}

    got = [envelope for server in (always, other, own) for envelope in server.messages]
    mails = count([each for each in got if each.rcpt_tos[0] in to], to)
    tell(capsys, "one of two relays away and back, and routes that change, in 300 mails", mails)
    assert mails == FLAWLESS


def other_address(server: ScriptedSMTP) -> str:
    """An address of its own for each look."""
    return f"look.{server.sessions}@elsewhere.example"
