"""The support dashboard (contract 2.8): what was sent to somebody, whoever ordered it; both databases."""

from __future__ import annotations

import io
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from engine.admin.lists import page
from engine.admin.resources import AUDIT
from engine.db.store import Store
from engine.orders.contacts import import_contacts
from engine.resources import SCOPE_SUPPORT
from tests.helpers.waiting import wait_for
from tests.servers.installation import API, Installation, at, order

if TYPE_CHECKING:
    import httpx

PATH = f"{API}/future/dashboard/recipients/notifications"
PERSON, ORGANIZATION = "01017512348", "910150805"
CONTACTS = f"""identity,name,email,reserved
{PERSON},Kari Nordmann,kari.support@example.no,false
{ORGANIZATION},Eksempel AS,post.support@example.no,false
"""


def ask(installation: Installation, path: str, header: str, value: str, **span: str) -> httpx.Response:
    with installation.client(scope=SCOPE_SUPPORT) as client:
        return client.get(f"{PATH}/{path}", headers={header.encode(): value.encode()}, params=span)


def test_all_orders_to_somebody_are_found_the_latest_first(installation: Installation) -> None:
    store = Store(installation.environment()["VARSEL_DATABASE_URL"])
    with store.write() as connection:
        import_contacts(connection, io.StringIO(CONTACTS))
    to = f"Æ{uuid.uuid4().hex}@Example.no"
    several = [{"emailAddress": to}, {"nationalIdentityNumber": PERSON}, {"organizationNumber": ORGANIZATION}]
    posted = []
    for org in ("ttd", "skd"):
        with installation.client(org) as client:
            answer = client.post(f"{API}/orders/email", json=order() | {"recipients": several, "sendersReference": org})
            posted.append(answer.json()["orderId"])

    def found(path: str, header: str, value: str) -> list[dict[str, Any]]:
        entries: list[dict[str, Any]] = ask(installation, path, header, value).json()
        done = [each["result"] for entry in entries for each in entry["deliveryAttempts"]] == ["Succeeded"] * 2
        return entries if done else []

    for path, header, value, also in (
        ("email", "Email", to.replace("@E", "@e"), {"emailAddress": to}),
        ("nin", "NationalIdentityNumber", PERSON, {"nationalIdentityNumber": PERSON}),
        ("orgnumber", "OrganizationNumber", ORGANIZATION, {"organizationNumber": ORGANIZATION}),
    ):
        entries = wait_for(lambda asked=(path, header, value): found(*asked))  # type: ignore[misc]
        assert [entry["shipmentId"] for entry in entries] == posted[::-1]
        assert [entry["creatorName"] for entry in entries] == ["skd", "ttd"]
        assert (entries[0]["notificationType"], entries[0]["notificationChannel"]) == ("Notification", "Email")
        [attempt] = entries[0]["deliveryAttempts"]
        assert attempt["channel"] == "email"
        assert also.items() <= attempt.items()
    assert ask(installation, "phonenumber", "PhoneNumber", "+4799999999").json() == []
    with store.read() as connection:
        noted = page(connection, AUDIT, {"action": "look-up"}).items
    store.close()
    last = {each["target"]: each["detail"]["answers"] for each in reversed(noted)}
    kinds = ("Email", "NationalIdentityNumber", "OrganizationNumber")
    assert last == {f"dashboard/{kind}": 2 for kind in kinds} | {"dashboard/PhoneNumber": 0}
    assert {each["who"] for each in noted} == {"/org/ttd"}
    assert not [value for value in (to, PERSON, ORGANIZATION) if value in str(noted)], "it says not about whom"
    assert ask(installation, "email", "Email", to, to=at(timedelta(hours=-1))).json() == []


@pytest.mark.parametrize(
    ("asked", "span", "field"),
    [
        (("nin", "NationalIdentityNumber", "1"), {}, "NationalIdentityNumber"),
        (("nin", "Email", PERSON), {}, "NationalIdentityNumber"),
        (("orgnumber", "OrganizationNumber", PERSON), {}, "OrganizationNumber"),
        (("email", "Email", "nobody"), {}, "Email"),
        (("email", "Email", "a@b.no"), {"from": timedelta(hours=1)}, "From"),
        (("email", "Email", "a@b.no"), {"to": timedelta(days=-4000)}, "To"),
        (("email", "Email", "a@b.no"), {"from": timedelta(hours=-1), "to": timedelta(hours=-2)}, "From"),
    ],
)
def test_what_cannot_be_asked_is_told(
    installation: Installation, asked: tuple[str, str, str], span: dict[str, timedelta], field: str
) -> None:
    answer = ask(installation, *asked, **{name: at(moment) for name, moment in span.items()})
    assert answer.status_code == 400, answer.text
    assert field in answer.json()["errors"]
