"""Prometheus metrics; whatever goes wrong with them, the answer stands."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator
from functools import wraps
from typing import ParamSpec

from flask import Blueprint, Flask, Response, current_app, g, request
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector

from service.api.answers import refuse_parameters
from service.api.reload import CatalogWatch
from service.domain.plan_results import Plan

LOG = logging.getLogger("service")
BLUEPRINT = Blueprint("metrics", __name__)
SHARED_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
REQUESTS = Counter(
    "planner_requests", "Answers by route, method and status", ["route", "method", "status"]
)
LATENCY = Histogram(
    "planner_request_seconds", "Time to answer by route", ["route"], buckets=SECONDS
)
PLANS = Counter("planner_plans", "Plans by what they are for and verdict", ["workload", "verdict"])
EVALUATED = Counter("planner_options_evaluated", "Options that plans looked at", ["workload"])
SHED = Counter("planner_requests_shed", "Requests refused because the queue was too long")
Arguments = ParamSpec("Arguments")


def harmless(told: Callable[Arguments, None]) -> Callable[Arguments, None]:
    """The same, with any failure in the log instead of the answer."""

    @wraps(told)
    def guarded(*args: Arguments.args, **kwargs: Arguments.kwargs) -> None:
        try:
            told(*args, **kwargs)
        except Exception:
            LOG.exception("a metric could not be written")

    return guarded


@harmless
def count_plan(found: Plan) -> None:
    """Note what a plan found and how much it looked at."""
    verdict = "fits" if found.recommendation is not None else "fits-nowhere"
    PLANS.labels(found.workload_kind, verdict).inc()
    EVALUATED.labels(found.workload_kind).inc(found.evaluated)


def counted(found: Plan) -> Plan:
    """The plan, which is in the metrics now."""
    count_plan(found)
    return found


@harmless
def count_refusal() -> None:
    """Note a request that was refused at the door."""
    SHED.inc()


def start_clock() -> None:
    """Note when a request came in."""
    g.came_in = time.perf_counter()


@harmless
def count_answer(answer: Response) -> None:
    """Note an answer under its route, never its path: callers choose paths freely."""
    route = request.url_rule.rule if request.url_rule is not None else "none"
    method = request.method if request.method in METHODS else "other"
    REQUESTS.labels(route, method, answer.status_code).inc()
    LATENCY.labels(route).observe(time.perf_counter() - g.came_in)


def noted(answer: Response) -> Response:
    """The answer, which is in the metrics now."""
    count_answer(answer)
    return answer


class CatalogCollector:
    """What the answering worker knows of its catalogs; every worker watches the same files."""

    def __init__(self, watch: CatalogWatch) -> None:
        self._watch = watch

    def collect(self) -> Iterator[Metric]:
        """The version in use, its age, and how reading went."""
        version = GaugeMetricFamily(
            "planner_catalog_info", "The catalog in use", labels=["version"]
        )
        version.add_metric([self._watch.catalogs.version], 1)
        yield version
        state = self._watch.state
        for name, words, value in (
            ("age_seconds", "Seconds since the catalog in use was read", state.age_seconds),
            ("degraded", "1 while changed files are refused and older data stay", state.degraded),
            ("reloads", "Changed catalogs taken into use since the worker's start", state.reloads),
            ("reload_failures", "Changed catalogs refused since then", state.failures),
        ):
            yield GaugeMetricFamily(f"planner_catalog_{name}", words, value=float(value))


def registry() -> CollectorRegistry:
    """The sums over all workers where they share a folder, else those of this process."""
    found = CollectorRegistry()
    if os.environ.get(SHARED_FOLDER):
        MultiProcessCollector(found)  # type: ignore[no-untyped-call]
        return found
    found.register(REGISTRY)
    return found


@BLUEPRINT.get("/metrics")
def get_metrics() -> Response:
    """All metrics in Prometheus's text form."""
    refuse_parameters()
    found = registry()
    found.register(CatalogCollector(current_app.extensions["catalog_watch"]))
    return Response(generate_latest(found), content_type=CONTENT_TYPE_PLAIN_0_0_4)


def register(app: Flask) -> None:
    """Count every answer of the service."""
    app.before_request(start_clock)
    app.after_request(noted)
    app.register_blueprint(BLUEPRINT)
