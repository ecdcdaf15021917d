"""What operators need: pauses, jobs, the processes' heartbeats, sessions that ended, and history by the minute."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import BigInteger, Boolean, Column, ForeignKey, Index, Integer, String, Table, Text, Uuid

from engine.db.tables.columns import SEQUENCE, Instant, metadata, where_set, work_columns

pauses = Table(
    "pauses",
    metadata,
    Column("kind", String(10), primary_key=True),  # lane, creator, domain
    Column("value", String(255), primary_key=True),
    Column("at", Instant, nullable=False),
    Column("who", String(200), nullable=False),
    Column("reason", Text, nullable=False),
    Column("ends", Instant),  # by itself; NULL: when somebody resumes it
)

jobs = Table(  # actions of operators on all that match
    "jobs",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),  # users see it
    Column("created", Instant, nullable=False),
    Column("last_update", Instant, nullable=False),
    *work_columns(),
    Column("who", String(200), nullable=False),
    Column("resource", String(20), nullable=False),  # orders, emails, deliveries
    Column("action", String(20), nullable=False),
    Column("filter", Text, nullable=False),  # JSON, as the list's query string
    Column("argument", Text),  # such as the new send time
    Column("total", Integer, nullable=False),  # rows that matched when it was started
    Column("done", Integer, nullable=False, default=0),
    Column("position", Text),  # the last row's key: the next batch starts after it
    Column("newest", BigInteger),  # the last row that was there when it was confirmed; NULL: it has no bound
    Column("reason", Text),  # why it was given up
    sqlite_autoincrement=True,
)
Index("ix_jobs_due", jobs.c.due_at, jobs.c.seq, **where_set(jobs.c.due_at))

job_rows = Table(  # the rows that a job changed
    "job_rows",
    metadata,
    Column("seq", SEQUENCE, primary_key=True),
    Column("job_seq", ForeignKey("jobs.seq", ondelete="CASCADE"), nullable=False, index=True),
    Column("at", Instant, nullable=False),
    Column("target", Text, nullable=False, index=True),  # such as deliveries/12, as in the audit log
    Column("row_seq", BigInteger),  # its `seq`; NULL: of an older version
)
Index("ix_job_rows_row", job_rows.c.job_seq, job_rows.c.row_seq, **where_set(job_rows.c.row_seq))

compatibility = Table(  # one row; a migration that takes something away writes its own revision into it
    "compatibility",
    metadata,
    Column("oldest", Text, nullable=False),  # the newest revision that the oldest program knows that can work on this
)

ALIVE = timedelta(seconds=15)  # since it was last seen, for which a process counts as running
processes = Table(
    "processes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("kind", String(10), nullable=False),  # web, worker, scheduler
    Column("host", Text, nullable=False),
    Column("pid", Integer, nullable=False),
    Column("version", String(40), nullable=False),
    Column("started", Instant, nullable=False),
    Column("seen", Instant, nullable=False),
    Column("relay", Text),  # of a worker: host:port
    Column("trouble", Text),  # what becomes of e-mails of a relay that cannot be used, and why; NULL: all is well
    Column("trouble_since", Instant),
    Column("slowed", Text),  # whom its mail goes to slowly: JSON of a list of Slowed; NULL: nobody
    Column("relays", Text),  # of a worker: JSON of a list of RelayState; NULL: of an older version
    Column("skew_ms", BigInteger),  # its wall clock less the database's; NULL: of an older version
    Column("settings", Text),  # what it was started with, without secrets: JSON; NULL: of an older version
)

ended_sessions = Table(  # of the console: see engine/auth/ended_sessions.py
    "ended_sessions",
    metadata,
    Column("session", String(64), primary_key=True),
    Column("forgotten", Instant, nullable=False),
)

history = Table(  # sums of what /metrics counts, by the minute
    "history",
    metadata,
    Column("minute", Instant, primary_key=True),
    Column("series", String(40), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

history_hours = Table(  # the same by the hour, of hours that have ended; kept longer
    "history_hours",
    metadata,
    Column("hour", Instant, primary_key=True),
    Column("series", String(40), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

lane_counts = Table(  # where a lane has many rows, how many, and since when: see engine/admin/counts.py
    "lane_counts",
    metadata,
    Column("lane", String(10), primary_key=True),
    Column("place", String(10), primary_key=True),
    Column("number", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),  # when they were counted
)

aftermaths = Table(  # what became of many e-mails that failed alike: see engine/admin/aftermath.py
    "aftermaths",
    metadata,
    Column("failure", String(12), primary_key=True),  # the wording's key
    Column("again", Boolean, primary_key=True),  # whether they are tried again by themselves
    Column("failed", Integer, nullable=False),
    Column("sent", Integer, nullable=False),
    Column("waiting", Integer, nullable=False),
    Column("cancelled", Integer, nullable=False),
    Column("lately", Integer, nullable=False),
    Column("whole", Boolean, nullable=False),
    Column("attempts", BigInteger, nullable=False),  # that failed so in the hour before
    Column("at", Instant, nullable=False),  # when they were looked at
)

attempt_sums = Table(  # how attempts at e-mails ended: see engine/observability/sums.py
    "attempt_sums",
    metadata,
    Column("at", Instant, primary_key=True),  # when the five minutes began
    Column("outcome", String(10), primary_key=True),
    Column("failure", String(12), primary_key=True),  # the wording's key; "" where the e-mail was accepted
    Column("relay", Text, primary_key=True),
    Column("domain", String(255), primary_key=True),  # the recipients'; "" of all others, and where it was accepted
    Column("creator", String(100), primary_key=True),  # likewise
    Column("count", BigInteger, nullable=False),
    sqlite_with_rowid=False,  # read in the order of the key
)

wordings = Table(  # of replies: see engine/email/wording.py
    "wordings",
    metadata,
    Column("key", String(12), primary_key=True),
    Column("text", Text, nullable=False),
    Column("since", Instant, nullable=False),  # since when no hour was without it
    Column("seen", Instant, nullable=False),  # for the last time
)

installation = Table(  # one row, made by the first heartbeat: see engine/queue/epoch.py
    "installation",
    metadata,
    Column("only", Integer, primary_key=True, autoincrement=False),  # 1
    Column("id", Uuid, nullable=False),
    Column("mark", Instant, nullable=False),  # moved on by heartbeats
    Column("as_of", Instant),  # the mark of a database that was found to be older than it was; NULL: it is not
    Column("seen", Instant),  # what had been seen of the newer one
)
