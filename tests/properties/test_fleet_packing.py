"""Packing replicas onto nodes: the search finds what trying everything finds."""

from itertools import combinations_with_replacement, product
from types import SimpleNamespace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.fleet_packing import Bin, Packer, Unit, Way

KINDS = ("a", "b")
WAYS = st.tuples(st.sampled_from(KINDS), st.integers(1, 3), st.integers(1, 2))
UNITS = st.lists(st.lists(WAYS, min_size=1, max_size=2), min_size=1, max_size=3)
NODES = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 4)), min_size=1, max_size=4)
CLAIMS = st.lists(st.integers(1, 100), min_size=1, max_size=5)


def way(gpu: str, tensor: int, groups: int, **more: Any) -> Way:
    option: Any = SimpleNamespace(gpu=SimpleNamespace(id=gpu))
    return Way(option=option, memory_bytes=100, tensor=tensor, groups=groups, **more)


def bins(nodes: list[tuple[str, int]]) -> tuple[Bin, ...]:
    return tuple(
        Bin(node=str(place), gpu=gpu, memory_bytes=100, cards=cards)
        for place, (gpu, cards) in enumerate(nodes)
    )


def layouts(one: tuple[str, int, int], nodes: list[tuple[str, int]]) -> list[dict[int, int]]:
    gpu, tensor, groups = one
    able = [place for place, (kind, _) in enumerate(nodes) if kind == gpu]
    chosen = combinations_with_replacement(able, groups)
    return [{place: places.count(place) * tensor for place in places} for places in chosen]


def fewest(
    units: list[list[tuple[str, int, int]]], nodes: list[tuple[str, int]]
) -> tuple[int, int] | None:
    """Fewest nodes, then cards, over every way of every unit on every node."""
    found = []
    tries = [[spread for one in ways for spread in layouts(one, nodes)] for ways in units]
    for chosen in product(*tries):
        taken = [sum(spread.get(place, 0) for spread in chosen) for place in range(len(nodes))]
        if all(held <= cards for held, (_, cards) in zip(taken, nodes, strict=True)):
            found.append((sum(1 for held in taken if held), sum(taken)))
    return min(found, default=None)


@given(UNITS, NODES)
@settings(max_examples=300, deadline=None, derandomize=True)
def test_no_packing_takes_fewer_nodes(
    units: list[list[tuple[str, int, int]]], nodes: list[tuple[str, int]]
) -> None:
    kinds = {repr(ways): tuple(way(*one) for one in ways) for ways in units}
    places = list(kinds)
    made = tuple(
        Unit(model=places.index(repr(ways)), replica=index, ways=kinds[repr(ways)])
        for index, ways in enumerate(sorted(units))
    )
    found = Packer(units=made, bins=bins(nodes)).packing()
    assert found.complete
    assert ((found.nodes, found.cards) if found.placed else None) == fewest(units, nodes)


def shared_cards(claims: list[int], open_cards: tuple[int, ...] = ()) -> int:
    """Fewest cards of 100 that hold all claims, each claim tried on every card."""
    if not claims:
        return len(open_cards)
    first, rest = claims[0], claims[1:]
    tries = [
        (*open_cards[:i], held + first, *open_cards[i + 1 :])
        for i, held in enumerate(open_cards)
        if held + first <= 100
    ]
    return min(shared_cards(rest, cards) for cards in [*tries, (*open_cards, first)])


@given(CLAIMS)
@settings(max_examples=200, deadline=None, derandomize=True)
def test_no_sharing_takes_fewer_cards(claims: list[int]) -> None:
    units = tuple(
        Unit(model=place, replica=0, ways=(way("a", 1, 1, shares=True, inside_bytes=claim),))
        for place, claim in enumerate(claims)
    )
    found = Packer(units=units, bins=bins([("a", 8)])).packing()
    assert found.cards == shared_cards(claims)
