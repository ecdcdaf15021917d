"""Templates over HTTP, and orders that name them, on both databases."""

from __future__ import annotations

import re
from contextlib import closing
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from engine.db.store import Store
from engine.db.tables import email_attempts, emails
from engine.resources import SCOPE_COMPOSED, SCOPE_CREATE, SCOPE_TEMPLATES
from tests.helpers.client import connect
from tests.helpers.waiting import wait_for
from tests.servers.installation import API, Installation, at

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import httpx

TEMPLATES, ORDERS = f"{API}/templates", f"{API}/orders/email"
HELLO = {"subject": "Hei, {{ name }}", "html": "<p>Hei, {{ name }}!</p>", "text": "Hei, {{ name }}!", "locale": "nb"}
HOUR = timedelta(hours=1)


@pytest.fixture(scope="module")
def client(installation: Installation) -> Iterator[httpx.Client]:
    with installation.client("tmpl", f"{SCOPE_CREATE} {SCOPE_COMPOSED} {SCOPE_TEMPLATES}") as client:
        yield client


def put(client: httpx.Client, name: str, status: int = 201, **texts: object) -> dict[str, Any]:
    answer = client.put(f"{TEMPLATES}/{name}", json=HELLO | texts)
    assert answer.status_code == status, answer.text
    told: dict[str, Any] = answer.json()
    return told


def ordered(*recipients: Mapping[str, object], template: str, **members: object) -> dict[str, object]:
    return {"template": {"name": template}, "recipients": recipients} | members


def refusal(answer: httpx.Response) -> dict[str, Any]:
    assert answer.status_code == 400, answer.text
    errors: dict[str, Any] = answer.json()["errors"]
    return errors


def to(address: str, /, **values: object) -> dict[str, object]:
    return {"emailAddress": f"{address}@templates.example", "values": values}


def mail(installation: Installation, address: str) -> dict[str, Any]:
    found = wait_for(lambda: installation.messages(f"{address}@templates.example"))
    return found[0]


def test_a_version_never_changes_and_the_same_text_makes_no_other(client: httpx.Client) -> None:
    first = put(client, "versions")
    assert (first["version"], first["schema"]["required"]) == (1, ["name"])
    assert put(client, "versions", status=200)["version"] == 1
    assert put(client, "versions", subject="Hallo, {{ name }}")["version"] == 2
    assert client.get(f"{TEMPLATES}/versions?version=1").json()["subject"] == HELLO["subject"]
    newest = client.get(f"{TEMPLATES}/versions").json()
    assert (newest["subject"], [each["version"] for each in newest["versions"]]) == ("Hallo, {{ name }}", [2, 1])
    for number in (0, -1, 2**31, 10**30):
        assert client.post(f"{TEMPLATES}/versions/preview", json={"version": number}).status_code == 404
    assert client.delete(f"{TEMPLATES}/versions").status_code == 204
    assert client.get(f"{TEMPLATES}/versions").status_code == 404
    assert put(client, "versions")["version"] == 3


def test_templates_of_others_are_not_found_and_those_of_the_installation_are(
    client: httpx.Client, installation: Installation
) -> None:
    put(client, "mine")
    with installation.client("other", f"{SCOPE_CREATE} {SCOPE_TEMPLATES}") as other:
        names = [each["name"] for each in other.get(TEMPLATES).json()["templates"]]
        assert names == ["code", "event", "notice", "receipt"]
        for path in ("mine", "mine?version=1"):
            assert other.get(f"{TEMPLATES}/{path}").status_code == 404
        assert other.delete(f"{TEMPLATES}/mine").status_code == 404
        assert "Template" in refusal(other.post(ORDERS, json=ordered(to("kari", name="Kari"), template="mine")))
    assert client.get(f"{TEMPLATES}/notice").json()["schema"]["required"] == ["title", "paragraphs"]


