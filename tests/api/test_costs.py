"""Money: prices with their source, whole servers, energy, and the caller's own figures."""

from typing import Any

import pytest
from flask.testing import FlaskClient

BODY: dict[str, Any] = {
    "model": "llama-3.3-70b",
    "workload": {"kind": "inference", "context_tokens": 32768, "concurrency": 16},
    "choices": {"gpus": ["h100-sxm5-80gb"]},
}


def best(client: FlaskClient, **more: Any) -> dict[str, Any]:
    answer = client.post("/v1/plans", json={**BODY, **more})
    assert answer.status_code == 200, answer.json
    found: dict[str, Any] = answer.json["recommendation"]
    return found


def test_cards_sold_in_servers_cost_whole_servers_and_both_counts_are_shown(
    client: FlaskClient,
) -> None:
    found = best(client)
    assert found["cards"] < 8
    assert found["cost"]["billed_cards"] == 8
    # 8 cards at the catalog's 25,000 USD
    assert found["cost"]["purchase_usd"] == 200_000


def test_rent_is_that_of_the_cards_in_use(client: FlaskClient) -> None:
    found = best(client)
    # 3 cards at the catalog's typical 3.49 USD an hour, 730 hours a month
    assert (found["cards"], found["hourly_usd"]) == (3, pytest.approx(10.47))
    assert found["cost"]["hourly_usd"] == found["hourly_usd"]
    assert found["cost"]["monthly_usd"] == pytest.approx(7643.1)


def test_energy_is_board_power_times_use_building_and_hours(client: FlaskClient) -> None:
    costs = {"utilization": 0.5, "pue": 1.2, "usd_per_kwh": 0.1}
    found = best(client, costs=costs)["cost"]
    # 3 x 700 W x 0.5 x 1.2 x 730 h = 919.8 kWh
    assert found["energy_kwh_per_month"] == pytest.approx(919.8)
    assert found["energy_usd_per_month"] == pytest.approx(91.98)


def test_the_callers_own_price_is_used_and_named(client: FlaskClient) -> None:
    own = {"h100-sxm5-80gb": {"hourly_usd": 2, "purchase_usd": 20000}}
    found = best(client, price_overrides=own)
    assert found["hourly_usd"] == 2 * found["cards"]
    assert found["cost"]["purchase_usd"] == 160000
    assert found["cost"]["prices"]["rental"]["source"] == "the request"


def test_own_prices_can_change_the_cheapest_card(client: FlaskClient) -> None:
    choices = {"gpus": ["h100-sxm5-80gb", "l40s-48gb"]}
    plain = best(client, choices=choices, objective="lowest-cost")
    own = {plain["gpu"]: {"hourly_usd": 1000}}
    dear = best(client, choices=choices, objective="lowest-cost", price_overrides=own)
    assert dear["gpu"] != plain["gpu"]


def test_a_price_for_an_unknown_card_is_refused_with_near_names(client: FlaskClient) -> None:
    answer = client.post("/v1/plans", json={**BODY, "price_overrides": {"h10": {"hourly_usd": 1}}})
    assert answer.status_code == 404
    assert answer.json["nearest"]


def test_an_unknown_price_stays_absent(client: FlaskClient) -> None:
    found = best(client, choices={"gpus": ["b300-288gb"]})["cost"]
    known = set(found.get("prices", {}))
    assert ("hourly_usd" in found) == ("rental" in known)
    assert ("purchase_usd" in found) == ("purchase" in known)


def test_free_cards_of_an_inventory_are_paid_for_one_by_one(client: FlaskClient) -> None:
    rows = [{"gpu": "h100-sxm5-80gb", "nodes": 2, "cards_per_node": 4}]
    found = best(client, inventory=rows)
    assert found["cost"]["billed_cards"] == found["cards"]


def test_a_price_says_when_it_was_seen_or_that_nobody_knows(client: FlaskClient) -> None:
    for gpu, date in (("h100-sxm5-80gb", "2026-09-25"), ("rtx-a6000-48gb", None)):
        rental = best(client, choices={"gpus": [gpu]})["cost"]["prices"]["rental"]
        assert rental["date"] == date
        assert rental["source"]


def test_training_names_what_has_to_be_paid_for(client: FlaskClient) -> None:
    work = {"kind": "training", "method": "lora"}
    found = best(client, model="llama-3.1-8b", workload=work)
    assert (found["cards"], found["cost"]["billed_cards"]) == (1, 8)
