"""Where the metrics of workers and schedulers can be scraped: the folder that they share, or a port of each."""

from __future__ import annotations

import errno
import socket
from functools import partial
from http.client import HTTPConnection, HTTPException
from typing import TYPE_CHECKING

from engine.doctor.findings import Finding, ok, problem, usable
from engine.observability import metrics, metrics_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from engine.doctor.findings import Place

ALL = "`web`, `worker` and `scheduler` do not start without it"
BOTH = "`worker` and `scheduler` do not start without it"
ANSWER_WITHIN = 2.0  # seconds
ENOUGH = 1_000_000  # bytes that are enough to recognise a process of Varsel's


def scraping(place: Place) -> Iterator[Finding]:
    """Whether VARSEL_METRICS_DIR can be written, or VARSEL_METRICS_PORT is free; a process of Varsel's may use it."""
    folder, port, host = place.config.metrics_dir, place.config.metrics_port, place.config.metrics_host
    if folder:
        yield usable("metrics", str(folder), partial(metrics_folder.check, folder), ALL)
    if port:
        try:
            _bind(host, port)
        except OSError as error:
            if error.errno == errno.EADDRINUSE and _is_ours(host, port):
                yield ok("metrics", f"port {port} shows those of a process that is running")
            else:
                yield problem("metrics", str(metrics.not_had(place.config, error)), f"Correct it: {BOTH}.")
        else:
            yield ok("metrics", f"port {port} is free for them")


def _bind(host: str, port: int) -> None:
    family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        probe.bind(address)


def _is_ours(host: str, port: int) -> bool:
    asking = HTTPConnection(host, port, timeout=ANSWER_WITHIN)
    try:
        asking.request("GET", "/metrics")
        return b"varsel_build_info" in asking.getresponse().read(ENOUGH)
    except (OSError, HTTPException):
        return False
    finally:
        asking.close()