def test_what_is_no_template_is_refused_with_its_place(client: httpx.Client) -> None:
    def errors(**texts: object) -> list[str]:
        return [*refusal(client.put(f"{TEMPLATES}/wrong", json=texts))]

    assert errors(subject="Hei") == ["Html"]
    assert errors(html="x", schema={"pattern": "x"}) == ["Schema.pattern"]
    assert errors(html="x", locale="?", locales={"nb": 1}) == ["Locales.nb", "Locale"]
    assert errors(html="x" * 200_001) == ["template"]
    wrong = refusal(client.put(f"{TEMPLATES}/wrong", json={"html": "a\n{{ a b }}"}))
    assert wrong["template"][0].startswith("html, line 2: ")
    assert (
        "nothing" in refusal(client.put(f"{TEMPLATES}/wrong", json={"html": "{% include 'nothing' %}"}))["template"][0]
    )


def test_a_preview_says_what_would_be_sent(client: httpx.Client) -> None:
    put(client, "foot", subject=None, html="<i>{{ office }}</i>")
    put(client, "shown", html="<p>{{ name }}</p>{% include 'foot' %}", text=None, locales={"en": {"subject": "Hello"}})
    preview = f"{TEMPLATES}/shown/preview"
    said = client.post(preview, json={"values": {"name": "<b>", "office": "Oslo"}, "locale": "en-GB"}).json()
    assert (said["subject"], said["locale"]) == ("Hello", "en")
    assert (said["html"], said["text"]) == ("<p>&lt;b&gt;</p><i>Oslo</i>", "<b>\n\nOslo\n")
    assert [*refusal(client.post(preview, json={"values": {"name": "Kari"}}))] == ["Values.office"]
    put(client, "foot", subject=None, html="changed")
    again = client.post(preview, json={"values": {"name": "Kari", "office": "Oslo"}}).json()
    assert "Oslo" in again["html"]


def test_each_recipient_gets_their_own_values_and_locale(client: httpx.Client, installation: Installation) -> None:
    put(client, "own", locales={"en": {"subject": "Hello, {{ name }}"}})
    recipients = (to("own-kari", name="Kari"), to("own-bob", name="Bob") | {"locale": "en-GB"})
    answer = client.post(ORDERS, json=ordered(*recipients, template="own", sendersReference="own"))
    assert answer.status_code == 202, answer.text
    assert (mail(installation, "own-kari")["subject"], mail(installation, "own-bob")["subject"]) == (
        "Hei, Kari",
        "Hello, Bob",
    )
    said = mail(installation, "own-kari")
    assert (said["text"], said["html"]) == ("Hei, Kari!\n", "<p>Hei, Kari!</p>\n")
    posted = client.get(answer.headers["location"]).json()
    assert posted["emailTemplate"]["template"] == {"name": "own", "version": 1}
    assert posted["recipients"][1] == recipients[1]


def test_a_missing_value_is_named_with_the_recipients_row(client: httpx.Client) -> None:
    put(client, "rows", html="{% for line in lines %}{{ line.text }}{% endfor %}", text=None)
    fits, lacks = (to("rows", name="Kari", lines=lines) for lines in ([{"text": "a"}], [{"text": "a"}, {}]))
    told = refusal(client.post(ORDERS, json=ordered(fits, to("rows"), lacks, template="rows")))
    assert told == {
        "Recipients[1].Values.lines": ["The template needs this value."],
        "Recipients[1].Values.name": ["The template needs this value."],
        "Recipients[2].Values.lines[1].text": ["The template needs this value."],
    }
    settings = {"emailSettings": {"template": {"name": "rows"}}}
    recipient = {"recipientEmail": fits | settings}
    chain: dict[str, Any] = {"idempotencyId": "rows", "recipient": recipient}
    chain |= {"reminders": [{"delayDays": 1, "recipient": {"recipientEmail": to("rows", lines=[]) | settings}}]}
    place = "Reminders[0].Recipient.RecipientEmail.Values.name"
    assert set(refusal(client.post(f"{API}/future/orders", json=chain))) == {place}
    instant = {"idempotencyId": "rows", "recipientEmail": to("rows", name="Kari") | settings}
    assert [*refusal(client.post(f"{API}/future/orders/instant/email", json=instant))] == [
        "RecipientEmail.Values.lines"
    ]
    composed = {"idempotencyId": "rows", "recipient": to("rows", lines=[]) | settings}
    assert [*refusal(client.post(f"{API}/future/orders/composed-email", json=composed))] == ["Recipient.Values.name"]


