"""Why a row stands where it does: what it waits for, and the last answer to it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.admin import words
from engine.admin.amounts import some, span
from engine.admin.effects import of_trouble
from engine.admin.sentences import thing
from engine.admin.slowness import slowness
from engine.admin.standing import Standing
from engine.admin.turns import WAITING, waiting
from engine.db.dialects import now
from engine.db.living import LIVES
from engine.db.tables import (
    processes,
)
from engine.email.gate import waited_for
from engine.email.pressure import Kind
from engine.models import LEVELS, TEST, DeliveryState, EmailState, OrderState, Priority
from engine.queue.pauses import CREATOR, DOMAIN, LANE, in_force
from engine.text.addresses import domain_of
from engine.text.language import N_, _, translated

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from sqlalchemy import Connection, Row


_WAITING = (OrderState.OPEN, OrderState.REGISTERED, OrderState.PROCESSING)


def of_order(connection: Connection, found: Mapping[str, Any], row: Row[Any]) -> str | None:
    """Why an order waits; None: it does not."""
    if row.state == OrderState.SET_ASIDE:
        return _(
            "Set aside: five workers in a row ended while they worked on it, or every attempt ended in an error."
            " Retry it when the cause is gone."
        )
    if found["standing"] is None or row.state not in _WAITING:
        return None
    if found["standing"] == Standing.IN_FLIGHT:
        return _("A worker works on it.")
    if paused := _paused(connection, row.paused_by, row.creator, "", "orders"):
        return paused
    return _of_later(row) if found["standing"] == Standing.LATER else _turn(row.priority)


def _of_later(row: Row[Any]) -> str:
    """Why an order is not due yet."""
    until = f"{row.due_at:%Y-%m-%d %H:%M} UTC"
    if row.state == OrderState.OPEN:
        return _(
            "Its recipients are still to come. Unless its sender adds some or closes it, it is cancelled at %(time)s.",
            time=until,
        )
    if row.portion and not row.attempts:
        return _("Its next e-mails are made when fewer of those before them wait to be sent.")
    if row.state == OrderState.PROCESSING and row.condition_endpoint is None and not row.fetches:
        return _("An attempt to process it ended in an error of Varsel's; it is tried again by itself.")
    if row.sending_window and row.state == OrderState.REGISTERED:
        return _("Waits for its sending window to open, or for its send time within.")
    if not row.claim and row.due_at > row.requested_send_time:
        return _("Its creator's quota is used up until %(time)s: the order is sent then, by itself.", time=until)
    later = row.state == OrderState.PROCESSING
    if later and row.fetches:
        return _("An attachment could not be fetched; it is tried again by itself.")
    if later:
        return _("Its send condition gave no clear answer; it is asked again.")
    return _("Waits for its send time.")


def unknown(counts: Mapping[str, int]) -> str | None:
    """What to do about recipients whose addresses were not known; None: there are none."""
    unknown = counts.get(EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED, 0)
    if not unknown:
        return None
    recipients = some(unknown, "recipients")
    return _("No address of %(recipients)s was known. When it is, post a new order for them.", recipients=recipients)


def of_email(
    connection: Connection, found: Mapping[str, Any], row: Row[Any], attempts: Sequence[Row[Any]]
) -> dict[str, str | None]:
    """Why an e-mail waits, or failed, and the relay's words; None: neither."""
    last = attempts[-1] if attempts else None
    if found["standing"] is None:
        if not row.state.startswith("Failed"):
            return _why(None)
        return _said(last, _("it is not tried again")) if last else _why(of_state(row.state))
    if found["standing"] == Standing.IN_FLIGHT:
        return _why(_("A worker works on it."))
    if paused := _paused(connection, row.paused_by, found["creator"], row.address, "emails"):
        return _why(paused)
    if slow := _slowly(connection, row, tried=last is not None):
        return _why(slow)
    later = found["standing"] == Standing.LATER or row.due_at > now(connection)
    if last and later:
        return _said(last, _("it is tried again by itself"))
    of_living = (processes.c.trouble.is_not(None), LIVES)
    trouble = connection.execute(select(processes.c.relay, processes.c.trouble).where(*of_living).limit(1)).first()
    if trouble is None:
        return _why(_turn(row.priority))
    said = of_trouble(trouble.trouble)
    return _why(_("The relay %(relay)s cannot be used: %(trouble)s", relay=trouble.relay, trouble=said))


def of_state(state: str) -> str | None:
    """Why an e-mail failed that nobody was asked about; None: its state does not say so."""
    return translated(_REASONS[state]) if state in _REASONS else None


def _slowly(connection: Connection, row: Row[Any], *, tried: bool) -> str | None:
    """The pace that an e-mail waits for; None: it waits for none.

    An e-mail that was not claimed yet waits for the relay's, if that has one.
    """
    target = row.waits_for if row.rank is not None else None
    kind, names = waited_for(target) if target else (Kind.RELAY, None)
    slow = [each for each in slowness(connection) if each.kind == kind and (names is None or each.name in names)]
    if target is None and (tried or not slow):
        return None
    told = []
    if slow:
        since = f"{slow[0].since:%H:%M} UTC"
        told = [_("%(slow)s. So it has been since %(time)s.", slow=slow[0].text, time=since)]
    if target is None:
        return " ".join([*told, _("The e-mail waits for its turn, which comes by itself.")])
    count = waiting(connection, target)
    many = _("10,000 e-mails or more") if count == WAITING else some(count, "emails")
    if len(slow) == 1 and slow[0].rate:
        many = _("%(emails)s, enough for %(span)s", emails=many, span=span(count / slow[0].rate))
    its = _target(kind, names or ())
    wait = _("Those that wait for the %(target)s: %(emails)s. Creators take turns among them.", target=its, emails=many)
    return " ".join([*told, wait])


