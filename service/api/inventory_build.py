"""From the rows of an inventory to the domain's nodes."""

from __future__ import annotations

from collections.abc import Sequence

from service.api.build import Body, Catalogs, one_gpu
from service.domain.errors import InvalidRequest
from service.domain.requests import NodeRow
from service.domain.units import bytes_of_gib

MOST_NODES = 1024
"""Nodes of a row that a plan looks at: `limits.max_cards` allows no more cards."""


def inventory(catalogs: Catalogs, rows: Sequence[Body]) -> tuple[NodeRow, ...]:
    """Free cards by row; a name that comes back stands for the same node."""
    return tuple(node_row(catalogs, row, index) for index, row in enumerate(rows))


def node_row(catalogs: Catalogs, body: Body, index: int) -> NodeRow:
    """One row of an inventory.

    Raises: InvalidRequest where more memory is free than a card has.
    """
    free = body.get("free_memory_gib")
    gpu = one_gpu(catalogs, body["gpu"], f"inventory.{index}.gpu")
    free_bytes = bytes_of_gib(free) if free else None
    if free_bytes is not None and free_bytes > gpu.memory_bytes:
        raise InvalidRequest(
            f"inventory.{index}.free_memory_gib", f"{gpu.id} has {gpu.memory_bytes} bytes in all"
        )
    return NodeRow(
        gpu=gpu,
        names=node_names(body, f"{gpu.id}/{index + 1}"),
        cards_per_node=body["cards_per_node"],
        free_memory_bytes=free_bytes,
    )


def node_names(body: Body, unnamed: str) -> tuple[str, ...]:
    """The caller's names, else the card, the row's place and a number."""
    if "node_names" in body:
        return tuple(body["node_names"])
    base, nodes = body.get("name", unnamed), body["nodes"]
    if nodes == 1:
        return (base,)
    return tuple(f"{base}-{number}" for number in range(1, min(nodes, MOST_NODES) + 1))
