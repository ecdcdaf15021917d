"""What people read instead of the contract's and the protocol's own words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.email.smtp.phases import Phase
from engine.models import EmailState, OrderState

if TYPE_CHECKING:
    from collections.abc import Mapping

_STATES: Mapping[str, str] = {
    OrderState.PROCESSED: "Being sent",
    OrderState.SEND_CONDITION_NOT_MET: "Condition not met",
    OrderState.SET_ASIDE: "Set aside",
    EmailState.SUCCEEDED: "Sent",
    EmailState.FAILED_RECIPIENT_RESERVED: "Failed: recipient declined",
    EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED: "Failed: no known address",
    EmailState.FAILED_INVALID_EMAIL_FORMAT: "Failed: invalid address",
    EmailState.FAILED_SUPRESSED_RECIPIENT: "Failed: suppressed recipient",
    EmailState.FAILED_BOUNCED: "Failed: bounced",
    EmailState.FAILED_FILTERED_SPAM: "Failed: refused as spam",
    EmailState.FAILED_TTL: "Failed: too late",
    EmailState.FAILED_QUARANTINED: "Failed: attachment quarantined",
    EmailState.FAILED_INVALID_SAS_URL: "Failed: attachment not available",
    EmailState.FAILED_PAYLOAD_TOO_LARGE: "Failed: too large",
}
_PHASES: Mapping[str, str] = {
    Phase.CONNECT: "while connecting",
    Phase.MAIL: "when it was told the sender",
    Phase.RCPT: "when it was told the recipient",
    Phase.DATA: "before the message was handed over",
    Phase.DOT: "after it had the whole message",
}
_OUTCOMES: Mapping[str, str] = {
    "accepted": "Taken over",
    "deferred": "Put off",
    "refused": "Not let in",
    "rejected": "Refused",
    "in_doubt": "In doubt",
    "expired": "Too late",
    "abandoned": "Given up",
    "cancelled": "Withdrawn",
    "unauthorized": "Not allowed",
}
_ACTIONS: Mapping[str, str] = {
    "orders.cancel": "cancel orders",
    "orders.reschedule": "reschedule orders",
    "orders.send_now": "send orders now",
    "orders.retry": "retry orders",
    "orders.release": "release orders",
    "emails.retry": "retry e-mails",
    "emails.retry_now": "send e-mails now",
    "emails.release": "release e-mails",
    "deliveries.retry": "replay deliveries",
    "deliveries.retry_now": "send deliveries now",
}


def of_state(name: str) -> str:
    """A state, or a group of states, on labels and in menus."""
    return _STATES.get(name) or name.replace("_", " ")


def of_phase(name: str | None) -> str:
    """Where in the dialogue an attempt ended, seen from the relay; empty: nowhere."""
    return _PHASES.get(name or "", "")


def of_outcome(name: str) -> str:
    """How an attempt ended."""
    return _OUTCOMES.get(name) or name.replace("_", " ")


def of_job(resource: str, action: str) -> str:
    """What a job does, behind "Job 12:"."""
    return _ACTIONS.get(f"{resource}.{action}") or f"{action.replace('_', ' ')} {resource}"


def of_condition(name: str, value: str) -> str:
    """What a list is narrowed to, behind its name; of rows that were selected, how many."""
    return f"{value.count(',') + 1} selected" if name == "ids" else value
