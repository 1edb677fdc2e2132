"""Nodes with free cards: how many groups of cards they hold, and which nodes a plan takes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from service.domain.units import ceil_div

Shape = tuple[tuple[int, int], ...]
"""Free cards of a node and how many nodes have as many, most cards first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """A node by name with its free cards."""

    name: str
    cards: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """Cards that a plan takes of one node."""

    node: str
    cards: int
    gpu: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MixedStage:
    """A pipeline stage on cards of its own kind."""

    gpu: str
    node: str
    cards: int
    layers: int
    headroom_bytes: int


def shape_of(nodes: Iterable[Node]) -> Shape:
    """Nodes without their names."""
    return tuple(sorted(Counter(node.cards for node in nodes).items(), reverse=True))


def bounded_shape(shape: Shape, most_cards: int | None, most_nodes: int | None) -> Shape:
    """What limits leave: so many cards of a node, and the largest nodes first."""
    counted: Counter[int] = Counter()
    for cards, nodes in shape:
        counted[min(cards, most_cards or cards)] += nodes
    left, kept = most_nodes or sum(counted.values()), []
    for cards, nodes in sorted(counted.items(), reverse=True):
        if left > 0:
            kept.append((cards, min(nodes, left)))
        left -= nodes
    return tuple(kept)


def cards_in(shape: Shape) -> int:
    """Free cards of all nodes."""
    return sum(cards * nodes for cards, nodes in shape)


def groups_in(shape: Shape, tensor: int) -> int:
    """Groups of tensor-parallel cards that nodes hold; a group never crosses nodes.

    G = Σ f_i // t

    f_i  free cards of a node   t  tensor-parallel degree

    Holds when:  every stage of every replica is one group, and stages may lie on any nodes.
    Source:      vLLM docs, parallelism and scaling: tensor parallel inside a node, pipeline
                 parallel across nodes.
    Checked by:  nodes of 3 and 6 free cards hold 4 groups of 2.
    """
    return sum(cards // tensor * nodes for cards, nodes in shape)


def nodes_for(shape: Shape, groups: int, tensor: int) -> int:
    """The fewest nodes that hold so many groups: the largest ones."""
    taken = 0
    for cards, nodes in shape:
        held = cards // tensor
        if groups <= 0 or not held:
            break
        used = min(nodes, ceil_div(groups, held))
        taken, groups = taken + used, groups - used * held
    return taken


def placement(nodes: Iterable[Node], groups: int, tensor: int) -> tuple[tuple[Node, int], ...]:
    """Which nodes a plan takes and how many cards of each: the fewest nodes.

    Full nodes first, then the smallest one that holds the rest, so that large ones stay free;
    nodes alike are taken in the order of the inventory.
    """
    able = sorted((one for one in nodes if one.cards >= tensor), key=lambda one: -one.cards)
    found: list[tuple[Node, int]] = []
    while groups > 0 and able:
        whole = [one for one in able if one.cards // tensor >= groups]
        best = whole[-1].cards if whole else able[0].cards
        chosen = next(one for one in able if one.cards == best)
        held = min(groups, chosen.cards // tensor)
        found.append((chosen, held * tensor))
        groups -= held
        able.remove(chosen)
    return tuple(found)
