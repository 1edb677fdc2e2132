"""docs/SCALING.md: its table follows from its own figures and from what is deployed."""

import math
import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "SCALING.md").read_text(encoding="utf-8")
ROW = r"^\| (an? [^|]+) \| ([\d.]+) \| (\d+) \| ([\d.]+) \| (\d+) \|$"
ROWS = re.findall(ROW, TEXT, re.MULTILINE)
MANIFESTS = ROOT / "deploy" / "kubernetes"
SCALER = yaml.safe_load((MANIFESTS / "autoscaler.yaml").read_bytes())["spec"]
DEPLOYMENT = yaml.safe_load((MANIFESTS / "deployment.yaml").read_bytes())["spec"]
CORES = int(DEPLOYMENT["template"]["spec"]["containers"][0]["resources"]["limits"]["cpu"])
BUSY = SCALER["metrics"][0]["resource"]["target"]["averageUtilization"] / 100


@pytest.mark.parametrize(("asked", "cpu_ms", "a_core", "busy", "replicas"), ROWS)
def test_a_row_follows_from_the_time_of_one_question(
    asked: str, cpu_ms: str, a_core: str, busy: str, replicas: str
) -> None:
    cores = 10_000 / 60 * float(cpu_ms) / 1000
    assert int(a_core) == round(1000 / float(cpu_ms)), asked
    assert float(busy) == pytest.approx(cores, abs=0.005)
    assert int(replicas) == max(SCALER["minReplicas"], math.ceil(cores / (CORES * BUSY)))
    assert int(replicas) <= SCALER["maxReplicas"]


def test_the_table_has_its_rows() -> None:
    assert len(ROWS) == 4
