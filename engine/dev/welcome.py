"""What `varsel up` says when everything runs: where it is, and requests that can be tried at once."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from engine.auth.console_mode import Mode
from engine.resources import SCOPE_CREATE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.auth.tokens import DevelopmentKey

TOKEN_LIFETIME = timedelta(hours=24)
CONSOLES = {
    Mode.OPEN: "open to browsers on this machine",
    Mode.SIGN_IN: "for operators who sign in",
    Mode.CLOSED: "closed; set VARSEL_OPERATORS_FILE and run `varsel operator add NAME`",
}


def places(url: str, console: Mode, smtp_port: int | None) -> Iterator[str]:
    """Where everything is; `smtp_port`: the development inbox's, where there is one."""
    yield f"  console {url}/console   ({CONSOLES[console]})"
    yield f"  API     {url}/notifications/api/v1/orders/email"
    yield f"  docs    {url}/docs"
    if smtp_port is not None:
        yield f"  inbox   {url}/console/inbox   (smtp://127.0.0.1:{smtp_port})"


def requests(url: str, key: DevelopmentKey, *, platform: bool) -> Iterator[str]:
    """An order, and where the key signs platform tokens too, an app's event."""
    bearer = f"  -H 'Authorization: Bearer {key.bearer('ttd', SCOPE_CREATE, TOKEN_LIFETIME)}' \\"
    json = "  -H 'Content-Type: application/json' \\"
    yield from ("", "Order an e-mail:", "")
    yield f"curl -i {url}/notifications/api/v1/orders/email \\"
    yield from (bearer, json)
    yield """  -d '{"subject":"Hei","body":"Hei, Kari!","recipients":[{"emailAddress":"kari@example.no"}]}'"""
    if platform:
        yield from ("", "Publish an app's event:", "")
        yield f"curl -i {url}/events/api/v1/app \\"
        yield bearer
        yield f"  -H 'PlatformAccessToken: {key.platform_token('ttd', 'apps-test', TOKEN_LIFETIME)}' \\"
        yield json
        yield """  -d '{"specversion":"1.0","type":"app.instance.created","subject":"/party/50019855","""
        yield """       "source":"https://ttd.apps.altinn.no/ttd/apps-test"}'"""
