"""Sender identities on both databases: which From addresses orders may have, and what messages show."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from engine.resources import app_resource
from tests.helpers.cli import Cli
from tests.helpers.waiting import wait_for
from tests.servers.installation import API, chain, instant, order

if TYPE_CHECKING:
    from tests.servers.installation import Installation

NAME = "Etaten for blåbær"


@pytest.fixture(scope="module")
def cli(installation: Installation) -> Cli:
    """An installation where a creator has two senders."""
    cli = Cli(installation.environment()["VARSEL_DATABASE_URL"])
    said = cli.text("senders", "add", "svv", "Post@blåbær.no", "--name", NAME, "--reply-to", "svar@svv.example")
    assert said == "The sender Post@blåbær.no is added: orders of svv that name no sender have it.\n"
    cli.text("senders", "add", "svv", "vakt@svv.example", "--name", 'Vakt, "natt"')
    return cli


def sent(installation: Installation, to: str) -> dict[str, str]:
    """The headers of the message to an address."""
    [mail] = wait_for(lambda: installation.messages(to))
    headers = dict(mail["headers"])
    return {name: headers.get(name, "") for name in ("From", "Reply-To")}


@pytest.mark.usefixtures("cli")
def test_a_creator_with_identities_has_these_senders_alone(installation: Installation) -> None:
    with installation.client("svv") as client:
        known = order(senderEmailAddress="vakt@svv.example")
        wait_for(lambda: client.post(f"{API}/orders/email", json=known).is_success)
        foreign = {"senderEmailAddress": "noreply@varsel.example"}
        told = client.post(f"{API}/orders/email", json=order(**foreign)).json()["errors"]
        assert told == {"SenderEmailAddress": ["This creator's senders are Post@blåbær.no, vakt@svv.example."]}
        mail = {"subject": "Hei", "body": "Hei", "fromAddress": "noreply@varsel.example"}
        whole = {"notificationChannel": "Email", "emailTemplate": mail, "recipients": [{"emailAddress": "a@b.no"}]}
        assert list(client.post(f"{API}/orders", json=whole).json()["errors"]) == ["EmailTemplate.FromAddress"]
        body = chain("a@b.no")
        body["recipient"]["recipientEmail"]["emailSettings"] |= foreign
        assert list(client.post(f"{API}/future/orders", json=body).json()["errors"]) == [
            "Recipient.RecipientEmail.Settings.SenderEmailAddress"
        ]
        client.post(f"{API}/orders/email", json=order("default@senders.example"))
        named = order("named@senders.example", "too@senders.example", senderEmailAddress=" VAKT@svv.example ")
        placed = client.post(f"{API}/orders/email", json=named).json()["orderId"]
        urgent = instant("urgent@senders.example")
        urgent["recipientEmail"]["emailSettings"] |= {"senderEmailAddress": "post@xn--blbr-roah.no"}  # type: ignore[index]
        assert client.post(f"{API}/future/orders/instant/email", json=urgent).status_code == 201
        shown = client.get(f"{API}/orders/{placed}").json()["emailTemplate"]["fromAddress"]
    default = {"From": f"{NAME} <Post@xn--blbr-roah.no>", "Reply-To": "svar@svv.example"}
    assert sent(installation, "default@senders.example") == default
    assert sent(installation, "urgent@senders.example") == default
    assert sent(installation, "named@senders.example")["From"] == '"Vakt, \\"natt\\"" <vakt@svv.example>'
    assert shown == "vakt@svv.example"


@pytest.mark.usefixtures("cli")
def test_a_creator_without_identities_has_the_installations_sender(installation: Installation) -> None:
    with installation.client("dsb") as client:
        refused = client.post(f"{API}/orders/email", json=order(senderEmailAddress="vakt@svv.example"))
        assert "E-mails have the sender" in refused.json()["errors"]["SenderEmailAddress"][0]
        client.post(f"{API}/orders/email", json=order("own@senders.example"))
    assert sent(installation, "own@senders.example") == {"From": "noreply@varsel.example", "Reply-To": ""}


def test_an_event_as_mail_has_the_creators_default_sender(installation: Installation, cli: Cli) -> None:
    resource = app_resource("svv", "kart")
    scopes = "altinn:notifications.create altinn:events.subscribe altinn:events.publish altinn:events.publish.admin"
    subscription = {"endPoint": "mailto:event@senders.example", "resourceFilter": resource, "template": "event"}
    event = {"specversion": "1.0", "id": "1", "source": "https://svv.example/kart", "type": "kart.new"}
    with installation.client("svv", scopes) as client:
        client.post("/events/api/v1/subscriptions", json=subscription).raise_for_status()
        headers = {"Content-Type": "application/cloudevents+json"}
        client.post("/events/api/v1/events", json=event | {"resource": resource}, headers=headers).raise_for_status()
    assert sent(installation, "event@senders.example")["Reply-To"] == "svar@svv.example"
    assert cli.items("audit", "list", "--action", "make-default")


def test_a_default_is_removed_last_and_no_sender_is_there_twice(cli: Cli) -> None:
    cli.text("senders", "add", "kv", "a@kv.example")
    cli.text("senders", "add", "kv", "b@kv.example")
    second, first = [item["seq"] for item in cli.items("senders", "list", "--creator", "kv")]
    assert "already" in cli.refused(5, "senders", "add", "kv", "A@KV.example")
    assert "is the default of kv" in cli.refused(5, "senders", "remove", str(first))
    cli.text("senders", "default", str(second))
    cli.text("senders", "remove", str(first))
    cli.text("senders", "remove", str(second))
    assert cli.items("senders", "list", "--creator", "kv") == []
    assert "valid e-mail address" in cli.refused(2, "senders", "add", "kv", "a@kv")
    assert "There is no sender" in cli.refused(3, "senders", "default", str(second))
