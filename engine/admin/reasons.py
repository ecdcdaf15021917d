"""Why a row stands where it does: what it waits for, and the last answer to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.admin import words
from engine.admin.amounts import some, span
from engine.admin.slowness import slowness
from engine.admin.standing import Standing
from engine.admin.turns import WAITING, waiting
from engine.db.dialects import after, now
from engine.db.tables import (
    ALIVE,
    processes,
)
from engine.email.gate import waited_for
from engine.email.pressure import Kind
from engine.models import LEVELS, TEST, DeliveryState, EmailState, OrderState, Priority
from engine.queue.pauses import in_force
from engine.text.addresses import domain_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row


_WAITING = (OrderState.OPEN, OrderState.REGISTERED, OrderState.PROCESSING)


def of_order(connection: Connection, found: Mapping[str, Any], row: Row[Any]) -> str | None:
    """Why an order waits; None: it does not."""
    if row.state == OrderState.SET_ASIDE:
        return (
            "Set aside: five workers in a row ended while they worked on it, or every attempt ended in an error."
            " Retry it when the cause is gone."
        )
    if found["standing"] is None or row.state not in _WAITING:
        return None
    if found["standing"] == Standing.IN_FLIGHT:
        return "A worker works on it."
    if paused := _paused(connection, row.paused_by, row.creator, "", "orders"):
        return paused
    return _of_later(row) if found["standing"] == Standing.LATER else _turn(row.priority)


def _of_later(row: Row[Any]) -> str:
    """Why an order is not due yet."""
    until = f"{row.due_at:%Y-%m-%d %H:%M} UTC"
    if row.state == OrderState.OPEN:
        return (
            f"Its recipients are still to come. Unless its sender adds some or closes it, it is cancelled at {until}."
        )
    if row.portion and not row.attempts:
        return "Its next e-mails are made when fewer of those before them wait to be sent."
    if row.state == OrderState.PROCESSING and row.condition_endpoint is None and not row.fetches:
        return "An attempt to process it ended in an error of Varsel's; it is tried again by itself."
    if row.sending_window and row.state == OrderState.REGISTERED:
        return "Waits for its sending window to open, or for its send time within."
    if not row.claim and row.due_at > row.requested_send_time:
        return f"Its creator's quota is used up until {until}: the order is sent then, by itself."
    later = row.state == OrderState.PROCESSING
    if later and row.fetches:
        return "An attachment could not be fetched; it is tried again by itself."
    return "Its send condition gave no clear answer; it is asked again." if later else "Waits for its send time."


def unknown(counts: Mapping[str, int]) -> str | None:
    """What to do about recipients whose addresses were not known; None: there are none."""
    unknown = counts.get(EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED, 0)
    if not unknown:
        return None
    return f"No address of {some(unknown, 'recipients')} was known. When it is, post a new order for them."


def of_email(
    connection: Connection, found: Mapping[str, Any], row: Row[Any], attempts: Sequence[Row[Any]]
) -> dict[str, str | None]:
    """Why an e-mail waits, or failed, and the relay's words; None: neither."""
    last = attempts[-1] if attempts else None
    if found["standing"] is None:
        if not row.state.startswith("Failed"):
            return _why(None)
        return _said(last, "it is not tried again") if last else _why(of_state(row.state))
    if found["standing"] == Standing.IN_FLIGHT:
        return _why("A worker works on it.")
    if paused := _paused(connection, row.paused_by, found["creator"], row.address, "emails"):
        return _why(paused)
    if slow := _slowly(connection, row, tried=last is not None):
        return _why(slow)
    later = found["standing"] == Standing.LATER or row.due_at > now(connection)
    if last and later:
        return _said(last, "it is tried again by itself")
    of_living = (processes.c.trouble.is_not(None), processes.c.seen > after(-ALIVE))
    trouble = connection.execute(select(processes.c.relay, processes.c.trouble).where(*of_living).limit(1)).first()
    return _why(f"The relay {trouble.relay} cannot be used: {trouble.trouble}" if trouble else _turn(row.priority))


def of_state(state: str) -> str | None:
    """Why an e-mail failed that nobody was asked about; None: its state does not say so."""
    return _REASONS.get(state)


