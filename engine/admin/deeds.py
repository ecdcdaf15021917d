"""What operators, consumers and jobs did to a row."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import select

from engine.db.tables import audit_log, job_rows, jobs
from engine.observability.audit import detail_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

MOST = 100  # that are shown beside a row


def of(connection: Connection, *targets: str) -> list[dict[str, Any]]:
    """What operators and consumers did to it, the newest first: to it alone, and by jobs to many."""
    alone = select(audit_log).where(audit_log.c.target.in_(targets)).order_by(audit_log.c.seq.desc()).limit(MOST)
    found = [
        {"at": row.at, "who": row.who, "action": row.action, "target": row.target, "detail": detail_of(row.detail)}
        for row in connection.execute(alone)
    ]
    among = select(job_rows.c.at, job_rows.c.target, jobs.c.seq, jobs.c.who, jobs.c.resource, jobs.c.action).join(jobs)
    by_jobs = among.where(job_rows.c.target.in_(targets)).order_by(job_rows.c.seq.desc()).limit(MOST)
    found += [
        {"at": row.at, "who": row.who, "target": row.target}
        | {"action": f"{row.resource}.{row.action}", "detail": {"job": row.seq}}
        for row in connection.execute(by_jobs)
    ]
    return sorted(found, key=lambda line: line["at"], reverse=True)[:MOST]
