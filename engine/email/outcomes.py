"""Outcomes of e-mails: what the relay's reply means for the row, written in groups and published as events."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import BigInteger, Connection, Integer, SmallInteger, Text, func, select

from engine.db.dialects import Now
from engine.db.records import Email, Letter, SendAttempt, columns, read
from engine.db.rows import Rows, run
from engine.db.tables import MILLISECOND, email_attempts, emails
from engine.email.smtp import Accepted, Deferred, InDoubt, Outcome, Refused, Rejected, Reply, queue_id
from engine.email.wording import key, wording
from engine.events import completing, tallies
from engine.events.status import email_event, order_event
from engine.events.storing import persist
from engine.models import EXPIRY, LEVELS, DeliveryGuarantee, EmailState
from engine.observability import metrics
from engine.observability.sums import SUMS, Ending
from engine.queue import due
from engine.queue.backoff import jittered
from engine.text.addresses import domain_of

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Mapping, Sequence
    from datetime import datetime

    from engine.models import CloudEvent

RELAY_RETRY = timedelta(seconds=5)  # from a failed connection to the relay to the next try
REFUSED_RETRY = timedelta(minutes=1)  # likewise, after a permanent refusal: relays may lock out clients that insist

# The time from the first, second, … deferred attempt to the next; the last repeats until the e-mail expires. RFC 5321,
# 4.5.4.1, asks for 30 minutes between queues on the Internet; this queue talks to its own relay, where most deferrals
# (greylisting, a full queue) are over in minutes.
BACKOFF = tuple(timedelta(minutes=minutes) for minutes in (0.5, 1, 2, 5, 10, 20, 30, 60))
SLOWLY = timedelta(minutes=5)  # the shortest backoff when the relay refuses this installation or its sender

_RECORD = due.outcome(due.EMAILS).returning(emails.c.seq, emails.c.last_update)
_LOG = Rows(
    email_seq=BigInteger(),
    claim=Integer(),
    duration_ms=Integer(),
    relay=Text(),
    outcome=Text(),
    phase=Text(),
    code=SmallInteger(),
    reply=Text(),
    failure=Text(),
    queue_id=Text(),
).insert_into(email_attempts, at=Now())
_ATTEMPTS = {  # looked up once: the look-up costs as much as the count
    word: metrics.ATTEMPTS.labels(word)
    for word in ("accepted", "deferred", "refused", "rejected", "in_doubt", "expired", "abandoned", "cancelled")
}
_SMTP_SECONDS = {
    word: metrics.SMTP_SECONDS.labels(word) for word in ("accepted", "deferred", "refused", "rejected", "in_doubt")
}
_DUE_LAG = [metrics.DUE_LAG.labels(level.lower()) for level in LEVELS]


@dataclass(frozen=True, slots=True)
class Result:
    """The outcome of one claim: the row's next state and due time, and the line for the log of attempts."""

    email: Email
    state: EmailState
    delay: timedelta | None  # until the next attempt; None: settled
    reached: bool  # whether the attempt counts
    outcome: str
    phase: str | None
    reply: Reply
    duration: timedelta
    relay: str
    failure: str | None = None  # the key of the reply's wording; None: accepted, or the relay was not reached
    told: bool = True  # False: only the state is recorded, since the whole outcome cannot be


def _never(_order_seq: int) -> bool:
    return False


def record(connection: Connection, results: Sequence[Result], stays_open: Callable[[int], bool] = _never) -> None:
    """Write a group of outcomes and their log lines, complete orders that have no open e-mail left, publish events.

    `stays_open`: whether this process has further e-mails of an order (by `seq`) in hand, and records them later.
    """
    results = _with_reasons(connection, results)
    recorded = run(
        connection,
        _RECORD,
        [
            {
                "seq": result.email.seq,
                "claim": result.email.claim,
                "state": result.state.value,
                "attempts": result.email.attempts + result.reached,
                "delay": None if result.delay is None else result.delay // MILLISECOND,
            }
            for result in results
        ],
    )
    ours = {row.seq: row.last_update for row in recorded}
    told = [result for result in results if result.told]
    lines = _news(connection, _unlogged(connection, told, ours))
    log_attempts(connection, lines)
    settled = [result.email for result in results if result.delay is None and result.email.seq in ours]
    if settled:
        states = {result.email.seq: result.state for result in results}
        events = _complete(connection, settled, states, max(ours.values()), stays_open)
        if told:
            persist(connection, events)


