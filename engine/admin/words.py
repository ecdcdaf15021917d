"""What people read instead of the contract's and the protocol's own words."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from engine.email.smtp.phases import Phase
from engine.models import ASKED_AGAIN, NOT_ACCEPTED, DeliveryState, EmailState, JobState, OrderState
from engine.text.language import N2_, N_, _, ngettext, number, retold, translated

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from engine.queue.windows import Window

_STATES: Mapping[str, str] = {
    EmailState.FAILED_RECIPIENT_RESERVED: N_("Failed: recipient declined"),
    EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED: N_("Failed: no known address"),
    EmailState.FAILED_INVALID_EMAIL_FORMAT: N_("Failed: invalid address"),
    EmailState.FAILED_SUPRESSED_RECIPIENT: N_("Failed: suppressed recipient"),
    EmailState.FAILED_BOUNCED: N_("Failed: bounced"),
    EmailState.FAILED_FILTERED_SPAM: N_("Failed: refused as spam"),
    EmailState.FAILED_TTL: N_("Failed: too late"),
    EmailState.FAILED_QUARANTINED: N_("Failed: attachment quarantined"),
    EmailState.FAILED_INVALID_SAS_URL: N_("Failed: attachment not available"),
    EmailState.FAILED_PAYLOAD_TOO_LARGE: N_("Failed: too large"),
    EmailState.FAILED: N_("Failed"),
    EmailState.NEW: N_("New"),
    EmailState.SENDING: N_("Sending"),
    EmailState.SUCCEEDED: N_("Sent"),
    EmailState.DELIVERED: N_("Delivered"),
    OrderState.OPEN: N_("Open"),
    OrderState.REGISTERED: N_("Registered"),
    OrderState.PROCESSING: N_("Processing"),
    OrderState.PROCESSED: N_("Being sent"),
    OrderState.COMPLETED: N_("Completed"),
    OrderState.SEND_CONDITION_NOT_MET: N_("Condition not met"),
    OrderState.CANCELLED: N_("Cancelled"),
    OrderState.SET_ASIDE: N_("Set aside"),
    DeliveryState.WAITING: N_("Waiting"),
    DeliveryState.DEAD: N_("Dead"),
    DeliveryState.UNAUTHORIZED: N_("Unauthorized"),
    JobState.RUNNING: N_("Running"),
    JobState.DONE: N_("Done"),
    JobState.STOPPED: N_("Stopped"),
    # Groups of states, results, where rows stand, and how attempts ended.
    "waiting": N_("waiting"),
    "failed": N_("failed"),
    "sent": N_("sent"),
    "cancelled": N_("cancelled"),
    "due": N_("due"),
    "later": N_("later"),
    "retrying": N_("retrying"),
    "held": N_("held"),
    "in hand": N_("in hand"),
    "repeated": N_("repeated"),
    "paused": N_("paused"),
    "failing": N_("failing"),
    "backing_off": N_("backing off"),
    "forgotten": N_("forgotten"),
    "unvalidated": N_("unvalidated"),
    "active": N_("active"),
    "ended": N_("ended"),
    "expired": N_("expired"),
    "revoked": N_("revoked"),
    "unreachable": N_("unreachable"),
    "refused": N_("refused"),
    "in_doubt": N_("in doubt"),
    "abandoned": N_("abandoned"),
    "unauthorized": N_("unauthorized"),
    # Attachments.
    "there": N_("there"),
    "given up": N_("given up"),
    "to be fetched": N_("to be fetched"),
}
_PHASES: Mapping[str, str] = {
    Phase.CONNECT: N_("while connecting"),
    Phase.MAIL: N_("when it was told the sender"),
    Phase.RCPT: N_("when it was told the recipient"),
    Phase.DATA: N_("before the message was handed over"),
    Phase.DOT: N_("after it had the whole message"),
}
_OUTCOMES: Mapping[str, str] = {
    "accepted": N_("Taken over"),
    "deferred": N_("Put off"),
    "refused": N_("Not let in"),
    "rejected": N_("Refused"),
    "in_doubt": N_("In doubt"),
    "expired": N_("Too late"),
    "abandoned": N_("Given up"),
    "cancelled": N_("Withdrawn"),
    "unauthorized": N_("Not allowed"),
}
_ACTIONS: Mapping[str, str] = {
    "orders.cancel": N_("cancel orders"),
    "orders.reschedule": N_("reschedule orders"),
    "orders.send_now": N_("send orders now"),
    "orders.retry": N_("retry orders"),
    "orders.release": N_("release orders"),
    "emails.retry": N_("retry e-mails"),
    "emails.retry_now": N_("send e-mails now"),
    "emails.release": N_("release e-mails"),
    "deliveries.retry": N_("replay deliveries"),
    "deliveries.retry_now": N_("send deliveries now"),
}
_ROWS: Mapping[str, str] = {
    "orders": N_("The order"),
    "emails": N_("The e-mail"),
    "deliveries": N_("The delivery"),
}
_LANES: Mapping[str, str] = {
    "orders": N_("Orders"),
    "emails": N_("E-mails"),
    "fan_outs": N_("Fan-outs"),
    "webhooks": N_("Webhooks"),
    "jobs": N_("Jobs"),
}
_FIELDS: Mapping[str, str] = {
    "state": N_("State"),
    "priority": N_("Priority"),
    "creator": N_("Creator"),
    "reference": N_("Reference"),
    "recipient": N_("Recipient"),
    "idempotency": N_("Idempotency key"),
    "queue": N_("Relay's queue id"),
    "since": N_("From"),
    "until": N_("Before"),
    "order": N_("Order id"),
    "chain": N_("Chain id"),
    "email": N_("E-mail id"),
    "event": N_("Event no."),
    "subscription": N_("Subscription no."),
    "delivery": N_("Delivery no."),
    "job": N_("Job"),
    "error": N_("Error"),
    "code": N_("Code"),
    "failure": N_("Failure group"),
    "relay": N_("Relay"),
    "failed": N_("Failed since"),
    "ended": N_("Ended since"),
    "upto": N_("Ended before"),
    "type": N_("Type"),
    "source": N_("Source"),
    "subject": N_("Subject"),
    "resource": N_("Resource"),
    "id": N_("Identifier"),
    "consumer": N_("Consumer"),
    "endpoint": N_("Endpoint"),
    "who": N_("Person"),
    "action": N_("Action"),
    "target": N_("Thing"),
    "kind": N_("Kind"),
    "ids": N_("Rows"),
    # Fields of other forms.
    "address": N_("E-mail address"),
    "cursor": N_("Page"),
    "days": N_("Life in days"),
    "guests": N_("Guests"),
    "name": N_("Name"),
    "overlap": N_("Hours that the old key stays valid"),
    "reason": N_("Reason"),
    "reply_to": N_("Reply to"),
    "scopes": N_("Scopes"),
    "sort": N_("Direction"),
    "span": N_("How far back"),
    "template": N_("Template"),
    "time": N_("New send time"),
    "value": N_("Name"),
    "values": N_("Values"),
}
_CHOSEN = frozenset({"state", "priority", "error", "kind"})  # those with a menu
_PROCESSES: Mapping[str, tuple[str, str]] = {  # by their kind in engine/observability/heartbeat.py
    "web": N2_("%(num)s web process", "%(num)s web processes"),
    "worker": N2_("%(num)s worker", "%(num)s workers"),
    "instant": N2_("%(num)s instant worker", "%(num)s instant workers"),
    "scheduler": N2_("%(num)s scheduler", "%(num)s schedulers"),
}
_ERASED: Mapping[str, str] = {
    label.lower(): label
    for label in (
        N_("E-mails"),
        N_("E-mails that waited"),
        N_("Orders"),
        N_("Orders that waited"),
        N_("Recurring orders"),
        N_("Contacts"),
        N_("Replies of relays"),
        N_("Events"),
        N_("Answers of subscribers"),
        N_("Subscriptions"),
        N_("Subscriptions that sent there"),
        N_("Lines of the audit log"),
        N_("Jobs"),
        N_("Guests of keys"),
    )
}
_BY_OPERATOR = N_("Paused by an operator: %(reason)s")  # engine/admin/pausing.py and recurring.py write it
# Why a job was given up.
LOST = N_("%(count)s workers in a row ended while they worked on it.")
FAULTY = N_("%(count)s attempts ended in an error of Varsel's, which the worker's log shows.")
GIVEN_UP = N_("%(why)s What it has done stays done; start a new job for the rest.")
# Written as a part of others, by these and by engine/email/restraint.py.
_STORED = (N_("Paused by an operator."), N_("refuses this installation or its sender"))


def of_state(name: str) -> str:
    """A state, or a group of states, on labels and in menus."""
    return translated(_STATES.get(name) or name.replace("_", " "))


def of_phase(name: str | None) -> str:
    """Where in the dialogue an attempt ended, seen from the relay; empty: nowhere."""
    return translated(_PHASES.get(name or "", ""))


def of_outcome(name: str) -> str:
    """How an attempt ended."""
    return translated(_OUTCOMES.get(name) or name.replace("_", " "))


def of_job(resource: str, action: str) -> str:
    """What a job does, behind "Job 12:"."""
    return translated(_ACTIONS.get(f"{resource}.{action}") or f"{action.replace('_', ' ')} {resource}")


def of_row(resource: str) -> str:
    """A row that something was done to, at the beginning of a sentence."""
    return translated(_ROWS[resource])


def of_condition(name: str, value: str) -> str:
    """What a list is narrowed to, behind its name: as menus have it; of rows that were selected, how many."""
    if name == "ids":
        return _("%(count)s selected", count=number(value.count(",") + 1))
    return of_state(value) if name in _CHOSEN else value


def of_lane(name: str) -> str:
    """What a lane works on, as a heading or at the beginning of a sentence; see also sentences.thing."""
    return translated(_LANES.get(name, name))


def begun(text: str) -> str:
    """A text at the beginning of a sentence."""
    return text[:1].upper() + text[1:]


def of_field(name: str) -> str:
    """What a list is narrowed by."""
    return translated(_FIELDS.get(name) or name.capitalize())


def of_key(name: str) -> str:
    """The same, with the key by which addresses and the search field know it."""
    return f"{of_field(name)} ({name})"


def of_window(window: Window) -> str:
    """When an order's e-mails may leave."""
    text = f"{window.words()}, {window.zone}"
    if window.calendar:
        return _("%(window)s, except as the calendar %(calendar)s says", window=text, calendar=window.calendar)
    return text


def of_version(name: str, version: int | None) -> str:
    """A template's version, or the template."""
    return _("%(name)s, version %(version)s", name=name, version=version) if version else name


def of_erased(kind: str) -> str:
    """Of what a person was erased."""
    return translated(_ERASED.get(kind) or kind.capitalize())


def of_reason(text: str) -> str:
    """Why something is paused, or has ended: what Varsel has stored is translated, and what a person typed stays."""
    return retold(text, _BY_OPERATOR, GIVEN_UP, LOST, FAULTY, *NOT_ACCEPTED, why=of_reason)


def of_consequence(text: str) -> str:
    """What follows where an order's condition gave no clear answer."""
    return retold(text, ASKED_AGAIN)


def of_processes(kinds: Collection[str]) -> str:
    """How many processes of which kind run, in words."""
    told = ", ".join(_processes(kind, count) for kind, count in sorted(Counter(kinds).items()))
    return ngettext("%(kinds)s runs", "%(kinds)s run", len(kinds), kinds=told)


def _processes(kind: str, count: int) -> str:
    if kind not in _PROCESSES:
        return f"{number(count)} {kind}"
    return ngettext(*_PROCESSES[kind], count)
