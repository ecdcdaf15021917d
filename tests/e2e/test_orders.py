"""The main job, through the front door."""

from __future__ import annotations

from tests.helpers.waiting import wait_for
from tests.servers.installation import API, Installation, order


def test_an_order_becomes_a_mail_and_a_status(installation: Installation) -> None:
    with installation.client() as client:
        answer = client.post(f"{API}/orders/email", json=order("ola.e2e@example.no"))
        assert answer.status_code == 202
        [message] = wait_for(lambda: installation.messages("ola.e2e@example.no"))
        assert message["text"] == "Hei, Kari!\n"
        status = wait_for(
            lambda: (
                (found := client.get(f"{answer.headers['location']}/status").json())
                and found.get("notificationsStatusSummary", {}).get("email", {}).get("succeeded")
                and found
            )
        )
        assert status["processingStatus"]["status"] == "Completed"
