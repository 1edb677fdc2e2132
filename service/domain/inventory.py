"""What is really there: rows of nodes to pools of alike cards."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from service.domain.hardware import Gpu
from service.domain.nodes import Node, Taken, placement, shape_of
from service.domain.requests import NodeRow, Pool


def row_memory_bytes(row: NodeRow) -> int:
    """Free memory of each card of a row, all of it where nothing is said. [B]"""
    return row.free_memory_bytes or row.gpu.planning_bytes


def stocked(rows: tuple[NodeRow, ...]) -> tuple[Pool, ...]:
    """One pool for every kind of card and amount of free memory: all cards with at least as much.

    A plan counts on the same memory on all of its cards, so the pools of a kind say everything
    that single-card plans can use of it.
    """
    kinds: dict[str, list[NodeRow]] = {}
    for row in rows:
        kinds.setdefault(row.gpu.id, []).append(row)
    return tuple(
        level_pool(kind, level)
        for kind in kinds.values()
        for level in sorted({row_memory_bytes(row) for row in kind})
    )


def level_pool(rows: list[NodeRow], memory_bytes: int) -> Pool:
    """Cards of one kind with at least so much free memory; rows of a node's name are one node."""
    free: dict[str, int] = {}
    for row in rows:
        if row_memory_bytes(row) >= memory_bytes:
            for name in row.names:
                free[name] = free.get(name, 0) + row.cards_per_node
    nodes = tuple(Node(name=name, cards=cards) for name, cards in free.items())
    return Pool(gpu=rows[0].gpu, shape=shape_of(nodes), nodes=nodes, free_memory_bytes=memory_bytes)


def repriced_rows(rows: tuple[NodeRow, ...], priced: Mapping[str, Gpu]) -> tuple[NodeRow, ...]:
    """Rows with the caller's own prices."""
    return tuple(replace(row, gpu=priced.get(row.gpu.id, row.gpu)) for row in rows)


def taken(pool: Pool, cards: int, tensor: int, most_per_node: int) -> tuple[Taken, ...]:
    """Which nodes of an inventory so many cards stand on; nothing where cards are only wanted."""
    usable = (replace(one, cards=min(one.cards, most_per_node)) for one in pool.nodes)
    chosen = placement(usable, cards // tensor, tensor)
    return tuple(Taken(node=node.name, cards=held, gpu=pool.gpu.id) for node, held in chosen)
