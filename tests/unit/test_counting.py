"""Answers that are handed over together are in the metrics as if each had been observed."""

from __future__ import annotations

from prometheus_client import REGISTRY, CollectorRegistry, Histogram

from api.counting import OTHER, Part
from engine.observability.metrics import SECONDS

TOOK = [0.0, *SECONDS, *(bound + 0.001 for bound in SECONDS), 3600.0]


def test_what_is_handed_over_is_what_the_library_would_have_observed() -> None:
    one_by_one = CollectorRegistry()
    histogram = Histogram("varsel_request_seconds", "", ["part"], registry=one_by_one, buckets=SECONDS).labels(OTHER)
    names = [(f"varsel_request_seconds_{name}", {"part": OTHER}) for name in ("sum", "count")]
    names += [("varsel_request_seconds_bucket", {"part": OTHER, "le": str(float(bound))}) for bound in SECONDS]
    names += [("varsel_request_seconds_bucket", {"part": OTHER, "le": "+Inf"})]
    statuses = [("varsel_requests_total", {"part": OTHER, "status": f"{digit}xx"}) for digit in (2, 4)]
    part = Part(OTHER)
    before = [REGISTRY.get_sample_value(*name) or 0.0 for name in names + statuses]
    for number, seconds in enumerate(TOOK):
        part.count(204 if number else 404, seconds)
        histogram.observe(seconds)
    for _ in range(2):  # the second time there is nothing new
        part.hand_over()
    after = [REGISTRY.get_sample_value(*name) or 0.0 for name in names + statuses]
    more = [round(now - then, 6) for now, then in zip(after, before, strict=True)]
    expected = [one_by_one.get_sample_value(*name) or 0.0 for name in names]
    assert more == [*(round(value, 6) for value in expected), len(TOOK) - 1, 1]
