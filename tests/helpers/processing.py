"""The lane of orders as a worker runs it: those without a condition, and those with one beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.db.records import Order
from engine.orders.condition_checks import ConditionChecks
from engine.orders.contacts import ContactTable
from engine.orders.processing import Decision, Orders
from engine.queue.runner import Runner
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from datetime import timedelta

    from engine.db.store import Store
    from engine.outbound import Outbound

Processing = Runner[Order, Decision]


def processing(store: Store, lease: timedelta = LONG) -> Processing:
    """Makes the e-mails of due orders."""
    return Runner(store, Orders(ContactTable()), lease)


def checks(store: Store, outbound: Outbound, lease: timedelta = LONG) -> Processing:
    """Asks conditions of due orders."""
    return Runner(store, ConditionChecks(ContactTable(), outbound), lease)
