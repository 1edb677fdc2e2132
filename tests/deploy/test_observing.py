"""The dashboard and the alerts ask for what the service tells, and alerts ring in time."""

import json
import re
import shutil
import subprocess  # ruff: ignore[suspicious-subprocess-import] - fixed arguments
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.deploy.metrics import METRICS, SCRAPED

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "rules.yaml"
DASHBOARD = json.loads((DEPLOY / "grafana" / "gpu-planner.json").read_bytes())
NAME = re.compile(r"\bplanner_\w+")
BY = re.compile(r"\bby \(([^)]*)\)")
PICKED = re.compile(r"(\w+)(?:=|!=|=~|!~)\"")


def panel_queries() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def alerts() -> list[dict[str, Any]]:
    return [
        rule for group in yaml.safe_load(RULES.read_bytes())["groups"] for rule in group["rules"]
    ]


QUERIES = [*panel_queries(), *(rule["expr"] for rule in alerts())]


@pytest.mark.parametrize("query", QUERIES)
def test_a_query_asks_for_metrics_and_labels_that_exist(query: str) -> None:
    names = set(NAME.findall(query))
    known = set().union(*(METRICS[name] for name in names)) | SCRAPED
    labels = {label.strip() for found in BY.findall(query) for label in found.split(",")}
    assert names
    assert labels | set(PICKED.findall(query)) <= known


def test_every_metric_is_shown_on_the_dashboard() -> None:
    assert set(NAME.findall(" ".join(panel_queries()))) == set(METRICS)


def test_panels_of_the_dashboard_do_not_overlap() -> None:
    places = [(one["gridPos"]["x"], one["gridPos"]["y"]) for one in DASHBOARD["panels"]]
    assert len(set(places)) == len(places)
    assert len({one["id"] for one in DASHBOARD["panels"]}) == len(places)


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool (Debian: prometheus) is missing"
)
@pytest.mark.parametrize(
    "words", [("check", "rules", "rules.yaml"), ("test", "rules", "rules_test.yaml")]
)
def test_prometheus_takes_the_alerts_and_rings_them_when_it_should(words: tuple[str, ...]) -> None:
    ran = subprocess.run(
        ["promtool", *words], cwd=RULES.parent, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
