"""Packs replicas of several models onto nodes: branch and bound with a bound on its work."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from service.domain.plan_results import Option
from service.domain.units import ceil_div

MOST_STEPS = 20_000
"""Groups that a search lays down before it stops and states the gap."""

SHARES = 100
"""An engine takes whole hundredths of a shared card."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bin:
    """Free cards of one kind on a node, with as much free memory on each."""

    node: str
    gpu: str
    memory_bytes: int
    cards: int


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Way:
    """One way to run a replica: so many groups of cards, each on one node.

    memory_bytes  what every card has to have free
    shares        whether other models may stand on its card
    inside_bytes  what the engine's share of the card holds; `outside_bytes` lies beside it
    """

    option: Option
    memory_bytes: int
    tensor: int
    groups: int
    shares: bool = False
    inside_bytes: int = 0
    outside_bytes: int = 0

    @property
    def cards(self) -> int:
        """Cards of all groups."""
        return self.tensor * self.groups

    def share_hundredths(self, memory_bytes: int) -> int:
        """The engine's share of a card of this size, in whole hundredths."""
        return ceil_div(self.inside_bytes * SHARES, memory_bytes)

    def claim_bytes(self, memory_bytes: int) -> int:
        """What a shared card of this size gives to the replica. [B]"""
        share = self.share_hundredths(memory_bytes)
        return ceil_div(share * memory_bytes, SHARES) + self.outside_bytes


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Unit:
    """A replica of a model with its ways, the preferred one first."""

    model: int
    replica: int
    ways: tuple[Way, ...]

    @property
    def whole_cards(self) -> int:
        """Cards that it takes at least for itself."""
        return min(0 if way.shares else way.cards for way in self.ways)