def log_attempts(connection: Connection, results: Sequence[Result]) -> None:
    """Write the log lines of attempts."""
    run(connection, _LOG, [_log_line(result) for result in results])


def _with_reasons(connection: Connection, results: Sequence[Result]) -> Sequence[Result]:
    """The results, with the last attempt's reply added to those that expired.

    If the last attempt was refused, the e-mail ends as Failed.
    """
    late = [result.email.seq for result in results if result.outcome == "expired"]
    if not late:
        return results
    newest = select(func.max(email_attempts.c.seq)).where(email_attempts.c.email_seq.in_(late))
    lines = select(*columns(SendAttempt, email_attempts.c))
    lines = lines.where(email_attempts.c.seq.in_(newest.group_by(email_attempts.c.email_seq)))
    last = {line.email_seq: line for line in read(SendAttempt, connection.execute(lines)) if line.outcome != "expired"}
    return [_with_reason(result, last[result.email.seq]) if result.email.seq in last else result for result in results]


def _with_reason(result: Result, last: SendAttempt) -> Result:
    state = EmailState.FAILED if last.outcome == "refused" else result.state
    said = " ".join([*([str(last.code)] if last.code else []), last.reply])
    return replace(result, state=state, reply=Reply.of(None, f"{result.reply.text}; the last attempt: {said}"))


def _unlogged(connection: Connection, results: Sequence[Result], ours: Container[int]) -> Sequence[Result]:
    """All but those that have their line already: they were committed, and the database's answer was lost."""
    late = {result.email.seq for result in results if result.email.seq not in ours}
    if not late:
        return results
    lines = select(email_attempts.c.email_seq, email_attempts.c.claim).where(email_attempts.c.email_seq.in_(late))
    logged = {(line.email_seq, line.claim) for line in connection.execute(lines)}
    return [result for result in results if (result.email.seq, result.email.claim) not in logged]


def _news(connection: Connection, results: Sequence[Result]) -> Sequence[Result]:
    """All but those whose relay was not reached and whose reply the e-mail's newest line has already."""
    again = {result.email.seq for result in results if result.outcome == "deferred" and not result.reached}
    if not again:
        return results
    newest = select(func.max(email_attempts.c.seq)).where(email_attempts.c.email_seq.in_(again))
    newest = newest.group_by(email_attempts.c.email_seq)
    words = (email_attempts.c.email_seq, email_attempts.c.phase, email_attempts.c.code, email_attempts.c.reply)
    known = {tuple(line) for line in connection.execute(select(*words).where(email_attempts.c.seq.in_(newest)))}
    return [
        result
        for result in results
        if result.email.seq not in again
        or (result.email.seq, result.phase, result.reply.code, result.reply.text) not in known
    ]


def _complete(
    connection: Connection,
    settled: Sequence[Email],
    states: dict[int, EmailState],
    at: datetime,
    stays_open: Callable[[int], bool],
) -> list[CloudEvent]:
    """Complete the orders that have no open e-mail left; returns the events of settled e-mails and orders."""
    # Locked first: if two workers settle an order's last e-mails at once, the second must see the first's. Where all
    # orders stay open, workers share the lock, and whoever settles the last e-mails waits for all of them. If a lease
    # has ended by then, others may have settled what this process had in hand, before they could wait for it.
    touched = {email.order_seq for email in settled}
    shared = all(map(stays_open, touched))
    locked = completing.lock(connection, touched, shared=shared)
    if shared and not all(map(stays_open, touched)):
        locked, shared = completing.lock_alone_at_once(connection, touched), False
    counts: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for email in settled:
        counts[email.order_seq][states[email.seq].value] += 1
    tallies.settle(connection, counts, attempts=True)
    ended = {} if shared else completing.complete(connection, touched)
    told = [email_event(locked[email.order_seq], email.id, states[email.seq], at) for email in settled]
    return told + [order_event(locked[seq], state, at) for seq, state in ended.items()]


