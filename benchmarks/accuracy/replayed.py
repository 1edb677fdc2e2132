"""Replayed allocator peaks: simulated, so apart from readings of real cards.

simulated  published with the formulas that they settled
replayed   drawn and replayed at random while the formulas were written
fresh      drawn and replayed at random, looked at once all formulas stood
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask.testing import FlaskClient

from benchmarks.accuracy.cases import MEASUREMENTS
from benchmarks.accuracy.statistics import median, quantile

SETS = ("simulated", "replayed", "fresh")
NOT_ASKED = frozenset({"compile", "offload", "padding_free"})
NINETEEN_OF_TWENTY = 0.95
OK = 200


def replay_lines(name: str, folder: Path = MEASUREMENTS) -> list[dict[str, Any]]:
    """A set's scoreable lines."""
    texts = (folder / f"{name}.jsonl").read_text(encoding="utf-8").splitlines()
    return [line for line in map(json.loads, texts) if line["scoreable"]]


def replay_error(client: FlaskClient, row: Mapping[str, Any]) -> float:
    """Predicted less replayed, as a share of what was replayed.

    Raises: ValueError where the service does not answer.
    """
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
    found: dict[str, Any] = answer.get_json()
    if answer.status_code != OK:
        message = f"{row['id']}: {found}"
        raise ValueError(message)
    expected = float(found["readings"]["allocated_bytes"])
    return expected / float(row["measured"]["allocated_bytes"]) - 1


def replay_table(client: FlaskClient) -> list[str]:
    """One line for each set: peaks, median, nineteen of twenty, worst."""
    lines = [
        "| set | peaks | median | 19 of 20 within | worst |",
        "| --- | ---: | ---: | ---: | --- |",
    ]
    for name in SETS:
        rows = replay_lines(name)
        found = {str(row["id"]): abs(replay_error(client, row)) for row in rows}
        worst = max(found, key=lambda case: found[case])
        sizes = list(found.values())
        cells = (
            name,
            str(len(rows)),
            f"{100 * median(sizes):.3f} %",
            f"{100 * quantile(sizes, NINETEEN_OF_TWENTY):.2f} %",
            f"{100 * found[worst]:.2f} % ({worst})",
        )
        lines.append(f"| {' | '.join(cells)} |")
    return lines
