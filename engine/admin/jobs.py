"""Jobs: an action on all that match, in batches of one transaction each, with the progress in the same transaction.

A job waits in the database like everything else (the lane `jobs`). The worker that claims it does batch after batch;
when that worker ends in between, another one goes on after its lease. What an operator confirmed is the job's bound: it
is done to rows that were there then, and never to more than were counted.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, false, func, insert, select, true, update

from engine.admin.actions import RELEASES, Done, act, check, find
from engine.admin.amounts import Amount, some
from engine.admin.changes import send_time
from engine.admin.filters import lasting
from engine.admin.lists import batch, counts
from engine.admin.standing import Standing
from engine.admin.words import FAULTY, GIVEN_UP, LOST
from engine.db import records
from engine.db.dialects import Now, now
from engine.db.tables import job_rows, jobs, orders
from engine.errors import BadRequest, Conflict, NotFound
from engine.models import JobState
from engine.observability.audit import ITSELF, note
from engine.queue import due
from engine.text.language import N_, _
from engine.text.language import number as written

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import timedelta

    from sqlalchemy import ColumnElement, Connection

    from engine.admin.actions import Action

MOST = 1_000_000  # rows of one job
COUNTED = 5_000  # rows that are counted for a question; all are, after the yes
ROWS = 500  # of a batch, which bounds how long other writers wait
ERRORS = 3  # attempts at a batch that end in an error of Varsel's, after which the job is given up


@dataclass(frozen=True, slots=True)
class OpenJob:
    """A claimed job: what is to be done, and how far it is."""

    seq: int
    claim: int
    attempts: int
    resource: str
    action: str
    filter: str  # JSON
    argument: str | None
    total: int
    newest: int | None
    done: int
    position: str | None


class Asked(NamedTuple):
    """What an operator confirms: how many rows (a number beyond COUNTED: more than that), none newer than `newest`."""

    number: int
    newest: int | None  # None: it has no bound
    in_doubt: int = 0  # of these rows, how many may have been done already

    @property
    def amount(self) -> Amount:
        """How many rows, as it was asked."""
        return Amount(min(self.number, COUNTED), more=self.number > COUNTED)


def matching(
    connection: Connection,
    action: Action,
    given: Mapping[str, str],
    newest: int | None = None,
    *,
    for_question: bool = False,
) -> Asked:
    """How many rows that match `given`, up to the `newest` one, it applies to; counted up to MOST + 1.

    `for_question`: up to COUNTED + 1, and those in doubt, too.

    Invalid; BadRequest for an action on one row at a time.
    """
    if not action.for_all:
        raise BadRequest(_("%(action)s is for one at a time.", action=_(action.label)))
    seq = action.resource.table.c.seq
    if newest is None:
        newest = int(connection.scalar(select(func.max(seq))) or 0)
    which, doubted = and_(action.applies, seq <= newest), action.doubted if for_question else false()
    most = COUNTED if for_question else MOST
    number, in_doubt = counts(connection, action.resource, given, which, doubted, most + 1)
    return Asked(number, newest, in_doubt)


def confirmed(connection: Connection, action: Action, given: Mapping[str, str], asked: Asked | None = None) -> Asked:
    """Count all that match and were there when it was `asked` (None: now): what the yes is for.

    It may take seconds, so whoever can reads before writing. BadRequest for more than MOST; Conflict when more match by
    now than were counted, if all were.
    """
    found = matching(connection, action, given, asked and asked.newest)
    if found.number > MOST:
        text = N_("More than %(most)s match, which is the most for one job: narrow the list down.")
        raise BadRequest(_(text, most=written(MOST)))
    if asked is not None and not asked.amount.more and found.number > asked.number:
        what = some(found.number, action.resource.name)
        raise Conflict(_("%(what)s match by now, not %(count)s.", what=what, count=asked.number))
    return found


def start(  # noqa: PLR0913, PLR0917 what is asked has so many parts
    connection: Connection,
    who: str,
    action: Action,
    given: Mapping[str, str],
    argument: str | None = None,
    counted: Asked | None = None,
) -> int:
    """Begin to do it to what was `counted` (None: to all that match now), in the background; the job's number."""
    argument = check(connection, action, argument)
    return _begin(connection, who, action, given, argument, counted or confirmed(connection, action, given))


def _begin(  # noqa: PLR0913, PLR0917 likewise
    connection: Connection, who: str, action: Action, given: Mapping[str, str], argument: str | None, asked: Asked
) -> int:
    given = lasting(given, now(connection))  # the same for every batch, whenever that is done
    job = {
        "created": Now(),
        "last_update": Now(),
        "state": JobState.WAITING,
        "due_at": Now(),
        "who": who,
        "resource": action.resource.name,
        "action": action.name,
        "filter": json.dumps(given),
        "argument": argument,
        "total": asked.number,
        "newest": asked.newest,
    }
    seq = int(connection.execute(insert(jobs).values(job).returning(jobs.c.seq)).scalar_one())
    detail = {"filter": given, "count": asked.number} | ({} if argument is None else {"to": argument})
    note(connection, who, action.audited, f"jobs/{seq}", detail)
    return seq


