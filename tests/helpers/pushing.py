"""The lane of webhooks as a worker runs it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.auth.access import Rules
from engine.db.records import Subscription
from engine.queue.runner import Runner
from engine.webhooks.pusher import Outcome, Pusher
from tests.helpers.waiting import LONG

if TYPE_CHECKING:
    from datetime import timedelta

    from engine.db.store import Store
    from engine.webhooks.call import Courier
    from engine.webhooks.mail_sink import MailSink


class Pushing(Runner[Subscription, Outcome]):
    """Pushes what is due, by the built-in access rules."""

    def __init__(self, store: Store, courier: Courier, mail_sink: MailSink, lease: timedelta = LONG) -> None:
        super().__init__(store, Pusher(store, courier, mail_sink, Rules(None)), lease)
