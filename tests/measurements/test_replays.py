"""Replayed allocator peaks: simulated, so reported apart from readings of real cards.

`simulated.jsonl` is the published set; `replayed.jsonl` was drawn and replayed at random by
`python -m benchmarks.replays` after the formulas were written.
"""

import json
import statistics
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

HERE = Path(__file__).parent
NOT_ASKED = frozenset({"compile", "offload", "padding_free"})


def lines(name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (HERE / name).read_text(encoding="utf-8").splitlines()]


def error(client: FlaskClient, row: dict[str, Any]) -> float:
    request = row["request"]
    stated = request["workload"].items()
    workload = {key: value for key, value in stated if key not in NOT_ASKED}
    body = {
        **request,
        "model": {"config": request["model"]["config"]},
        "workload": {**workload, "allow_context_beyond_limit": True},
        "placement": {k: v for k, v in request["placement"].items() if v is not None},
    }
    answer = client.post("/v1/estimates", json=body)
    assert answer.status_code == 200, answer.json
    allocated = answer.json["readings"]["allocated_bytes"]
    expected = allocated["expected_bytes"] if isinstance(allocated, dict) else allocated
    return float(expected / row["measured"]["allocated_bytes"] - 1)


@pytest.mark.parametrize("name", ["simulated.jsonl", "replayed.jsonl"])
def test_replayed_peaks_are_met(client: FlaskClient, name: str) -> None:
    errors = [abs(error(client, row)) for row in lines(name) if row["scoreable"]]
    assert statistics.median(errors) <= 0.005
    assert sum(one <= 0.02 for one in errors) >= 0.95 * len(errors)
