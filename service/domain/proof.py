"""Why nothing smaller does: reasons of every smaller combination, and the nearest miss."""

from __future__ import annotations

from service.domain.judging import at_risk, stage_needs
from service.domain.results import Rejection
from service.domain.search import Arrangement, Candidate, Search
from service.domain.units import GIB


def binding_term(search: Search, arrangement: Arrangement) -> str:
    """The term that stands in the way: the weights alone, what is fixed, or the cache."""
    candidate = arrangement.candidate
    needs = stage_needs(search.serving(candidate, arrangement.split))
    need = max(needs, key=lambda one: at_risk(one.inside, search.request.risk))
    sizes = {term.name: at_risk(term.amount, search.request.risk) for term in need.terms}
    room = candidate.memory_bytes
    if sizes["weights"] > room:
        return "weights"
    fixed = sum(size for name, size in sizes.items() if name != "kv_cache")
    if fixed > room:
        return max(
            ("activations", "cuda_graphs", "communication", "runtime"), key=sizes.__getitem__
        )
    return "kv_cache" if sizes["kv_cache"] > sizes["weights"] // 10 else "weights"


def memory_rejection(search: Search, arrangement: Arrangement) -> Rejection:
    """One combination that misses, by how much and through which term."""
    candidate, split = arrangement.candidate, arrangement.split
    term, short = binding_term(search, arrangement), -arrangement.headroom_bytes
    shape = f"tensor {split.tensor} x pipeline {split.pipeline} x data {split.data}"
    return Rejection(
        gpu=candidate.gpu.id,
        cards=split.cards,
        quantization=candidate.quantization.id,
        reason="memory",
        term=term,
        short_by_bytes=short,
        message=f"{split.cards} x {candidate.gpu.id} ({shape}) with {candidate.quantization.id}: "
        f"short by {short / GIB:.2f} GiB a card; the obstacle is {term}",
    )


def smaller(search: Search, candidate: Candidate, cards: int) -> Rejection:
    """Why a candidate does not do on exactly so many cards."""
    nearest = search.nearest(candidate, cards)
    if nearest is None:
        return Rejection(
            gpu=candidate.gpu.id,
            cards=cards,
            quantization=candidate.quantization.id,
            reason="indivisible",
            message=f"no allowed split of the model takes exactly {cards} cards",
        )
    if nearest.headroom_bytes >= 0:
        return Rejection(
            gpu=candidate.gpu.id,
            cards=cards,
            quantization=candidate.quantization.id,
            reason="limit",
            message=f"it fits, but takes {nearest.nodes} nodes",
        )
    return memory_rejection(search, nearest)


def proof(
    search: Search, best: Arrangement, candidates: tuple[Candidate, ...]
) -> tuple[Rejection, ...]:
    """Reasons of every smaller number of the recommended card, and of other cards one card below.

    For other cards the quantization that misses least stands for all.
    """
    fewer = range(1, best.split.cards)
    own = [c for c in candidates if c.gpu.id == best.candidate.gpu.id]
    rows = [smaller(search, candidate, cards) for cards in fewer for candidate in own]
    if not fewer:
        return tuple(rows)
    others: dict[str, Rejection] = {}
    for candidate in candidates:
        if candidate.gpu.id == best.candidate.gpu.id:
            continue
        row = smaller(search, candidate, best.split.cards - 1)
        held = others.get(candidate.gpu.id)
        if held is None or _distance(row) < _distance(held):
            others[candidate.gpu.id] = row
    return (*rows, *others.values())


def _distance(row: Rejection) -> tuple[bool, int]:
    return (row.reason != "memory", row.short_by_bytes)


def nearest_miss(search: Search, candidates: tuple[Candidate, ...]) -> Arrangement | None:
    """Of everything that the limits allow, the arrangement that misses least."""
    best: Arrangement | None = None
    for candidate in candidates:
        for cards in _most_cards(search, candidate):
            found = search.nearest(candidate, cards)
            if found and (best is None or found.headroom_bytes > best.headroom_bytes):
                best = found
    return best


def _most_cards(search: Search, candidate: Candidate) -> list[int]:
    ranks = [split.ranks for split in search.splits(candidate)]
    return sorted({candidate.max_cards // r * r for r in ranks if r <= candidate.max_cards})
