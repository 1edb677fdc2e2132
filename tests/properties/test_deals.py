"""Layers dealt to unlike cards: a deal is found whenever trying every deal finds one."""

from itertools import combinations, product
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from service.app import read_catalogs
from service.catalog.models import entry_architecture
from service.domain.deals import Deals
from service.domain.questions import Split
from service.domain.requests import ServingWish
from service.domain.resolving import CardFacts, Frame, Notes, resolved_serving
from service.domain.units import GIB

ROOT = Path(__file__).parents[2]
CATALOGS = read_catalogs(ROOT / "config", ROOT / "gpus.yaml")
STOCK = CATALOGS.stock
MODELS = ("qwen2.5-0.5b", "gemma-2-9b", "deepseek-v2-lite")
KINDS = st.lists(st.tuples(st.integers(2, 28), st.integers(1, 2)), min_size=1, max_size=3)


def deals(model: str, kinds: list[tuple[int, int]], stages: int) -> Deals:
    frame = Frame(
        model=entry_architecture(CATALOGS.models.pick(model)),
        precision=STOCK.precisions["bfloat16"],
        quantization=STOCK.quantizations["none"],
        split=Split(pipeline=stages),
        card=CardFacts(memory_bytes=24 * GIB),
    )
    wish = ServingWish(engine=STOCK.engines["vllm"], context_tokens=2048, concurrency=2)
    return Deals(
        serving=resolved_serving(frame, wish, STOCK, Notes()),
        risk="high",
        memories=tuple(memory * GIB for memory, _ in kinds),
        totals=tuple((memory + 2) * GIB for memory, _ in kinds),
        slots=tuple(slots for _, slots in kinds),
    )


def exists(asked: Deals, stages: int) -> bool:
    """Whether any order of kinds and any cut of the layers fits."""
    kinds = range(len(asked.slots))
    orders = [
        order
        for order in product(kinds, repeat=stages)
        if all(order.count(kind) <= asked.slots[kind] for kind in kinds)
    ]
    for cuts in combinations(range(1, asked.layers), stages - 1):
        bounds = list(zip((0, *cuts), (*cuts, asked.layers), strict=True))
        for order in orders:
            placed = zip(order, bounds, strict=True)
            if all(asked.headroom_bytes(kind, *bound) >= 0 for kind, bound in placed):
                return True
    return False


@given(st.sampled_from(MODELS), KINDS, st.integers(2, 3))
@settings(max_examples=60, deadline=None, derandomize=True)
def test_a_deal_is_found_exactly_where_one_exists(
    model: str, kinds: list[tuple[int, int]], stages: int
) -> None:
    asked = deals(model, kinds, stages)
    found = asked.deal()
    assert (found is not None) == exists(asked, stages)
    if found is not None:
        stops = [stop for _, stop in found]
        bounds = zip([0, *stops], stops, strict=False)
        fits = [
            asked.headroom_bytes(kind, *bound)
            for (kind, _), bound in zip(found, bounds, strict=True)
        ]
        assert min(fits) >= 0
        assert stops[-1] == asked.layers
