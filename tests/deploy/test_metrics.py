"""The list of metrics that the dashboard and the alerts are held to is what the service tells."""

from flask.testing import FlaskClient
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from tests.deploy.metrics import METRICS

PLAN = "/v1/plans?model=llama-3.1-8b&gpu=l4-24gb"


def ours(families: list[Metric]) -> dict[str, set[str]]:
    """Names with labels; when a sample was begun is the client library's own."""
    return {
        sample.name: set(sample.labels)
        for family in families
        for sample in family.samples
        if family.name.startswith("planner_") and not sample.name.endswith("_created")
    }


def test_the_service_tells_the_listed_metrics_and_no_others(client: FlaskClient) -> None:
    client.get(PLAN)
    text = client.get("/metrics").text
    assert ours(list(text_string_to_metric_families(text))) == METRICS