def _target(kind: Kind | None, names: Sequence[str]) -> str:
    """Whom e-mails wait for."""
    its = ", ".join(names)
    return _("relay %(names)s", names=its) if kind is Kind.RELAY else _("domain %(names)s", names=its)


def of_delivery(
    connection: Connection, found: Mapping[str, Any], attempts: Sequence[Row[Any]]
) -> dict[str, str | None]:
    """Why a delivery waits, or was given up, and the endpoint's words; None: neither."""
    last = _answer(attempts[-1].status, attempts[-1].reply) if attempts else None
    if found["state"] == DeliveryState.DEAD:
        text = _("Given up after its last attempt. Replay it when the cause is gone.")
        return _why(" ".join([text, *([_("The endpoint's answer:")] if last else [])]), last)
    if found["due_at"] is None:
        return _why(None)
    if found["standing"] is None:
        return _why(_("Its subscription was removed: nothing more is pushed to it."))
    if "webhooks" in in_force(connection).lanes:
        return _why(_lane_paused("webhooks"))
    if found["paused_reason"]:
        return _why(_("The subscription is paused: %(reason)s", reason=words.of_reason(found["paused_reason"])))
    if found["open_until"]:
        text = _("The endpoint has failed several times in a row: it gets a rest before the next attempt.")
        return _why(text, last)
    if found["standing"] == Standing.LATER:
        if found["ordered"] and found["due_at"] <= now(connection):
            return _why(_("It waits for an earlier event on the same subject: its subscription keeps the order."))
        return _why(_("The last attempt did not succeed; the next one follows by itself."), last)
    return _why(_("It is due and waits for a worker. If it stays so, no worker runs, or all are busy."))


def _why(text: str | None, answer: str | None = None) -> dict[str, str | None]:
    """Why something waits, and the answer to it: words from outside, which viewers do not see."""
    return {"why": text, "answer": answer}


def _paused(connection: Connection, paused_by: str | None, creator: str, address: str, lane: str) -> str | None:
    paused = in_force(connection)
    if lane in paused.lanes:
        return _lane_paused(lane)
    if paused_by is None:
        return None
    if creator in paused.creators:
        return _is_paused(CREATOR, creator)
    domain = domain_of(address)
    if domain in paused.domains:
        return _is_paused(DOMAIN, domain)
    return _("It is being released.")


def _lane_paused(lane: str) -> str:
    return _("%(name)s are paused.", name=words.begun(thing(LANE, lane)))


def _is_paused(kind: str, value: str) -> str:
    return _("%(name)s is paused.", name=words.begun(thing(kind, value)))


_TURNS = {
    Priority.INSTANT: N_("It is due, and workers keep connections free for instant orders."),
    Priority.NORMAL: N_("It is due and waits for its turn: creators take turns, each with its share."),
    TEST: N_("It is due, and a test: the simulator answers, within a second or two."),
    Priority.BULK: N_(
        "It is due and waits for its turn: bulk gets what other orders leave, and a small share at least."
    ),
}


def _turn(level: int) -> str:
    """What a due row waits for."""
    return " ".join([_(_TURNS[LEVELS[level]]), _("If it stays so, no worker runs, or all are busy.")])


def _said(attempt: Row[Any], then: str) -> dict[str, str | None]:
    """What ended the attempt, and what follows."""
    if not attempt.relay:  # nobody outside was asked
        return _why(f"{attempt.reply[:1].upper()}{attempt.reply[1:]}; {then}.")
    where = words.of_phase(attempt.phase)
    if where:
        text = _(
            "The relay %(relay)s did not take it %(where)s; %(then)s.", relay=attempt.relay, where=where, then=then
        )
    else:
        text = _("The relay %(relay)s did not take it; %(then)s.", relay=attempt.relay, then=then)
    by = _("It said:") if attempt.code else "Varsel:"
    return _why(f"{text} {by}", _answer(attempt.code, attempt.reply))


def _answer(code: int | None, text: str) -> str:
    """A reply on one line, with a full stop."""
    said = " ".join([*([str(code)] if code else []), *text.split()])
    return said if said.endswith(".") else f"{said}."


_REASONS: Mapping[str, str] = {
    EmailState.FAILED_RECIPIENT_RESERVED: N_("The recipient has declined electronic communication."),
    EmailState.FAILED_RECIPIENT_NOT_IDENTIFIED: N_(
        "The contact directory knew no address of this recipient. When it does, post a new order for it."
    ),
    EmailState.FAILED_INVALID_SAS_URL: N_("An attachment could not be fetched from its address: the order names it."),
    EmailState.FAILED_QUARANTINED: N_("The server of an attachment holds it back as harmful: the order names it."),
    EmailState.FAILED_PAYLOAD_TOO_LARGE: N_("The attachments are too large: the order names them."),
    EmailState.FAILED_TTL: N_("The attachments could not be fetched in time: the order names them."),
}
