"""deploy/ uses only metrics that Varsel has and the documentation explains."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import redis
import yaml  # type: ignore[import-untyped]
from prometheus_client import REGISTRY

from engine.admin.exposition import Parts
from engine.db.store import Store
from engine.observability import metrics  # noqa: F401 declares what is counted
from tests.helpers.ports import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
OPERATING = ROOT / "docs" / "operating.md"
ALERTS, SCRAPE = (ROOT / "deploy" / "prometheus" / name for name in ("alerts.yml", "scrape.yml"))
NGINX = ROOT / "deploy" / "proxy" / "nginx.conf"
DASHBOARD = ROOT / "deploy" / "grafana" / "varsel.json"
SUFFIXES = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count"), "gauge": ("",)}
WIDTH = 24  # of Grafana's grid
promtool = pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not installed")

# In promtool's notation: a value, and what is added every minute, so many times.
HEALTHY = {
    "varsel_database_up": "1+0x60",
    "varsel_redis_up": "1+0x60",
    'varsel_oldest_due_seconds{lane="emails"}': "1+0x60",
    'varsel_due{lane="emails"}': "50+0x60",
    'varsel_stalled_seconds{lane="emails"}': "0+0x60",
    'varsel_lane_paused{lane="emails"}': "0+0x60",
    "varsel_unending_pause_seconds": "3600+0x60",
    'varsel_attempts_total{outcome="accepted"}': "0+100x60",
    'varsel_attempts_total{outcome="rejected"}': "0+1x60",
    'varsel_attempts_total{outcome="in_doubt"}': "0+0x60",
    'varsel_attempts_total{outcome="refused"}': "0+0x60",
    "varsel_relay_failures_total": "0+0x60",
    'varsel_subscriptions{state="failing"}': "0+0x60",
    'varsel_subscriptions{state="paused"}': "3+0x60",
    'varsel_due_lag_seconds_bucket{priority="normal",le="0.5"}': "0+100x60",
    'varsel_due_lag_seconds_bucket{priority="normal",le="60"}': "0+100x60",
    'varsel_due_lag_seconds_bucket{priority="normal",le="+Inf"}': "0+100x60",
    'varsel_due_lag_seconds_bucket{priority="bulk",le="+Inf"}': "0+900x60",
    'varsel_pushes_total{outcome="rejected"}': "0+0x60",
    'varsel_requests_total{part="orders",status="2xx"}': "0+1000x60",
    'varsel_requests_total{part="orders",status="5xx"}': "0+0x60",
    'varsel_request_seconds_bucket{part="orders",le="0.1"}': "0+1000x60",
    'varsel_request_seconds_bucket{part="orders",le="2.5"}': "0+1000x60",
    'varsel_request_seconds_bucket{part="orders",le="+Inf"}': "0+1000x60",
    'varsel_redis_entries{list="spool"}': "0+0x60",
    "varsel_unusual_failures": "0+0x60",
    'varsel_relay_up{relay="relay:25"}': "1+0x60",
    'varsel_redis_entries{list="broken"}': "0+0x60",
}
IDLE = {'varsel_attempts_total{outcome="accepted"}': "5+0x60", 'varsel_attempts_total{outcome="rejected"}': "5+0x60"}
WRONG = {  # what differs, when this alert alone is to be raised
    "VarselGone": dict.fromkeys(HEALTHY, "_x60"),
    "VarselDatabaseDown": {"varsel_database_up": "0+0x60"},
    "VarselRedisDown": {"varsel_redis_up": "0+0x60"},
    "VarselRelayUnreachable": IDLE | {"varsel_relay_failures_total": "0+24x60", 'varsel_due{lane="emails"}': "0+0x60"},
    "VarselEmailsSlow": {
        f'varsel_due_lag_seconds_bucket{{priority="normal",le="{bound}"}}': "0+1x60" for bound in ("0.5", "60")
    },
    "VarselSubscriptionsFail": {'varsel_subscriptions{state="failing"}': "1+0x60"},
    "VarselSubscriptionsPaused": {'varsel_subscriptions{state="paused"}': "3+0x40 4+0x20"},
    "VarselWorkWaits": {'varsel_oldest_due_seconds{lane="emails"}': "0+60x60"},
    "VarselStandsStill": {'varsel_stalled_seconds{lane="emails"}': "0+0x30 40+60x30"},
    "VarselPauseForgotten": {"varsel_unending_pause_seconds": "86000+60x60"},
    "VarselEmailsFail": {'varsel_attempts_total{outcome="rejected"}': "0+30x60"},
    "VarselUnusualFailures": {"varsel_unusual_failures": "0+0x30 200+5x30"},
    "VarselRelayDown": {'varsel_relay_up{relay="relay:25"}': "0+0x60"},
    "VarselSenderRefused": {'varsel_attempts_total{outcome="refused"}': "0+1x60"},
    "VarselEmailsInDoubt": {'varsel_attempts_total{outcome="in_doubt"}': "0+1x60"},
    "VarselEventsGivenUp": {'varsel_pushes_total{outcome="rejected"}': "0+0x40 1+0x20"},
    "VarselServerErrors": {'varsel_requests_total{part="orders",status="5xx"}': "0+20x60"},
    "VarselSlowAnswers": {'varsel_request_seconds_bucket{part="orders",le="0.1"}': "0+10x60"},
    "VarselSpoolWaits": {'varsel_redis_entries{list="spool"}': "3+0x60"},
    "VarselSpoolBroken": {'varsel_redis_entries{list="broken"}': "1+0x60"},
    "none, of a lane that is paused": {
        'varsel_oldest_due_seconds{lane="emails"}': "0+60x60",
        'varsel_lane_paused{lane="emails"}': "1+0x60",
        **IDLE,
    },
}


@pytest.fixture(scope="module")
def families(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, ...]]:
    """Varsel's metrics, each with the names of its samples; it needs neither the database nor Redis."""
    folder = tmp_path_factory.mktemp("nothing")
    store = Store(f"postgresql+psycopg://varsel@127.0.0.1:{free_port()}/varsel")
    with redis.Redis.from_url(f"unix://{folder}/none") as nobody:
        found = [*REGISTRY.collect(), *Parts(store, nobody).collect()]
    store.close()
    return {
        family.name: tuple(family.name + suffix for suffix in SUFFIXES[family.type])
        for family in found
        if family.name.startswith("varsel_")
    }


