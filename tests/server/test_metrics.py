"""What Prometheus is told."""

import re

import pytest
from flask.testing import FlaskClient

from service.api import metrics
from tests.server.conftest import Start

PLAN = "/v1/plans?model=llama-3.1-8b&gpu=l4-24gb&context_tokens=4096&concurrency=2"


def value(text: str, series: str) -> float:
    found = re.search(rf"^{re.escape(series)} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0


def test_an_answer_is_counted_under_its_route(client: FlaskClient) -> None:
    series = 'planner_requests_total{method="GET",route="/v1/gpus/<path:name>",status="404"}'
    before = value(client.get("/metrics").text, series)
    client.get("/v1/gpus/no-such-card")
    assert value(client.get("/metrics").text, series) == before + 1


def test_a_plan_is_counted_with_its_verdict_and_its_work(client: FlaskClient) -> None:
    plans = 'planner_plans_total{verdict="fits",workload="inference"}'
    options = 'planner_options_evaluated_total{workload="inference"}'
    before = client.get("/metrics").text
    client.get(PLAN)
    after = client.get("/metrics").text
    assert value(after, plans) == value(before, plans) + 1
    assert value(after, options) > value(before, options)


def test_the_catalog_in_use_is_told(client: FlaskClient) -> None:
    version = client.get("/readyz").json["catalog_version"]
    text = client.get("/metrics").text
    assert value(text, f'planner_catalog_info{{version="{version}"}}') == 1
    assert value(text, "planner_catalog_degraded") == 0


def test_a_failing_metric_leaves_a_good_answer(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(metrics, "REQUESTS", None)
    monkeypatch.setattr(metrics, "PLANS", None)
    assert client.get(PLAN).status_code == 200
    assert "a metric could not be written" in caplog.text


def test_workers_are_summed(start: Start) -> None:
    server = start(WEB_CONCURRENCY="2")
    for _ in range(40):
        server.get("/v1/gpus")
    series = 'planner_requests_total{method="GET",route="/v1/gpus",status="200"}'
    assert value(server.get("/metrics").text, series) == 40