def _slowly(connection: Connection, row: Row[Any], *, tried: bool) -> str | None:
    """The pace that an e-mail waits for; None: it waits for none.

    An e-mail that was not claimed yet waits for the relay's, if that has one.
    """
    target = row.waits_for if row.rank is not None else None
    kind, names = waited_for(target) if target else (Kind.RELAY, None)
    slow = [each for each in slowness(connection) if each.kind == kind and (names is None or each.name in names)]
    if target is None and (tried or not slow):
        return None
    since = f"{slow[0].text}. So it has been since {slow[0].since:%H:%M} UTC. " if slow else ""
    if target is None:
        return f"{since}The e-mail waits for its turn, which comes by itself."
    count = waiting(connection, target)
    many = "10,000 e-mails or more" if count == WAITING else some(count, "emails")
    takes = f", enough for {span(count / slow[0].rate)}" if len(slow) == 1 and slow[0].rate else ""
    return f"{since}Those that wait for the {target}: {many}{takes}. Creators take turns among them."


def of_delivery(
    connection: Connection, found: Mapping[str, Any], attempts: Sequence[Row[Any]]
) -> dict[str, str | None]:
    """Why a delivery waits, or was given up, and the endpoint's words; None: neither."""
    last = _answer(attempts[-1].status, attempts[-1].reply) if attempts else None
    if found["state"] == DeliveryState.DEAD:
        said = " The endpoint's answer:" if last else ""
        return _why(f"Given up after its last attempt. Replay it when the cause is gone.{said}", last)
    if found["due_at"] is None:
        return _why(None)
    if found["standing"] is None:
        return _why("Its subscription was removed: nothing more is pushed to it.")
    if "webhooks" in in_force(connection).lanes:
        return _why("The lane webhooks is paused.")
    if found["paused_reason"]:
        return _why(f"The subscription is paused: {found['paused_reason']}")
    if found["open_until"]:
        return _why("The endpoint has failed several times in a row: it gets a rest before the next attempt.", last)
    if found["standing"] == Standing.LATER:
        if found["ordered"] and found["due_at"] <= now(connection):
            return _why("It waits for an earlier event on the same subject: its subscription keeps the order.")
        return _why("The last attempt did not succeed; the next one follows by itself.", last)
    return _why(_DUE)


def _why(text: str | None, answer: str | None = None) -> dict[str, str | None]:
    """Why something waits, and the answer to it: words from outside, which viewers do not see."""
    return {"why": text, "answer": answer}


def _paused(connection: Connection, paused_by: str | None, creator: str, address: str, lane: str) -> str | None:
    paused = in_force(connection)
    if lane in paused.lanes:
        return f"The lane {lane} is paused."
    if paused_by is None:
        return None
    if creator in paused.creators:
        return f"The creator {creator} is paused."
    domain = domain_of(address)
    return f"The recipients' domain {domain} is paused." if domain in paused.domains else "It is being released."


_DUE = "It is due and waits for a worker. If it stays so, no worker runs, or all are busy."
_TURNS = {
    Priority.INSTANT: "It is due, and workers keep connections free for instant orders.",
    Priority.NORMAL: "It is due and waits for its turn: creators take turns, each with its share.",
    TEST: "It is due, and a test: the simulator answers, within a second or two.",
    Priority.BULK: "It is due and waits for its turn: bulk gets what other orders leave, and a small share at least.",
}


def _turn(level: int) -> str:
    """What a due row waits for."""
    return f"{_TURNS[LEVELS[level]]} If it stays so, no worker runs, or all are busy."


def _said(attempt: Row[Any], then: str) -> dict[str, str | None]:
    """What ended the attempt, and what follows."""
    if not attempt.relay:  # nobody outside was asked
        return _why(f"{attempt.reply[:1].upper()}{attempt.reply[1:]}; {then}.")
    where = f" {words.of_phase(attempt.phase)}" if attempt.phase else ""
    text = f"The relay {attempt.relay} did not take it{where}; {then}. {'It said' if attempt.code else 'Varsel'}:"
    return _why(text, _answer(attempt.code, attempt.reply))


def _answer(code: int | None, text: str) -> str:
    """A reply on one line, with a full stop."""
    said = " ".join([*([str(code)] if code else []), *text.split()])
    return said if said.endswith(".") else f"{said}."


_REASONS: Mapping[str, str] = {
    EmailState.FAILED_RECIPIENT_RESERVED: "The recipient has declined electronic communication.",
    EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED: "The contact directory knew no address of this recipient."
    " When it does, post a new order for it.",
    EmailState.FAILED_INVALID_SAS_URL: "An attachment could not be fetched from its address: the order names it.",
    EmailState.FAILED_QUARANTINED: "The server of an attachment holds it back as harmful: the order names it.",
    EmailState.FAILED_PAYLOAD_TOO_LARGE: "The attachments are too large: the order names them.",
    EmailState.FAILED_TTL: "The attachments could not be fetched in time: the order names them.",
}
