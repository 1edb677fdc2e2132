"""Uneven nodes: counting groups and choosing nodes agree with trying everything."""

from collections.abc import Iterator
from itertools import combinations, product
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from service.app import read_catalogs
from service.catalog.models import entry_architecture
from service.domain.estimate import estimate
from service.domain.nodes import Node, nodes_for, placement, shape_of
from service.domain.planner import plan
from service.domain.questions import Split
from service.domain.requests import (
    Choices,
    EstimateRequest,
    NodeRow,
    PlanRequest,
    ServingWish,
)
from service.domain.results import ModelFacts
from service.domain.rules import indivisible
from service.domain.units import GIB

ROOT = Path(__file__).parents[2]
CATALOGS = read_catalogs(ROOT / "config", ROOT / "gpus.yaml")
STOCK = CATALOGS.stock
CARD = CATALOGS.gpus.pick("l40s")[0]
MODEL = entry_architecture(CATALOGS.models.pick("qwen2.5-7b"))
FACTS = ModelFacts(architecture=MODEL, source="catalog", name="qwen2.5-7b")
WISH = ServingWish(engine=STOCK.engines["generic"], context_tokens=4096, concurrency=6)
SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=4)
ROWS = st.lists(st.tuples(st.integers(1, 3), st.integers(3, 14)), min_size=1, max_size=3)


def most_groups(sizes: tuple[int, ...], tensor: int) -> int:
    """Groups that fit when each is put on every node in turn."""
    tries = (
        1 + most_groups((*sizes[:i], free - tensor, *sizes[i + 1 :]), tensor)
        for i, free in enumerate(sizes)
        if free >= tensor
    )
    return max(tries, default=0)


@given(SIZES, st.integers(1, 4), st.integers(1, 8))
@settings(max_examples=300, deadline=None, derandomize=True)
def test_no_other_choice_of_nodes_is_smaller(sizes: list[int], tensor: int, groups: int) -> None:
    nodes = [Node(name=str(place), cards=cards) for place, cards in enumerate(sizes)]
    able = [
        count
        for count in range(1, len(sizes) + 1)
        for chosen in combinations(sizes, count)
        if sum(free // tensor for free in chosen) >= groups
    ]
    if able:
        found = placement(nodes, groups, tensor)
        assert len(found) == nodes_for(shape_of(nodes), groups, tensor) == min(able)
        assert sum(cards for _, cards in found) == groups * tensor


def splits() -> Iterator[Split]:
    for tensor, pipeline, data in product((1, 2, 4), range(1, 6), range(1, 7)):
        split = Split(tensor=tensor, pipeline=pipeline, data=data)
        if indivisible(MODEL, STOCK.quantizations["none"], split) is None:
            yield split


def fits(split: Split, free_gib: int) -> bool:
    question = EstimateRequest(
        model=FACTS,
        precision=None,
        quantization=STOCK.quantizations["none"],
        workload=WISH,
        split=split,
        gpu=CARD,
        memory_bytes=free_gib * GIB,
    )
    found = estimate(question, STOCK).judgement
    return found is not None and found.headroom_bytes >= 0


def fewest(rows: list[tuple[int, int]]) -> int | None:
    """Fewest cards on nodes of (free cards, free GiB), by trying every split at every level."""
    counts = []
    for level in {free for _, free in rows}:
        sizes = tuple(cards for cards, free in rows if free >= level)
        for split in splits():
            groups = split.pipeline * split.data
            if groups <= most_groups(sizes, split.tensor) and fits(split, level):
                counts.append(split.cards)
    return min(counts, default=None)


@given(ROWS)
@settings(max_examples=25, deadline=None, derandomize=True)
def test_no_use_of_uneven_nodes_is_smaller_than_the_plan(rows: list[tuple[int, int]]) -> None:
    inventory = tuple(
        NodeRow(gpu=CARD, names=(f"n{i}",), cards_per_node=cards, free_memory_bytes=free * GIB)
        for i, (cards, free) in enumerate(rows)
    )
    request = PlanRequest(
        model=FACTS,
        precision=None,
        quantization=STOCK.quantizations["none"],
        workload=WISH,
        choices=Choices(),
        inventory=inventory,
    )
    best = plan(request, STOCK).recommendation
    assert (best.cards if best else None) == fewest(rows)
