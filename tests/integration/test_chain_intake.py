"""Intake of orders with reminders, on both databases: stored as posted, and once for each identifier."""

from __future__ import annotations

import asyncio
import io
import json
import random
import uuid
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from api import chain_answers, order_answers
from api.answers import instant
from engine.db.tables import EPOCH, MILLISECOND, orders
from engine.db.tables import chains as chain_table
from engine.orders import chains, reading, shipments
from engine.orders.chain_rules import parse_chain
from engine.orders.chains import NewChain
from engine.orders.contacts import import_contacts
from engine.orders.receipts import Receipt
from engine.orders.rules import Limits, parse_order
from engine.outbound import Guard
from tests.helpers.entrances import intake, run
from tests.helpers.rows import count
from tests.helpers.texts import BODY, LINE

if TYPE_CHECKING:
    from engine.db.store import Store
    from engine.orders.intake import Intake

LIMITS = Limits(10, Guard(allow_private=True), "noreply@example.no", bulk_above=5)
WORDS = chain_answers.Words(reports=False)
PERSON, ORGANIZATION = "01017512345", "910150804"
CONTACTS = f"identity,name,email\n{PERSON},Kari,kari@example.no\n{ORGANIZATION},Eksempel AS,post@example.no\n"
KNOWN_AS = {name: name for name in ("emailAddress", "nationalIdentityNumber")} | {"orgNumber": "organizationNumber"}
TEXT = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)
SETTINGS = st.fixed_dictionaries({"subject": LINE, "body": BODY}, optional={"contentType": st.sampled_from(["Html"])})
SMS = st.fixed_dictionaries({"body": TEXT}, optional={"sender": TEXT})
NUMBER = st.one_of(
    st.fixed_dictionaries({"channelSchema": st.just("Email"), "emailSettings": SETTINGS}),
    st.fixed_dictionaries({"channelSchema": st.just("EmailPreferred"), "emailSettings": SETTINGS, "smsSettings": SMS}),
)
RECIPIENT = st.one_of(
    SETTINGS.map(lambda its: {"recipientEmail": {"emailAddress": "kåre@blåbær.no", "emailSettings": its}}),
    NUMBER.map(lambda its: {"recipientPerson": {"nationalIdentityNumber": PERSON, **its}}),
    NUMBER.map(lambda its: {"recipientOrganization": {"orgNumber": ORGANIZATION, **its}}),
)
TIME = st.integers(2_524_608_000_000, 4_102_444_800_000).map(  # years 2050 to 2100, in ms
    lambda stamp: instant(EPOCH + stamp * MILLISECOND)
)
OPTIONS = {"sendersReference": LINE, "conditionEndpoint": st.just("https://example.no/a?b=c")}
REMINDER = st.one_of(
    [
        st.fixed_dictionaries({"recipient": RECIPIENT, name: when}, optional=OPTIONS)
        for name, when in (("delayDays", st.integers(1, 36_500)), ("requestedSendTime", TIME))
    ]
)
CHAIN = st.fixed_dictionaries(
    {"recipient": RECIPIENT, "requestedSendTime": TIME, "reminders": st.lists(REMINDER, max_size=3)},
    optional={"dialogportenAssociation": st.fixed_dictionaries({"dialogId": LINE, "transmissionId": LINE}), **OPTIONS},
)


def parsed(posted: dict[str, Any]) -> NewChain:
    return parse_chain(json.loads(json.dumps(posted)), LIMITS, datetime.now(UTC))


def expected(posted: dict[str, Any], begins: datetime) -> dict[str, Any]:
    """What an order shows of itself that was posted as this."""
    [recipient] = posted["recipient"].values()
    mail, sms = recipient["emailSettings"], recipient.get("smsSettings")
    known_as = {KNOWN_AS[name]: value for name, value in recipient.items() if name in KNOWN_AS}
    at = posted.get("requestedSendTime") or instant(begins + timedelta(days=posted["delayDays"]))
    shown = {
        "requestedSendTime": at,
        "notificationChannel": recipient.get("channelSchema", "Email"),
        "recipients": [known_as],
        "emailTemplate": {"fromAddress": "noreply@varsel.example", "contentType": "Plain"} | mail,
    }
    if sms:
        shown["smsTemplate"] = {"senderNumber": sms.get("sender", ""), "body": sms["body"]}
    return shown | {name: posted[name] for name in OPTIONS if name in posted}


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(posted=CHAIN, name=LINE)
def test_a_chain_comes_out_as_it_went_in(store: Store, posted: dict[str, Any], name: str) -> None:
    with store.write() as connection:
        import_contacts(connection, io.StringIO(CONTACTS))
    posted["idempotencyId"] = f"{name}{uuid.uuid4()}"

    async def twice(entrance: Intake) -> list[Receipt]:
        return [await entrance.place_chain("ttd", parsed(posted), "", strict=False) for _ in range(2)]

    receipt, again = run(store, twice)
    assert (again.order_id, again.shipments, again.replayed) == (receipt.order_id, receipt.shipments, True)
    with store.read() as connection:
        chain = chain_answers.Chain.of(*chains.find_by_id(connection, "ttd", receipt.order_id))
        found = [reading.find(connection, "ttd", each.id) for each in receipt.shipments]
        told = [shipments.find(connection, "ttd", each.id) for each in receipt.shipments]
    begins = datetime.fromisoformat(posted["requestedSendTime"])
    for order, its, shown in zip(found, (posted, *posted["reminders"]), told, strict=True):
        answer = json.loads(order_answers.Order.of(order, "http://127.0.0.1").json_text())
        assert expected(its, begins).items() <= answer.items()
        shipment = json.loads(chain_answers.Shipment.of(*shown, WORDS).json_text())
        assert shipment.get("sendersReference") == its.get("sendersReference")
    text = json.loads(chain.json_text())
    assert text["idempotencyId"] == posted["idempotencyId"]
    assert text.get("dialogportenAssociation") == posted.get("dialogportenAssociation")
    assert len(text["notification"].get("reminders", ())) == len(posted["reminders"])


@pytest.mark.dialects
def test_of_a_thousand_identifiers_that_two_processes_get_at_once_each_makes_one_chain(store: Store) -> None:
    """Each process gets them in an order of its own, and some of them twice."""
    order = parse_order(
        {"subject": "a", "body": "b", "recipients": [{"emailAddress": "a@b.no"}]}, LIMITS, datetime.now(UTC)
    )
    answered = defaultdict[str, list[Receipt]](list)

    async def place(entrance: Intake, name: str) -> None:
        chain = NewChain(name, [order, order])
        answered[name].append(await entrance.place_chain("ttd", chain, "", strict=False))

    async def work(first: Intake) -> None:
        async with intake(store) as second:
            for begin in range(0, 1_000, 100):
                names = [str(number) for number in range(begin, begin + 100)]
                ours = [place(first, name) for name in (*names, *names[::9])]
                theirs = [place(second, name) for name in random.sample(names, len(names))]
                await asyncio.gather(*ours, *theirs)

    run(store, work)
    kept = set()
    for receipts in answered.values():
        [(chain_id, shipments)] = {(receipt.order_id, receipt.shipments) for receipt in receipts}
        assert sum(not receipt.replayed for receipt in receipts) == 1
        kept |= {(shipment.id, chain_id) for shipment in shipments}
    assert (len(answered), len(kept), count(store, chain_table)) == (1_000, 2_000, 1_000)
    with store.read() as connection:
        stored = connection.execute(select(orders.c.id, orders.c.chain_id)).all()
    assert sorted(kept) == sorted(map(tuple, stored))
