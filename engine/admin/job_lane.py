"""Operators' jobs as due work: the worker that claims one does batch after batch, each in a transaction of its own."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from engine.admin import jobs
from engine.db.records import Job
from engine.errors import Unavailable
from engine.queue import due
from engine.queue.work import Claim, Work

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from sqlalchemy import Connection

    from engine.db.store import Store
    from engine.queue.work import Hand

log = logging.getLogger(__name__)


class Jobs(Work[Job, Job]):
    """Actions on all that match; an outcome is a job whose batch ended in an error."""

    lane = due.JOBS
    calls_others = False

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(self, connection: Connection, lease: timedelta) -> Claim[Job]:
        """Take the job that has waited longest."""
        job = jobs.claim(connection, lease)
        return Claim((job,), more=True) if job else Claim()

    async def perform(self, hand: Hand[Job, Job], job: Job) -> None:
        """Do batches until none is left, or the worker stops."""
        try:
            while not hand.stopping.is_set():
                if not await self._store.writing(jobs.advance, job):
                    hand.end(job)
                    return
        except Unavailable as error:
            log.warning("job %s waits: %s", job.seq, error.told())
        except Exception:
            log.exception("job %s: a batch ended in an error", job.seq)
            hand.end(job, job)
            return
        hand.hand_back(job)

    def record(self, connection: Connection, failed: Sequence[Job]) -> bool:
        """Try it again, or give the job up."""
        for job in failed:
            jobs.failed(connection, job)
        return bool(failed)

    def broken(self, job: Job, _outcome: Job, _error: Exception) -> Job:
        """The same: that the job failed is all there is to record."""
        return job