Spot = tuple[int, int]
"""A bin, and the shared card in it or -1 for a group of its own."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Placed:
    """A replica with its way and the bin of every group."""

    unit: Unit
    way: Way
    spots: tuple[Spot, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packing:
    """What was found: `least_nodes` is proved, `complete` says that nothing was left untried."""

    placed: tuple[Placed, ...] | None
    nodes: int
    cards: int
    least_nodes: int
    complete: bool


@dataclass(slots=True, kw_only=True)
class Packer:
    """Lays replicas down one after another, each group on every bin that can hold it.

    Units are equal within a model and bins within a kind, so only the first of equals is tried:
    of all packings that differ in nothing else the first in order satisfies both rules.
    """

    units: tuple[Unit, ...]
    bins: tuple[Bin, ...]
    steps: int = 0
    stopped: bool = False
    best: tuple[Placed, ...] | None = None
    best_size: tuple[int, int] = (1 << 30, 1 << 30)
    _free: list[int] = field(init=False)
    _shared: list[list[int]] = field(init=False)
    _used: Counter[str] = field(default_factory=Counter)
    _placed: list[Placed] = field(default_factory=list)
    _nodes: dict[str, int] = field(init=False)
    _alone: set[str] = field(init=False)
    _ahead: list[int] = field(init=False)

    def __post_init__(self) -> None:
        """Settle what every step needs."""
        self._free = [one.cards for one in self.bins]
        self._shared = [[] for _ in self.bins]
        self._nodes = {}
        for one in self.bins:
            self._nodes[one.node] = self._nodes.get(one.node, 0) + one.cards
        counted = Counter(one.node for one in self.bins)
        self._alone = {node for node, held in counted.items() if held == 1}
        needs = [unit.whole_cards for unit in reversed(self.units)]
        self._ahead = [0, *accumulate(needs)][::-1]

    def packing(self) -> Packing:
        """The fewest nodes, then the fewest cards, that hold all replicas."""
        least = max(1, self.more_nodes(0), self.least_by_memory())
        self.lay_unit(0, least)
        nodes, cards = self.best_size
        proved = nodes if self.best and not self.stopped else least
        return Packing(
            placed=self.best,
            nodes=nodes if self.best else 0,
            cards=cards if self.best else 0,
            least_nodes=proved,
            complete=not self.stopped,
        )

    def more_nodes(self, index: int) -> int:
        """Further nodes that the replicas from here on take at least."""
        spare = sum(
            free for free, one in zip(self._free, self.bins, strict=True) if self._used[one.node]
        )
        missing = self._ahead[index] - spare
        if missing <= 0:
            return 0
        unused = sorted(
            (c for node, c in self._nodes.items() if not self._used[node]), reverse=True
        )
        for count, held in enumerate(accumulate(unused), start=1):
            if held >= missing:
                return count
        return len(self._nodes) + 1

    def least_by_memory(self) -> int:
        """Nodes that all claims take at least, were every card the largest and cut at will."""
        largest = max((one.memory_bytes for one in self.bins), default=1)
        claims = sum(
            min(
                way.inside_bytes + way.outside_bytes if way.shares else way.cards * largest
                for way in unit.ways
            )
            for unit in self.units
        )
        held = accumulate(sorted(self._nodes.values(), reverse=True))
        cards = ceil_div(claims, largest)
        return next((count for count, sum_ in enumerate(held, start=1) if sum_ >= cards), 1)

    @property
    def size(self) -> tuple[int, int]:
        """Nodes and cards in use."""
        nodes = sum(1 for held in self._used.values() if held)
        taken = sum(one.cards for one in self.bins) - sum(self._free)
        return nodes, taken

    def lay_unit(self, index: int, least: int) -> None:
        """Try every way of a replica, then those after it."""
        nodes, cards = self.size
        bound = (max(nodes + self.more_nodes(index), least), cards + self._ahead[index])
        if bound >= self.best_size or self.stopped:
            return
        if index == len(self.units):
            self.best, self.best_size = tuple(self._placed), (nodes, cards)
            return
        unit = self.units[index]
        for way in unit.ways:
            for spots in self.lay_groups(way, way.groups, ()):
                if self.in_order(unit, way, spots):
                    self._placed.append(Placed(unit=unit, way=way, spots=spots))
                    self.lay_unit(index + 1, least)
                    self._placed.pop()
                if self.stopped:
                    break

    def in_order(self, unit: Unit, way: Way, spots: tuple[Spot, ...]) -> bool:
        """Whether a replica does not stand before an equal one that was laid earlier."""
        if not self._placed or self._placed[-1].unit.model != unit.model:
            return True
        last = self._placed[-1]
        before = (unit.ways.index(last.way), last.spots)
        return before <= (unit.ways.index(way), spots)

    def lay_groups(
        self, way: Way, left: int, spots: tuple[Spot, ...]
    ) -> Iterator[tuple[Spot, ...]]:
        """Every choice of bins for the groups that are left, laid down while it is looked at."""
        if left == 0:
            yield spots
            return
        for spot in self.open_spots(way, spots[-1][0] if spots else 0):
            self.steps += 1
            self.stopped = self.stopped or self.steps > MOST_STEPS
            if self.stopped:
                return
            opened = self.take(way, spot)
            yield from self.lay_groups(way, left - 1, (*spots, spot))
            self.give_back(way, spot, opened=opened)

    def open_spots(self, way: Way, first: int) -> list[Spot]:
        """Where a group may lie: the fullest bins in use first, then the largest unused one."""
        found: list[tuple[tuple[int, ...], Spot]] = []
        seen: set[tuple[str, int, int]] = set()
        for place in range(first, len(self.bins)):
            one, free = self.bins[place], self._free[place]
            if one.gpu != way.option.gpu.id or one.memory_bytes < way.memory_bytes:
                continue
            if way.shares:
                claim = way.claim_bytes(one.memory_bytes)
                rooms = enumerate(self._shared[place])
                found += [((0, room), (place, card)) for card, room in rooms if room >= claim]
            if free < way.tensor:
                continue
            used = self._used[one.node]
            kind = (one.gpu, one.memory_bytes, one.cards)
            if not used and one.node in self._alone:
                if kind in seen:
                    continue
                seen.add(kind)
            card = len(self._shared[place]) if way.shares else -1
            found.append(((1, free) if used else (2, -free), (place, card)))
        return [spot for _, spot in sorted(found)]

    def take(self, way: Way, spot: Spot) -> bool:
        """Lay a group down; whether it opened a card."""
        place, card = spot
        one = self.bins[place]
        opened = card < 0 or card == len(self._shared[place])
        if card >= 0 and opened:
            self._shared[place].append(one.memory_bytes)
        if card >= 0:
            self._shared[place][card] -= way.claim_bytes(one.memory_bytes)
        if opened:
            self._free[place] -= way.tensor
        self._used[one.node] += 1
        return opened

    def give_back(self, way: Way, spot: Spot, *, opened: bool) -> None:
        """Undo a `take`."""
        place, card = spot
        one = self.bins[place]
        self._used[one.node] -= 1
        if opened:
            self._free[place] += way.tensor
        if card >= 0:
            self._shared[place][card] += way.claim_bytes(one.memory_bytes)
            if opened:
                self._shared[place].pop()
