"""What the autoscaler of the manifests asks of Prometheus: how much waits, and how late it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import httpx
import yaml  # type: ignore[import-untyped]

from tests.deploy.podman import ROOT, podman, say
from tests.deploy.sending import ORDER
from tests.helpers.waiting import wait_for

if TYPE_CHECKING:
    import ssl

ADAPTER = ROOT / "deploy" / "kubernetes" / "prometheus-adapter.yaml"
WORKERS = ("vt_worker_1", "vt_worker_2")
ORDERS = 3


def asked(prometheus: str, metric: str) -> float:
    """The answer to the adapter's query; 0 where there is none."""
    rules = yaml.safe_load(ADAPTER.read_text())["rules"]["external"]
    [query] = [rule["metricsQuery"] for rule in rules if rule["name"]["as"] == metric]
    found = httpx.get(f"{prometheus}/api/v1/query", params={"query": query}).json()["data"]["result"]
    return float(found[0]["value"][1]) if found else 0.0


def scale(prometheus: str, url: str, key: str, trust: ssl.SSLContext) -> None:
    """Orders wait while there is no worker, and do not when there is one: both metrics say so."""
    podman("stop", "--time", 35, *WORKERS)
    headers = {"Authorization": f"Bearer {key}"}
    for _ in range(ORDERS):
        order = httpx.post(f"{url}/notifications/api/v1/orders/email", json=ORDER, headers=headers, verify=trust)
        order.raise_for_status()
    wait_for(lambda: asked(prometheus, "varsel_due") == ORDERS)
    wait_for(lambda: asked(prometheus, "varsel_oldest_due_seconds") > 0)
    podman("start", *WORKERS)
    wait_for(lambda: asked(prometheus, "varsel_due") == asked(prometheus, "varsel_oldest_due_seconds") == 0)
    say("without workers, the autoscaler's metrics say how much waits and for how long; with workers, nothing")
