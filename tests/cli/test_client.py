"""The client from Python."""

import pytest

from service.cli.client import Planner, Refused


def test_the_client_answers_with_data(url: str) -> None:
    planner = Planner(url)
    plan = planner.plan(model="llama-3.2-1b", gpu=["l4-24gb", "a10-24gb"], users=2, limit=1)
    assert plan["recommendation"]["cards"] == 1
    assert planner.estimate(model="llama-3.2-1b", gpu="l4-24gb")["fits"] is True
    assert planner.ask("llama-3.2-1b on l4-24gb")["plan"]["recommendation"]["cards"] == 1


def test_the_client_renders(url: str) -> None:
    text = Planner(url).render("kubernetes", model="llama-3.2-1b", gpu="l4-24gb")
    assert "nvidia.com/gpu.product" in text


def test_a_refusal_carries_the_problem(url: str) -> None:
    with pytest.raises(Refused) as caught:
        Planner(url).plan(model="llama-3.2-1b", users=0)
    assert caught.value.problem["errors"][0]["pointer"] == "/workload/concurrency"


def test_in_process_and_over_http_give_the_same(url: str) -> None:
    asked = {"model": "llama-3.2-1b", "gpu": "l4-24gb", "explain": True}
    assert Planner().plan(**asked) == Planner(url).plan(**asked)
