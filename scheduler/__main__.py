"""`python -m scheduler`: the clock. Several may run at once, because a tick only sends wake-ups."""

from __future__ import annotations

from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING

from apscheduler.schedulers.background import BackgroundScheduler

from engine import settings
from engine.db.migrations import admit
from engine.db.store import Store
from engine.observability import logs, metrics
from engine.observability.heartbeat import CLOCK_BEATS_EVERY, Heartbeat, Kind
from engine.orders.quotas import Quotas
from engine.orders.runs import Making
from engine.queue.broker import connect
from engine.queue.calendars import Calendars
from engine.queue.marks import Memory
from engine.runtime.ending import END_WITHIN, end_within
from engine.runtime.stop import Stop
from engine.settings.told import told
from engine.templating.catalogue import find
from engine.templating.own import Own
from scheduler.jobs import JOBS, Clock
from scheduler.steps import Every, watch

if TYPE_CHECKING:
    from collections.abc import Callable


def main(started: Callable[[], None] = lambda: None) -> None:
    """Run until SIGTERM or SIGINT; `started` is called when the clock runs."""
    config = settings.load()
    stop = Stop()  # first: whoever sees the process may end it
    logs.configure(config.log_level, config.log_format)
    metrics.serve(config)
    queue = connect(config)
    store = Store(config.need("database_url"), admit, gives_way=True)
    kind = Kind("scheduler", settings=told(config), beats_every=CLOCK_BEATS_EVERY)
    heartbeat = Heartbeat(store, kind, Memory(queue.client))
    # A late tick runs; missed ticks become one; a tick does not begin while the one before it runs.
    scheduler = BackgroundScheduler(
        timezone="UTC",
        executors={"default": {"type": "threadpool", "max_workers": 3}},  # a slow prune does not delay wake-ups
        job_defaults={"misfire_grace_time": None, "coalesce": True, "max_instances": 1},
    )
    with settings.naming("quotas_file"):
        quotas = Quotas(config.quotas_file)
    with settings.naming("calendars_file"):
        calendars = Calendars(config.calendars_file)
    with settings.naming("email_templates"):
        own = Own(config.email_templates)
    retention = timedelta(days=config.retention_days)
    making = Making(partial(find, own), quotas, calendars)
    clock = Clock(store, queue.notifier, queue.spool, scheduler, retention, making)
    for job, every in JOBS:
        scheduler.add_job(job, Every(every), (clock,), id=job.__name__)
    heartbeat.start()
    watch(scheduler)
    scheduler.start()
    started()
    stop.wait()
    end_within(END_WITHIN, metrics.end)
    scheduler.shutdown(wait=False)
    heartbeat.stop()
    store.close()
    metrics.end()


if __name__ == "__main__":
    main()
