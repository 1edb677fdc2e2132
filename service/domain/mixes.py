"""Which cards of an inventory may be mixed, and what a mix cannot honour."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

from service.domain.errors import InvalidRequest
from service.domain.inventory import row_memory_bytes
from service.domain.nodes import Node, bounded_shape, shape_of
from service.domain.requests import PlanRequest, Pool, ServingWish
from service.domain.search import Search

MOST_KINDS = 4
DEAL_VARIABLES: Mapping[str, str] = {"vllm": "VLLM_PP_LAYER_PARTITION"}
"""Where an engine reads the layers of each stage. Source: vLLM `distributed/utils.py`,
get_pp_indices."""

BOUNDS_OF_ALIKE_CARDS = ("max_nodes", "max_hourly_usd", "max_power_watts")


def refuse_mixed(request: PlanRequest, wish: ServingWish) -> None:
    """Refuse what a plan of unlike cards cannot honour.

    Raises: InvalidRequest.
    """
    if not request.inventory:
        raise InvalidRequest("allow_mixed", "needs an inventory: the cards that are there")
    if wish.engine.id not in DEAL_VARIABLES:
        known = ", ".join(DEAL_VARIABLES)
        raise InvalidRequest("allow_mixed", f"only {known} deals layers by hand")
    if request.targets is not None:
        raise InvalidRequest("targets", "the speed of mixed cards is not bounded; leave one out")
    for name in BOUNDS_OF_ALIKE_CARDS:
        if getattr(request.limits, name) is not None:
            raise InvalidRequest(f"limits.{name}", "is not kept with allow_mixed; leave one out")


def kinds(search: Search) -> tuple[Pool, ...]:
    """Cards by kind and free memory, each card once.

    Raises: InvalidRequest where there are too many to try every mix.
    """
    request, cap = search.request, search.request.limits.max_cards_per_node
    allowed = {pool.gpu.id: pool.gpu for cards in search.classes for pool in cards.pools}
    nodes: dict[tuple[str, int], Counter[str]] = {}
    for row in request.inventory:
        if row.gpu.id in allowed and not row.gpu.is_mig:
            held = nodes.setdefault((row.gpu.id, row_memory_bytes(row)), Counter())
            held.update(dict.fromkeys(row.names, row.cards_per_node))
    if len(nodes) > MOST_KINDS:
        raise InvalidRequest(
            "allow_mixed",
            f"{len(nodes)} kinds of card and free memory; at most {MOST_KINDS} are mixed",
        )
    found = []
    for (gpu, memory), held in sorted(nodes.items()):
        listed = tuple(Node(name=n, cards=min(c, cap or c)) for n, c in held.items())
        shape = bounded_shape(shape_of(listed), cap, None)
        found.append(Pool(gpu=allowed[gpu], shape=shape, nodes=listed, free_memory_bytes=memory))
    return tuple(found)
