"""API keys in the console: an admin sees a new one once."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from engine.auth.api_keys.secrets import hashed, is_key
from engine.db.tables import api_keys
from tests.helpers.rows import count

if TYPE_CHECKING:
    from tests.helpers.console import Site

GIVEN = {"kind": "team", "creator": "ttd", "name": "Fagsystem", "scopes": "altinn:notifications.create"}


def shown(page: str) -> str:
    [key] = re.findall(r'<pre class="wrap" id="key">(\S+)</pre>', page)
    assert is_key(key)
    return str(key)


def test_an_admin_makes_a_key_sees_it_once_replaces_and_revokes_it(site: Site) -> None:
    admin = site.browser("anna")
    key = shown(admin.post("/console/keys", guests="kari@example.no @example.org", **GIVEN).text)
    listed = admin.get("/console/keys").text
    assert "kari@example.no" in listed
    assert key not in listed
    assert hashed(key) not in listed
    other = shown(admin.post("/console/keys/1/rotate", overlap="0").text)
    assert other != key
    assert admin.post("/console/keys/1/revoke").status_code == 409
    assert "Revoke the team key 2 of" in admin.get("/console/keys/2/revoke").text
    assert site.browser("ola").get("/console/keys/2/revoke").status_code == 403
    assert admin.post("/console/keys/2/revoke").status_code == 303
    assert "revoked" in admin.get("/console/keys?state=revoked").text
    assert "create" in admin.get("/console/audit?target=keys/2").text
    assert key not in admin.get("/console/audit").text


def test_what_no_key_can_be_is_told(site: Site) -> None:
    admin = site.browser("anna")
    assert "needs guests" in admin.post("/console/keys", **GIVEN).text
    assert "A whole number" in admin.post("/console/keys", **GIVEN, guests="@example.no", days="x").text
    assert admin.post("/console/keys/9/rotate").status_code == 404
    assert count(site.store, api_keys) == 0
