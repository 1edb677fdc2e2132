"""Published runs whose memory follows from one mechanism each; numbers are the publications'."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

LINES = (Path(__file__).parents[1] / "measurements" / "training.jsonl").read_text(encoding="utf-8")
CASES = {line["id"]: line for line in map(json.loads, LINES.splitlines())}


def answer(client: FlaskClient, name: str, risk: str = "expected") -> dict[str, Any]:
    found = client.post("/v1/estimates", json={**CASES[name]["request"], "risk": risk})
    assert found.status_code == 200, found.json
    return found.json


@pytest.mark.parametrize(
    ("name", "gib"),
    [
        ("fms-a100_80gb_liger-176", 69.0),  # the head's logits are never whole
        ("fms-a100_80gb_liger-255", 71.85),  # norms are single kernels
        ("fms-a100_80gb-044", 60.4),  # Mixtral's experts compute one after the other
        ("tune-l3170b-full-8", 13.9),  # tables are gathered one at a time
        ("titan-165-fsdp2-ac", 22.73),  # the fp32 logits stay through the backward pass
    ],
)
def test_allocated_bytes_are_what_torch_counted(client: FlaskClient, name: str, gib: float) -> None:
    expected = answer(client, name)["readings"]["allocated_bytes"] / 2**30
    assert expected == pytest.approx(gib, rel=0.03)


@pytest.mark.parametrize(
    ("name", "gib"),
    [
        ("titan-822-reshard-default", 49.59),
        ("titan-822-reshard-never", 62.18),
        ("titan-996-compiledloss", 42.33),
        ("titan-1513-dsv3-16b-cp", 71.08),
    ],
)
def test_reserved_bytes_follow_from_what_each_phase_holds(
    client: FlaskClient, name: str, gib: float
) -> None:
    expected = answer(client, name)["readings"]["reserved_bytes"] / 2**30
    assert expected == pytest.approx(gib, rel=0.03)


def test_a_driver_never_shows_more_than_the_card(client: FlaskClient) -> None:
    found = answer(client, "fms-a100_80gb_liger-158")
    assert found["readings"]["driver_bytes"] <= found["card"]["memory_bytes"]


def test_a_run_that_ran_with_19_twentieths_of_its_card_allocated_fits(client: FlaskClient) -> None:
    assert answer(client, "fms-a100_80gb_liger-153", "high")["fits"] is True


@pytest.mark.parametrize("number", [159, 168, 191, 251, 264, 283, 287])
def test_runs_that_ended_without_a_result_on_a_full_card_do_not_fit(
    client: FlaskClient, number: int
) -> None:
    assert answer(client, f"fms-a100_80gb_liger-{number}", "high")["fits"] is False


def test_gradients_of_accumulation_are_reduced_before_the_optimizer_steps(
    client: FlaskClient,
) -> None:
    found = answer(client, "titan-1616-dsv3-16b-pp")
    sizes = {
        phase["phase"]: sum(
            term["expected_bytes"] for term in phase["terms"] if term["name"] == "gradients"
        )
        for phase in found["phases"]
    }
    # two data ranks: a half of the fp32 gradients stays, beside whole ones before
    assert sizes["backward"] == pytest.approx(3 * sizes["optimizer"], rel=0.01)
