"""What children of `varsel up` inherit from it, and what they must not inherit."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

from tests.helpers.waiting import patience

SHARED = """
import json, sys, threading
from engine.runtime.children import share
share()
print(json.dumps([threading.active_count(), sorted({"prometheus_client", "engine.queue.broker"} & {*sys.modules})]))
"""
IMPORTED = """
import json, threading, dramatiq.broker
import engine.queue.broker
print(json.dumps([threading.active_count(), dramatiq.broker.global_broker is None]))
"""
CHILD = """
import json, logging, os, signal, sys
from pathlib import Path
from engine.runtime.children import Child
from engine.runtime.stop import ENDING, Stop

class Last(logging.Handler):
    def close(self):
        told["log_closed"] = True
        print(json.dumps(told), flush=True)

told = {"log_closed": False}
logging.getLogger().addHandler(Last())

def work():
    told["name"] = Path("/proc/self/comm").read_text().strip()
    told["own_group"] = os.getpgrp() == os.getpid()
    told["handlers"] = [signal.getsignal(number) in (signal.SIG_DFL, signal.default_int_handler) for number in ENDING]
    told["of_children"] = signal.getsignal(signal.SIGCHLD) is signal.SIG_DFL
    told["blocked"] = sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ()))
    told["environment"] = dict(os.environ)
    sys.exit(7)

stop = Stop(signal.SIGCHLD)
code = Child("worker 1", work, {"VARSEL_DATA": "there"}).start().wait()
print(json.dumps({"exit_code": code, "stop": stop.is_set()}), flush=True)
os._exit(0)
"""
SUPERVISED = """
import json, re, sys, time
from engine.runtime.supervisor import Supervisor

told = []
supervisor = Supervisor(told.append)
supervisor.start("x", lambda: sys.exit(3), {})
ended = []
while len(ended) < 3:
    ended += supervisor.look()
    time.sleep(0.01)
supervisor.end(within=60)
print(json.dumps([ended, [re.sub("pid .*[)]", "pid N)", line) for line in told]]))
"""
SHARING = """
import asyncio, os, signal, socket
from mmap import mmap
from api.processes import Processes
from engine.runtime import supervisor

supervisor.LOOK_EVERY = 3600.0
starts = mmap(-1, 1)

async def serve(turns):
    starts[0] += 1
    turns.begin(asyncio.Protocol)
    if starts[0] == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if starts[0] == 3:
        os.kill(os.getppid(), signal.SIGTERM)
    await asyncio.Event().wait()

Processes(socket.create_server(("127.0.0.1", 0)), 2, lambda turns: asyncio.run(serve(turns))).run()
print(starts[0])
"""


def told(program: str, **variables: str) -> list[Any]:
    done = subprocess.run(
        [sys.executable, "-c", program], env=variables, check=True, capture_output=True, text=True, timeout=patience()
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_what_is_shared_reads_no_setting_and_starts_no_thread() -> None:
    assert told(SHARED, VARSEL_SMTP_URL="none", VARSEL_NOTHING="unknown") == [[1, []]]


def test_the_way_to_redis_is_opened_by_whoever_asks_for_it_and_by_no_import() -> None:
    assert told(IMPORTED, VARSEL_REDIS_URL="none", VARSEL_NOTHING="unknown") == [[1, True]]


def test_a_child_is_as_if_it_had_been_started_by_itself() -> None:
    child, parent = told(CHILD, VARSEL_DATA="here")
    assert child == {
        "name": "varsel-worker-1",
        "own_group": True,
        "handlers": [True, True],
        "of_children": True,
        "blocked": [],
        "environment": {"VARSEL_DATA": "there"},
        "log_closed": True,
    }
    assert parent == {"exit_code": 7, "stop": False}


def test_the_parent_of_processes_at_one_port_is_told_when_one_ends_and_starts_it_again() -> None:
    assert told(SHARING) == [3]


def test_a_child_that_keeps_ending_waits_longer_before_each_start() -> None:
    [[ended, lines]] = told(SUPERVISED)
    assert ended == ["x", "x", "x"]
    assert lines == [
        "started x (pid N)",
        "x ended (exit code 3); starting it again in 0.5 s",
        "started x (pid N)",
        "x ended (exit code 3); starting it again in 1 s",
        "started x (pid N)",
        "x ended (exit code 3); starting it again in 2 s",
    ]