@pytest.mark.parametrize(
    ("members", "place"),
    [
        ({"subject": "Hei"}, "Template"),
        ({"template": {"name": "none"}}, "Template"),
        ({"template": {"name": "notice", "version": 1}}, "Template"),
        ({"template": {"name": "A b"}}, "Template.Name"),
        ({"template": {"name": "notice", "locale": "?"}}, "Template.Locale"),
        ({"template": {}}, "$.template"),
        ({"template": None, "subject": "Hei", "body": "Hei"}, "Recipients[0].Values"),
    ],
)
def test_an_order_that_names_no_template_properly_is_refused(
    client: httpx.Client, members: dict[str, object], place: str
) -> None:
    assert place in refusal(client.post(ORDERS, json=ordered(to("kari", name="Kari"), template="notice") | members))


def test_every_kind_of_order_names_a_template(client: httpx.Client, installation: Installation) -> None:
    put(client, "kinds")

    def posted(path: str, body: Mapping[str, object]) -> None:
        answer = client.post(f"{API}/{path}", json=body)
        assert answer.status_code in (201, 202), answer.text

    settings = {"emailSettings": {"template": {"name": "kinds"}}}
    first, reminded, instant, composed = (
        to(name, name=name) | settings for name in ("first", "reminded", "instant", "composed")
    )
    reminder = {"requestedSendTime": at(timedelta(seconds=1)), "recipient": {"recipientEmail": reminded}}
    chain = {"idempotencyId": "kinds", "recipient": {"recipientEmail": first}, "reminders": [reminder]}
    any_channel = {"notificationChannel": "Email", "emailTemplate": {"template": {"name": "kinds"}}}
    posted("orders", any_channel | {"recipients": [to("any", name="any")]})
    posted("future/orders", chain)
    posted("future/orders/instant/email", {"idempotencyId": "kinds", "recipientEmail": instant})
    posted("future/orders/composed-email", {"idempotencyId": "kinds", "recipient": composed})
    assert client.delete(f"{TEMPLATES}/kinds").status_code == 204
    for name in ("any", "first", "reminded", "instant", "composed"):
        assert mail(installation, name)["subject"] == f"Hei, {name}"
    known = client.post(
        f"{API}/future/orders/instant/email", json={"idempotencyId": "kinds", "recipientEmail": instant}
    )
    assert known.status_code == 200


def test_an_order_that_waits_keeps_its_version_unless_the_change_says_otherwise(client: httpx.Client) -> None:
    def version() -> int:
        return int(client.get(waiting).json()["emailTemplate"]["template"]["version"])

    put(client, "waits")
    order = ordered(to("waits", name="Kari"), template="waits", requestedSendTime=at(HOUR))
    waiting = client.post(ORDERS, json=order).headers["location"]
    put(client, "waits", text="2 {{ name }}")
    assert version() == 1
    changed = {"json": HELLO | {"text": "3 {{ name }}"}, "params": {"waiting": "true"}}
    assert client.put(f"{TEMPLATES}/waits", **changed).json()["version"] == 3  # type: ignore[arg-type]
    assert version() == 3
    needs = {"json": HELLO | {"text": "{{ more }}"}, "params": {"waiting": "true"}}
    refused = client.put(f"{TEMPLATES}/waits", **needs)  # type: ignore[arg-type]
    assert (refused.status_code, "more" in refused.json()["detail"]) == (409, True)
    assert client.get(f"{TEMPLATES}/waits").json()["version"] == 3


def test_an_email_that_cannot_be_rendered_fails_with_a_reason(client: httpx.Client, installation: Installation) -> None:
    """The others of its order are sent."""
    put(client, "fails", text="{{ name.first.letter }}", schema={"type": "object"})
    recipients = (to("fails", name="Kari"), to("fares", name={"first": {"letter": "K"}}))
    answer = client.post(ORDERS, json=ordered(*recipients, template="fails"))
    assert mail(installation, "fares")["text"] == "K\n"
    status = f"{answer.headers['location']}/notifications/email"

    def states() -> list[str]:
        return [each["sendStatus"]["status"] for each in client.get(status).json()["notifications"]]

    assert wait_for(lambda: states() == ["Failed", "Succeeded"])
    with closing(Store(installation.environment()["VARSEL_DATABASE_URL"])) as store, store.read() as connection:
        its = select(emails.c.seq).where(emails.c.address == "fails@templates.example")
        [reply] = connection.scalars(select(email_attempts.c.reply).where(email_attempts.c.email_seq.in_(its)))
    assert reply == "its template cannot be rendered: template: 'str object' has no attribute 'first'"


