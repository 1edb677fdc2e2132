"""One request's workload on any way to spread it: what each stage takes, worked out once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from service.domain.bounds import WayFloor, way_floor
from service.domain.candidates import Format
from service.domain.engine import CachePrecision
from service.domain.hardware import Gpu
from service.domain.judging import Part, at_risk, fullest_parts
from service.domain.loads import (
    Heaviest,
    Loads,
    Rows,
    Stored,
    heaviest,
    loads,
    moved_rows,
    rows,
    weight_loads,
)
from service.domain.profiles import BatchDefaults, Profile
from service.domain.questions import Serving, Split
from service.domain.requests import PlanRequest, ServingWish, Stock
from service.domain.resolving import CardFacts, Frame, Notes, resolved_batch, resolved_serving
from service.domain.sums import cache_rows
from service.domain.units import BITS_PER_BYTE, ceil_div
from service.domain.ways import split_of

WHOLE = split_of(1, 1, 1, 1)


@dataclass(slots=True, kw_only=True)
class Workload:
    """What a model and its sequences take, by format and way.

    Weights depend on the format and the split, and requests share them; everything else on the
    split, the sequences that a replica holds, the type of cache and the engine's defaults for a
    card: it is kept apart, so that formats and cards share it.
    """

    request: PlanRequest
    wish: ServingWish
    stock: Stock
    evaluated: int = 0
    _beside: dict[tuple[object, ...], Beside] = field(default_factory=dict)
    _needs: dict[tuple[object, ...], Needs] = field(default_factory=dict)

    @property
    def concurrency(self) -> int:
        """Sequences wanted over all replicas."""
        return self.wish.concurrency or 1

    @property
    def profile(self) -> Profile:
        """The engine's profile of the version in question."""
        return self.wish.engine.profile(self.wish.engine_version)

    def serving(self, gpu: Gpu, form: Format, split: Split) -> Serving:
        """The question for one card, format and split."""
        frame = Frame(
            model=self.request.model.architecture,
            precision=form.precision,
            quantization=form.quantization,
            split=split,
            card=CardFacts(memory_bytes=gpu.memory_bytes, name=gpu.name),
        )
        wish = replace(self.wish, cache=form.cache)
        return resolved_serving(frame, wish, self.stock, Notes())

    def beside(self, gpu: Gpu, batch: BatchDefaults, form: Format) -> Beside:
        """What ways take beside the weights on cards of the same defaults, whatever the format."""
        key = (form.precision.id, form.cache.id, id(batch))
        found = self._beside.get(key)
        if found is None:
            found = self._beside[key] = Beside(workload=self, gpu=gpu, batch=batch, form=form)
        return found

    def stored(self, form: Format) -> Stored:
        """What decides the weights in a format."""
        return Stored(
            model=self.request.model.architecture,
            precision=form.precision,
            quantization=form.quantization,
            stated=self.wish.overrides.weights,
            engine=self.wish.engine,
            profile=self.profile,
        )

    def needs(self, gpu: Gpu, batch: BatchDefaults, form: Format) -> Needs:
        """What the heaviest stages take in a format on cards of the same defaults."""
        key = (form.stored_as, id(batch))
        found = self._needs.get(key)
        if found is None:
            found = self._needs[key] = Needs(workload=self, gpu=gpu, batch=batch, form=form)
        return found

    def least_weight_bytes(self, form: Format) -> int:
        """Weights of the whole model at the low bound: no split of them takes less in all. [B]"""
        return weight_loads(self.stored(form), WHOLE)[0].low

    def least_cached_bytes(self, cache: CachePrecision) -> int:
        """What one sequence caches at least over all ranks: no split takes less in all. [B]

        Windows alone, no block rounded up; nothing where the caller states a token's bytes.
        """
        if self.wish.overrides.kv_cache is not None:
            return 0
        context = self.wish.context_tokens or 1
        return (
            sum(
                layers
                * (row.row_bits(cache.bits) * row.resident_tokens(context, 0) // row.tokens_per_row)
                for row, layers in cache_rows(self.request.model.architecture, 1)
                if row.source == "context" and not row.staged
            )
            // BITS_PER_BYTE
        )


@dataclass(slots=True, kw_only=True)
class Beside:
    """What ways take beside the weights, at one precision, type of cache and defaults of a card.

    Splits share their rows at the same limits of a step, ways their loads at the same number of
    sequences.

    all_cached_bytes  what all sequences together cache at least
    """

    workload: Workload
    gpu: Gpu
    batch: BatchDefaults
    form: Format
    all_cached_bytes: int = field(init=False)
    _rows: dict[tuple[int, ...], Rows] = field(default_factory=dict)
    _loads: dict[tuple[int, ...], Loads] = field(default_factory=dict)
    _of: dict[Split, Loads] = field(default_factory=dict)
    _floors: dict[Split, WayFloor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Settle what every way shares."""
        one = self.workload.least_cached_bytes(self.form.cache)
        self.all_cached_bytes = self.workload.concurrency * one

    def of(self, way: Split) -> Loads:
        """Need of each stage beside its weights."""
        found = self._of.get(way)
        if found is None:
            held = ceil_div(self.workload.concurrency, way.data)
            key = (way.tensor, way.pipeline, way.expert, held)
            if key not in self._loads:
                self._loads[key] = self._new_loads(way, held)
            found = self._of[way] = self._loads[key]
        return found

    def _new_loads(self, way: Split, held: int) -> Loads:
        self.workload.evaluated += 1
        wish, risk = self.workload.wish, self.workload.request.risk
        limits = resolved_batch(wish, self.batch, held, wish.context_tokens or 1, Notes())
        key = (way.tensor, way.pipeline, way.expert, *limits)
        if key not in self._rows:
            self._rows[key] = rows(self.serving(way), risk)
        shared = self._rows[key]
        moved = moved_rows(self.serving(way), shared.others, risk) if shared.others else ()
        return loads(shared, held, moved, limits[1])

    def serving(self, way: Split) -> Serving:
        """The question for a way."""
        return self.workload.serving(self.gpu, self.form, way)

    def floor(self, way: Split) -> WayFloor:
        """What a way holds at least beside the weights."""
        found = self._floors.get(way)
        if found is None:
            found = self._floors[way] = way_floor(self.of(way))
        return found


@dataclass(slots=True, kw_only=True)
class Needs:
    """The heaviest stages of one format on cards of the same defaults, way by way.

    least_weight_bytes  weights of the whole model at the low bound
    """

    workload: Workload
    gpu: Gpu
    batch: BatchDefaults
    form: Format
    beside: Beside = field(init=False)
    stored: Stored = field(init=False)
    least_weight_bytes: int = field(init=False)
    _known: dict[Split, Heaviest] = field(default_factory=dict)
    _parts: dict[Split, tuple[Part, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Weigh the model."""
        self.beside = self.workload.beside(self.gpu, self.batch, self.form)
        self.stored = self.workload.stored(self.form)
        self.least_weight_bytes = self.workload.least_weight_bytes(self.form)

    def of(self, way: Split) -> Heaviest:
        """What the heaviest stages of a way take."""
        found = self._known.get(way)
        if found is None:
            policy, risk = self.workload.wish.engine.policy, self.workload.request.risk
            copy = split_of(way.tensor, way.pipeline, way.expert, 1)
            weights = tuple(at_risk(one, risk) for one in weight_loads(self.stored, copy))
            found = self._known[way] = heaviest(weights, self.beside.of(way), policy)
        return found

    def parts(self, way: Split) -> tuple[Part, ...]:
        """The terms of the stage that holds most inside the budget, without their words."""
        found = self._parts.get(way)
        if found is None:
            serving = self.workload.serving(self.gpu, self.form, way)
            found = self._parts[way] = fullest_parts(serving, self.workload.request.risk)
        return found
