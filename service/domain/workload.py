"""One request's workload on any way to spread it: what each stage takes, worked out once."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from service.domain.candidates import Format
from service.domain.hardware import Gpu
from service.domain.judging import stages_of
from service.domain.loads import Heaviest, Loads, Rows, heaviest, loads_beside_weights, weight_loads
from service.domain.profiles import BatchDefaults, Profile
from service.domain.questions import Placement, Serving, Split
from service.domain.requests import PlanRequest, ServingWish, Stock
from service.domain.resolving import CardFacts, Frame, Notes, resolved_serving
from service.domain.serving_terms import weight_amount
from service.domain.units import ceil_div

WHOLE = Split()


@dataclass(slots=True, kw_only=True)
class Workload:
    """What a model and its sequences take, by format and way.

    Weights depend on the format and the split, everything else on the split, the sequences that a
    replica holds, the type of cache and the engine's defaults for a card: each is kept apart, so
    that formats and cards share them.
    """

    request: PlanRequest
    wish: ServingWish
    stock: Stock
    evaluated: int = 0
    _loads: dict[tuple[object, ...], Loads] = field(default_factory=dict)
    _rows: dict[tuple[object, ...], Rows] = field(default_factory=dict)
    _weights: dict[tuple[object, ...], tuple[int, ...]] = field(default_factory=dict)
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

    def loads(self, gpu: Gpu, batch: BatchDefaults, form: Format, way: Split) -> Loads:
        """Need of each stage beside its weights; shared by all cards of the same defaults."""
        held = ceil_div(self.concurrency, way.data)
        shape = (way.tensor, way.pipeline, way.expert, held)
        key = (shape, form.precision.id, form.cache.id, id(batch))
        found = self._loads.get(key)
        if found is None:
            self.evaluated += 1
            serving = self.serving(gpu, form, way)
            rows = self._rows.setdefault(key[1:], {})
            found = self._loads[key] = loads_beside_weights(serving, self.request.risk, rows)
        return found

    def weights(self, form: Format, way: Split) -> tuple[int, ...]:
        """Weights of each stage, the same on every card. [B]"""
        shape = (way.tensor, way.pipeline, way.expert)
        key = (shape, form.precision.id, id(form.quantization))
        found = self._weights.get(key)
        if found is None:
            placement = Placement(
                model=self.request.model.architecture,
                precision=form.precision,
                quantization=form.quantization,
                split=way,
                overrides=self.wish.overrides,
            )
            found = weight_loads(placement, self.wish.engine, self.profile, self.request.risk)
            self._weights[key] = found
        return found

    def needs(self, gpu: Gpu, batch: BatchDefaults, form: Format) -> Needs:
        """What the heaviest stages take in a format on cards of the same defaults."""
        key = (id(form.quantization), form.precision.id, form.cache.id, id(batch))
        found = self._needs.get(key)
        if found is None:
            found = self._needs[key] = Needs(workload=self, gpu=gpu, batch=batch, form=form)
        return found

    def least_weight_bytes(self, form: Format) -> int:
        """Weights of the whole model at the low bound: no split of them takes less in all. [B]"""
        placement = Placement(
            model=self.request.model.architecture,
            precision=form.precision,
            quantization=form.quantization,
            split=WHOLE,
            overrides=self.wish.overrides,
        )
        stage = stages_of(placement)[0]
        return weight_amount(placement, self.wish.engine, self.profile, stage).low


@dataclass(slots=True, kw_only=True)
class Needs:
    """The heaviest stages of one format on cards of the same defaults, way by way."""

    workload: Workload
    gpu: Gpu
    batch: BatchDefaults
    form: Format
    known: dict[Split, Heaviest] = field(default_factory=dict)

    def of(self, way: Split) -> Heaviest:
        """What the heaviest stages of a way take."""
        found = self.known.get(way)
        if found is None:
            loads = self.workload.loads(self.gpu, self.batch, self.form, way)
            weights, policy = (
                self.workload.weights(self.form, way),
                self.workload.wish.engine.policy,
            )
            found = self.known[way] = heaviest(weights, loads, policy)
        return found