def backoff(attempts: int) -> timedelta:
    """How long to wait after so many attempts that reached the relay (1: after the first)."""
    return jittered(BACKOFF[min(attempts, len(BACKOFF)) - 1])


def within_life(email: Email, delay: timedelta, now: datetime) -> timedelta:
    """A delay that ends no later than the e-mail's life: what has expired is claimed once more, to say so."""
    return min(delay, max(email.expires_at - now, MILLISECOND))


def retry_after(refusal: Reply) -> timedelta:
    """How long to leave the relay alone after it refused a connection with this reply."""
    return REFUSED_RETRY if (refusal.code or 0) // 100 == 5 else RELAY_RETRY  # noqa: PLR2004  # 5yz (RFC 5321, 4.2.1)


def result_of(email: Email, order: Letter, outcome: Outcome, relay: str, now: datetime) -> Result:
    """What the relay's answer means for the e-mail: the one table from SMTP to what users see."""
    later = within_life(email, backoff(email.attempts + 1), now)
    state, delay, reached, settled = EmailState.NEW, later, True, False
    match outcome:
        case Accepted():
            state, settled, word = EmailState.SUCCEEDED, True, "accepted"
        case Rejected():
            state, settled, word = outcome.state, True, "rejected"
        case Deferred():
            word, reached = "deferred", outcome.reached
            delay = later if reached else retry_after(outcome.reply)
        case Refused():
            word, delay = "refused", within_life(email, max(later, SLOWLY), now)
        case InDoubt():
            settled, word = order.guarantee == DeliveryGuarantee.AT_MOST_ONCE, "in_doubt"
            state = EmailState.FAILED if settled else EmailState.NEW
    failure = _counted(email, word, relay, outcome.reply) if reached else None
    if not reached:
        _ATTEMPTS[word].inc()
        metrics.RELAY_FAILURES.inc()
    _SMTP_SECONDS[word].observe(outcome.duration.total_seconds())
    if state == EmailState.SUCCEEDED and order.expires_at is None:
        _DUE_LAG[email.priority].observe(max(0.0, (now - (email.expires_at - EXPIRY)).total_seconds()))
    due_in = None if settled else delay
    return Result(email, state, due_in, reached, word, outcome.phase, outcome.reply, outcome.duration, relay, failure)


def unsent(email: Email, state: EmailState, word: str, text: str) -> Result:
    """The outcome of an e-mail that is not sent at all."""
    reply = Reply(None, text)
    failure = _counted(email, word, "", reply)
    return Result(email, state, None, False, word, None, reply, timedelta(0), "", failure)


def broken(email: Email, order: Letter, error: Exception) -> Result:
    """The outcome after an error of Varsel's: the e-mail is tried again as far as BACKOFF goes, then it fails.

    It is not known how far the attempt came: an e-mail that may be sent at most once is not tried again.
    """
    reply = Reply(None, f"an error of Varsel's ({type(error).__name__}); its log has the details")
    over = email.attempts >= len(BACKOFF) or order.guarantee == DeliveryGuarantee.AT_MOST_ONCE
    word = "abandoned" if over else "deferred"
    failure = _counted(email, word, "", reply)
    state, delay = (EmailState.FAILED, None) if over else (EmailState.NEW, backoff(email.attempts + 1))
    return Result(email, state, delay, True, word, None, reply, timedelta(0), "", failure)


def _counted(email: Email, word: str, relay: str, reply: Reply) -> str | None:
    """Count an attempt; returns the key of the reply's wording, if it failed."""
    _ATTEMPTS[word].inc()
    if word == "accepted":
        SUMS.count(Ending(word, "", relay, "", ""))
        return None
    if word == "cancelled":
        return None
    text = wording(reply)
    failure = key(text)
    SUMS.count(Ending(word, failure, relay, domain_of(email.address), email.creator or ""), text)
    return failure


def _log_line(result: Result) -> Mapping[str, object]:
    return {
        "email_seq": result.email.seq,
        "claim": result.email.claim,
        "duration_ms": result.duration // MILLISECOND,
        "relay": result.relay,
        "outcome": result.outcome,
        "phase": result.phase,
        "code": result.reply.code,
        "reply": result.reply.text,
        "failure": result.failure,
        "queue_id": queue_id(result.reply.text) if result.outcome == "accepted" else None,
    }