def rules() -> list[dict[str, Any]]:
    return [rule for group in yaml.safe_load(ALERTS.read_text())["groups"] for rule in group["rules"]]


def dashboard() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(DASHBOARD.read_text())
    return found


def panels() -> list[dict[str, Any]]:
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def expressions() -> Iterator[str]:
    for rule in rules():
        yield rule["expr"]
    for panel in panels():
        yield from (target["expr"] for target in panel["targets"])


def test_rules_and_dashboard_name_only_what_there_is(families: dict[str, tuple[str, ...]]) -> None:
    shown = {name for names in families.values() for name in names}
    named = {name for expression in expressions() for name in re.findall(r"\bvarsel_\w+", expression)}
    assert named <= shown
    assert len(named) > 15


def test_the_dashboard_shows_every_metric(families: dict[str, tuple[str, ...]]) -> None:
    drawn = " ".join(target["expr"] for panel in panels() for target in panel["targets"])
    unseen = {family for family, names in families.items() if not any(name in drawn for name in names)}
    assert unseen == {"varsel_lane_paused"}


def test_labels_in_expressions_have_values_that_there_are(families: dict[str, tuple[str, ...]]) -> None:
    del families
    declared = " ".join(family.documentation for family in REGISTRY.collect())
    for expression in expressions():
        for values in re.findall(r'\b(?:outcome|part|result)(?:=|=~|!=)"([^"]*)"', expression):
            for value in values.split("|"):
                assert re.search(rf"\b{value}\b", declared), expression


def test_every_metric_is_explained_to_operators(families: dict[str, tuple[str, ...]]) -> None:
    explained = set(re.findall(r"`(varsel_\w+)", OPERATING.read_text()))
    names = {family + "_total" if names[0].endswith("_total") else family for family, names in families.items()}
    assert names - explained == set()
    assert {name for name in explained if name.removesuffix("_total") not in families} == set()


