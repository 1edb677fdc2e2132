"""What would need fewer cards, what would make anything fit, and how the count grows with load."""

from typing import Any

from flask.testing import FlaskClient

BODY: dict[str, Any] = {
    "model": "llama-3.3-70b",
    "workload": {"kind": "inference", "context_tokens": 32768, "concurrency": 16},
    "choices": {"gpus": ["h100-sxm5-80gb"]},
}


def plan(client: FlaskClient, **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/plans", json={**BODY, **more})
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json
    return found


def test_every_advice_holds_when_it_is_taken(client: FlaskClient) -> None:
    found = plan(client)
    advice = {row["change"]: row for row in found["advice"]}
    narrow = advice["kv_cache_precision=fp8"]
    workload = {**BODY["workload"], "kv_cache_precision": "fp8"}
    taken = plan(client, workload=workload)["recommendation"]
    assert (
        taken["cards"]
        == narrow["cards"]
        == found["recommendation"]["cards"] - narrow["saves_cards"]
    )


def test_half_the_context_saves_what_is_said(client: FlaskClient) -> None:
    (row,) = [r for r in plan(client)["advice"] if r["change"] == "context_tokens=16384"]
    workload = {**BODY["workload"], "context_tokens": 16384}
    assert plan(client, workload=workload)["recommendation"]["cards"] == row["cards"]


def test_where_nothing_fits_changes_that_would_are_named(client: FlaskClient) -> None:
    body = {
        "model": "qwen2.5-32b",
        "limits": {"max_cards": 1},
        "choices": {"gpus": ["l40s-48gb"]},
        "workload": {"kind": "inference", "context_tokens": 32768, "concurrency": 4},
    }
    found = plan(client, **body)
    assert found["recommendation"] is None
    assert found["nearest_miss"]["short_by_bytes"] > 0
    assert "kv_cache_precision=fp8" in {row["change"] for row in found["advice"]}
    assert all(row["cards"] == 1 for row in found["advice"])


def test_the_count_never_falls_as_load_grows(client: FlaskClient) -> None:
    grown = plan(client, explain=True)["sensitivity"]
    for rows in grown.values():
        counts = [row["cards"] for row in rows if row["cards"] is not None]
        assert counts == sorted(counts)
    assert [row["value"] for row in grown["concurrency"]] == [16, 32, 64]


def test_growth_beyond_the_models_positions_is_said(client: FlaskClient) -> None:
    workload = {**BODY["workload"], "context_tokens": 131072, "concurrency": 1}
    grown = plan(client, workload=workload, explain=True)["sensitivity"]
    assert [row["beyond_limit"] for row in grown["context_tokens"]] == [False, True, True]