def release(connection: Connection, who: str) -> list[int]:
    """Make due what no pause stops any more, in the background; returns the jobs' numbers.

    Nothing bounds it: a row that a worker pauses a moment later must be released too.
    """
    paused = {"state": Standing.PAUSED.value}
    found = [(action, Asked(matching(connection, action, paused).number, None)) for action in RELEASES]
    return [_begin(connection, who, action, paused, None, asked) for action, asked in found if asked.number]


def claim(connection: Connection, lease: timedelta) -> records.Job | None:
    """The job that has waited longest; None: none waits."""
    return next(iter(due.claim(connection, due.JOBS, 1, lease)), None)


def advance(connection: Connection, claimed: records.Job) -> bool:
    """Do the next batch of a claimed job; returns whether there is more to do."""
    job = _running(connection, claimed)
    if job is None:
        return False
    if due.is_lost(claimed):
        _give_up(connection, job, LOST % {"count": due.LOST_IS_DEAD})
        return False
    action, bounded = find(job.resource, job.action), job.newest is not None
    room = min(ROWS, job.total - job.done) if bounded else ROWS
    seq = action.resource.table.c.seq
    which = and_(_left(action, job.argument), seq <= job.newest if bounded else true())
    given = json.loads(job.filter)
    # There is no room where nothing matched any more when it was begun: somebody else had done it.
    keys, position = batch(connection, action.resource, given, which, job.position, room) if room else ([], None)
    done = act(connection, action, keys, job.argument) if keys else Done([], [])
    if done.keys:
        its = insert(job_rows).values(job_seq=job.seq, at=Now())
        rows = zip(done.keys, done.seqs, strict=True)
        connection.execute(its, [{"target": f"{job.resource}/{key}", "row_seq": seq} for key, seq in rows])
    now_done = job.done + len(done.keys)
    more = position is not None and not (bounded and now_done >= job.total)
    values = {"done": now_done, "last_update": Now(), "attempts": 0, "unresolved": 1}
    if not more:
        values |= {"state": JobState.DONE, "unresolved": 0, "due_at": None, "claim": job.claim + 1}
    connection.execute(update(jobs).where(jobs.c.seq == job.seq).values(**values, position=position))
    return more


def failed(connection: Connection, claimed: records.Job) -> None:
    """A batch of a claimed job ended in an unexpected error: try it again, or give the job up."""
    job = _running(connection, claimed)
    if job is None:
        return
    if job.attempts + 1 < ERRORS:
        again = {"attempts": job.attempts + 1, "unresolved": 0, "due_at": Now(), "last_update": Now()}
        again |= {"claim": job.claim + 1}
        connection.execute(update(jobs).where(jobs.c.seq == job.seq).values(again))
    else:
        _give_up(connection, job, FAULTY % {"count": ERRORS})


def stop(connection: Connection, who: str, seq: int) -> None:
    """End a job after its current batch; NotFound, Conflict when it has ended already."""
    ended = {
        "state": JobState.STOPPED,
        "due_at": None,
        "unresolved": 0,
        "last_update": Now(),
        "claim": jobs.c.claim + 1,
    }
    going = (jobs.c.seq == seq, jobs.c.due_at.is_not(None))
    if connection.execute(update(jobs).where(*going).values(ended)).rowcount:
        return note(connection, who, "jobs.stop", f"jobs/{seq}")
    if connection.execute(select(jobs.c.seq).where(jobs.c.seq == seq)).first() is None:
        raise NotFound(_("There is no job %(key)s.", key=seq))
    raise Conflict(_("The job has ended already."))


def _running(connection: Connection, claimed: records.Job) -> OpenJob | None:
    """A claimed job, locked; None: it is not this worker's any more, or was stopped."""
    chosen = select(*records.columns(OpenJob, jobs.c))
    ours = (jobs.c.seq == claimed.seq, jobs.c.claim == claimed.claim, jobs.c.state == JobState.RUNNING)
    return records.first(OpenJob, connection.execute(chosen.where(*ours).with_for_update()))


def _give_up(connection: Connection, job: OpenJob, why: str) -> None:
    """End a job for good; what it has done stays done."""
    reason = GIVEN_UP % {"why": why}
    ended = {"state": JobState.FAILED, "reason": reason, "due_at": None, "unresolved": 0, "last_update": Now()}
    ended |= {"claim": job.claim + 1}
    connection.execute(update(jobs).where(jobs.c.seq == job.seq).values(ended))
    note(connection, ITSELF, "jobs.give-up", f"jobs/{job.seq}", {"reason": why})


def _left(action: Action, argument: str | None) -> ColumnElement[bool]:
    """What a job still has to do: orders that it has rescheduled come again further on in its list."""
    if action.takes == "time":
        return and_(action.applies, orders.c.requested_send_time != send_time(argument))
    return action.applies