def test_every_rule_says_what_is_wrong_and_what_to_do() -> None:
    names = [rule["alert"] for rule in rules()]
    assert len(names) == len(set(names))
    for rule in rules():
        assert re.fullmatch(r"Varsel[A-Z]\w+", rule["alert"])
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["labels"]["severity"] in {"critical", "warning"}
        assert set(rule["annotations"]) == {"summary", "todo"}
        for text in rule["annotations"].values():
            assert text[-1] == "."


def test_the_dashboard_is_one_that_grafana_takes() -> None:
    found = dashboard()
    assert {"uid", "title", "schemaVersion", "panels", "templating", "time", "refresh"} <= set(found)
    [variable] = found["templating"]["list"]
    assert (variable["type"], variable["query"], variable["name"]) == ("datasource", "prometheus", "datasource")
    source = {"type": "prometheus", "uid": "${datasource}"}
    for panel in panels():
        assert panel["type"] in {"stat", "timeseries"}
        assert panel["title"]
        assert panel["datasource"] == source
        assert panel["fieldConfig"]["defaults"]["unit"]
        references = [target["refId"] for target in panel["targets"]]
        assert len(references) == len(set(references)) > 0
        assert all(target["datasource"] == source for target in panel["targets"])


def test_no_two_panels_lie_on_each_other() -> None:
    places = [panel["gridPos"] for panel in dashboard()["panels"]]
    identifiers = [panel["id"] for panel in dashboard()["panels"]]
    assert len(identifiers) == len(set(identifiers))
    assert all(place["x"] >= 0 and place["x"] + place["w"] <= WIDTH for place in places)
    for one, other in combinations(places, 2):
        apart = (
            one["x"] + one["w"] <= other["x"]
            or other["x"] + other["w"] <= one["x"]
            or one["y"] + one["h"] <= other["y"]
            or other["y"] + other["h"] <= one["y"]
        )
        assert apart, (one, other)


def test_prometheus_example_asks_each_kind_of_process() -> None:
    jobs = [job["job_name"] for job in yaml.safe_load(SCRAPE.read_text())["scrape_configs"]]
    assert jobs == ["varsel-web", "varsel-worker", "varsel-scheduler"]


@promtool
def test_promtool_agrees(tmp_path: Path) -> None:
    drawn = [target["expr"].replace("$__rate_interval", "5m") for panel in panels() for target in panel["targets"]]
    records = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(drawn)]
    written = tmp_path / "dashboard.yml"
    written.write_text(yaml.safe_dump({"groups": [{"name": "dashboard", "rules": records}]}))
    for command in (("rules", ALERTS), ("rules", written), ("config", SCRAPE)):
        done = subprocess.run(["promtool", "check", *command], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


@promtool
@pytest.mark.parametrize("alert", ["none", *WRONG])
def test_an_alert_is_raised_by_what_it_is_for_and_nothing_else(alert: str, tmp_path: Path) -> None:
    series = HEALTHY | WRONG.get(alert, {})
    raised = [alert] if alert.startswith("Varsel") else []
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in raised]
    case = {
        "interval": "1m",
        "input_series": [{"series": name, "values": values} for name, values in series.items()],
        "promql_expr_test": [
            {
                "expr": 'count by (alertname) (ALERTS{alertstate="firing"})',
                "eval_time": "45m",
                "exp_samples": samples,
            }
        ],
    }
    written = tmp_path / "test.yml"
    written.write_text(yaml.safe_dump({"rule_files": [str(ALERTS)], "evaluation_interval": "1m", "tests": [case]}))
    done = subprocess.run(["promtool", "test", "rules", written], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


def test_each_alert_has_a_case() -> None:
    assert {name for name in WRONG if name.startswith("Varsel")} == {rule["alert"] for rule in rules()}


@pytest.mark.parametrize(
    "path", ["/metrics", "/METRICS", "/inbox/messages", "/varsel/Metrics/", "/varsel/varsel/inbox"]
)
def test_nginx_closes_what_asks_for_no_credential_however_it_is_written(path: str) -> None:
    [closed] = re.findall(r"location ~\* (\S+) \{\n        return 404;", NGINX.read_text())
    assert re.search(closed, path, re.IGNORECASE)
    assert not re.search(closed, f"/console{path}", re.IGNORECASE)
