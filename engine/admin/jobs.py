"""Jobs: an action on all that match, in batches of one transaction each, with the progress in the same transaction.

A job waits in the database like everything else (the lane `jobs`). Whoever has claimed it does batch after batch; a
worker that ends in between costs nothing but its lease.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from sqlalchemy import insert, select, update

from engine import due
from engine.admin.actions import act, find, left
from engine.admin.lists import batch
from engine.audit import note
from engine.errors import Conflict, NotFound
from engine.models import JobState
from engine.store import Now, after
from engine.tables import job_rows, jobs

if TYPE_CHECKING:
    from datetime import timedelta

    from sqlalchemy import Connection, Row

ROWS = 500  # of a batch: other writers wait no longer


def claim(connection: Connection, lease: timedelta) -> Row[Any] | None:
    """The job that has waited longest; None: none waits."""
    return next(iter(due.claim(connection, due.JOBS, 1, lease)), None)


def advance(connection: Connection, held: Row[Any], lease: timedelta) -> bool:
    """Do the next batch of a claimed job; returns whether there is more to do."""
    chosen = select(jobs).where(jobs.c.seq == held.seq, jobs.c.claim == held.claim)
    job = connection.execute(chosen.with_for_update()).one_or_none()
    if job is None or job.state != JobState.RUNNING:
        return False
    action = find(job.noun, job.action)
    keys, position = batch(
        connection, action.noun, json.loads(job.filter), left(connection, action, job.argument), job.position, ROWS
    )
    done = act(connection, action, keys, job.argument) if keys else []
    if done:
        its = insert(job_rows).values(job_seq=job.seq, at=Now())
        connection.execute(its, [{"target": f"{job.noun}/{key}"} for key in done])
    values = {"done": job.done + len(done), "last_update": Now(), "unresolved": 1, "due_at": after(lease)}
    if position is None:
        values |= {"state": JobState.DONE, "unresolved": 0, "due_at": None}
    connection.execute(update(jobs).where(jobs.c.seq == job.seq).values(**values, position=position))
    return position is not None


def stop(connection: Connection, who: str, seq: int) -> None:
    """End a job after the batch that it is at; NotFound, Conflict when it has ended already."""
    ended = {"state": JobState.STOPPED, "due_at": None, "unresolved": 0, "last_update": Now()}
    going = (jobs.c.seq == seq, jobs.c.due_at.is_not(None))
    if connection.execute(update(jobs).where(*going).values(ended)).rowcount:
        return note(connection, who, "jobs.stop", f"jobs/{seq}")
    if connection.execute(select(jobs.c.seq).where(jobs.c.seq == seq)).first() is None:
        raise NotFound(f"There is no job {seq}.")
    raise Conflict("The job has ended already.")