def test_the_console_previews_a_template_and_sends_a_test(client: httpx.Client, installation: Installation) -> None:
    put(client, "console", text="{{ name }}: {{ code }}", schema={"required": ["name"], "properties": {"name": {}}})
    about = {"creator": "tmpl", "name": "console", "version": "1"}
    with connect(installation.address) as browser:
        assert ">console</a>" in browser.get("/console/templates").text
        shown = browser.get("/console/templates/one", params=about).text
        assert "{{ name }}: {{ code }}" in shown
        [token] = set(re.findall('name="csrf" value="([^"]+)"', shown))

        def posted(path: str, **fields: str) -> httpx.Response:
            return browser.post(f"/console/templates/{path}", data={"csrf": token, "part": "text"} | about | fields)

        assert posted("preview", values='{"name": "Kari", "code": 7}').text == "Hei, Kari\n\nKari: 7"
        assert posted("preview", values="{}").text == "name: The template needs this value."
        assert "'code' is undefined" in posted("preview", values='{"name": "Kari"}').text
        as_html = posted("preview", values='{"name": "<", "code": 1}', part="html")
        assert (as_html.text, as_html.headers["content-security-policy"][:8]) == ("<p>Hei, &lt;!</p>", "sandbox;")
        assert posted("preview", csrf="forged").status_code == 403
        values = '{"name": "Kari", "code": 7}'
        assert posted("test", values=values, address="nobody").status_code == 400
        sent = posted("test", values=values, address="tested@templates.example")
        assert sent.status_code == 303, sent.text
        assert mail(installation, "tested")["text"] == "Kari: 7\n"
        assert "send test" in browser.get("/console/audit").text
        listed = browser.get("/console/emails?recipient=tested@templates.example").text
        assert "template console" in listed
        [its] = set(re.findall("/console/emails/([0-9a-f-]{36})", listed))
        assert browser.get(f"/console/emails/{its}/html").text == "<p>Hei, Kari!</p>"
        assert "Subject: Hei, Kari" in browser.get(f"/console/emails/{its}/source").text


def test_lines_of_recipients_fit_the_template_of_their_order(client: httpx.Client, installation: Installation) -> None:
    schema = {
        "type": "object",
        "required": ["name", "count"],
        "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
    }
    put(client, "lines", subject="Hei, {{ name }}", html=None, text="{{ name }} har {{ count + 1 }}", schema=schema)
    opened = client.post(ORDERS, json={"template": {"name": "lines"}, "recipientsFollow": True}).json()["orderId"]
    table = "emailAddress,name,count\nkari.lines@templates.example,Kari,2\nola.lines@templates.example,Ola,to\n"
    path = f"{API}/orders/{opened}/recipients"
    run = client.post(f"{path}?dryRun=true", content=table, headers={"Content-Type": "text/csv"}).json()["dryRun"]
    assert run["sample"] == {
        "to": "kari.lines@templates.example",
        "subject": "Hei, Kari",
        "body": "Kari har 3",
        "contentType": "Plain",
    }
    told = client.post(path, content=table, headers={"Content-Type": "text/csv"}).json()
    reason = "The value must be of the type integer."
    assert (told["valid"], told["report"]) == (1, [{"line": 3, "column": "values.count", "reason": reason}])
    line = '{"emailAddress":"per.lines@templates.example","values":{"name":"Per"}}'
    told = client.post(f"{path}?fromLine=4", content=line, headers={"Content-Type": "application/x-ndjson"}).json()
    missing = {"line": 4, "column": "values.count", "reason": "The template needs this value."}
    assert told["report"][1:] == [missing]
    assert client.put(f"{API}/orders/{opened}/close?validOnly=true").status_code == 200
    assert mail(installation, "kari.lines")["text"] == "Kari har 3\n"
