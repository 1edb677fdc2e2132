"""Upper bounds on the speed of serving: what bandwidth, arithmetic and links allow at most."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from service.domain.architecture import Architecture, Stage, counts, kind_occurrences, stages
from service.domain.engine import Path
from service.domain.feed_forward import MixtureOfExperts
from service.domain.hardware import Gpu
from service.domain.physics import Bottleneck, Efficiency, Physics, Targets, Throughput
from service.domain.precision import Precision, Quantization
from service.domain.questions import Serving
from service.domain.serving_terms import sequence_cache_bytes
from service.domain.sums import weight_sums
from service.domain.tensors import Tensors, elements

GIGA = 10**9
TERA = 10**12
ACTIVATION_BYTES = 2
FLOPS_PER_WEIGHT = 2
ALL_REDUCES_PER_LAYER = 2
SIXTEEN_BIT = "fp16"
MILLISECONDS = 1000


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Rates of one device: bytes read, operations and bytes sent one way, each a second."""

    bandwidth: float
    flops: float
    link: float | None


def rates(gpu: Gpu, compute: str, granted: Efficiency) -> Rates | None:
    """A device's rates in one compute format; None where its data sheet is not known."""
    parts = gpu.devices_per_board if gpu.performance_scope == "board" else 1
    bandwidth, tflops = gpu.bandwidth_gb_per_s, gpu.dense_tflops.get(compute)
    tflops = tflops or gpu.dense_tflops.get(SIXTEEN_BIT)
    if bandwidth is None or tflops is None:
        return None
    link = gpu.interconnect.gb_per_s if gpu.interconnect else None
    one_way = link / 2 * GIGA * granted.interconnect if link else None
    return Rates(
        bandwidth=bandwidth / parts * GIGA * granted.bandwidth,
        flops=tflops / parts * TERA * granted.compute,
        link=one_way,
    )


def compute_format(
    physics: Physics, precision: Precision, quantization: Quantization, path: Path | None
) -> str:
    """The rate at which a quantization computes: its own where it is native, else its base's."""
    own = physics.compute.get(quantization.kernel)
    if own is not None and path == "native":
        return own
    base = {"float32": "fp32"}.get(precision.id, "bf16")
    return physics.compute.get(base, SIXTEEN_BIT)


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSums:
    """Weight bytes of one rank that a step reads: always, and of routed experts together."""

    always: tuple[int, ...]
    experts: tuple[int, ...]
    head: int


@lru_cache(maxsize=2048)
def read_sums(
    model: Architecture,
    quantization: Quantization,
    precision: Precision,
    tensor_parallel: int,
    expert_parallel: int,
) -> ReadSums:
    """Weight bytes that every block before each index reads, experts apart."""
    sums = weight_sums(model, quantization, precision, tensor_parallel, expert_parallel)
    routed = [routed_share(kind.tensors()) for kind in model.layer_kinds]
    always, experts = [0], [0]
    for place, index in enumerate(model.layer_order):
        size = sums.before[place + 1] - sums.before[place]
        part = int(size * routed[index])
        experts.append(experts[-1] + part)
        always.append(always[-1] + size - part)
    head = sums.embeddings if model.tied else sums.head
    return ReadSums(always=tuple(always), experts=tuple(experts), head=head)


def routed_share(tensors: Tensors) -> float:
    """Part of a block's weights that belongs to routed experts."""
    total = elements(tensors)
    routed = sum(tensor.elements for tensor in tensors if tensor.kind == "expert")
    return routed / total if total else 0.0


def touched_share(model: Architecture, sequences: int) -> float:
    """Expected part of the experts that a step of so many tokens touches.

    1 - (1 - k/E)^n

    k  experts a token   E  experts   n  tokens

    Holds when:  tokens choose evenly, which touches most.
    Source:      probability that none of n independent tokens takes a given expert.
    Checked by:  8 experts, 2 a token, 1 token: 0.25.
    """
    parts = [part for kind in model.layer_kinds for part in kind.feed_forwards]
    mixtures = [part for part in parts if isinstance(part, MixtureOfExperts)]
    share = max((part.active_experts / part.experts for part in mixtures), default=0.0)
    return 1 - (1 - share) ** sequences


@dataclass(frozen=True, slots=True, kw_only=True)
class StepTimes:
    """Seconds that one micro-batch takes on all stages, by what it waits for."""

    bandwidth: float
    compute: float
    interconnect: float

    @property
    def seconds(self) -> float:
        """Reading and computing overlap; sending does not."""
        return max(self.bandwidth, self.compute) + self.interconnect


def decode_times(serving: Serving, rate: Rates) -> StepTimes:
    """One token of every sequence of a micro-batch through all stages. [s]

    τ = Σ_stages max((W + n·M_s) / B, n·(2·P + 4·q·T) / F) + L·2·2(t-1)/t·n·h·2 / N

    W  weights read on a rank   n  sequences of a micro-batch   M_s  cache of a sequence
    P  active weights on a rank   q  query width   T  context   t  tensor ranks   h  hidden size
    B, F, N  bandwidth, operations and link of a card

    Holds when:  the context is full, reading and computing overlap, messages have no latency.
    Source:      Pope et al. 2022, arXiv 2211.05102, sections 2 and 3.
    Checked by:  70e9 parameters in 16 bit at 3.35 TB/s, one sequence: 41.9 ms.
    """
    model, split = serving.model, serving.split
    micro = max(1, serving.sequences // split.pipeline)
    sums = read_sums(model, serving.quantization, serving.precision, split.tensor, split.expert)
    touched = touched_share(model, micro)
    read = sum(
        stage_read_bytes(serving, sums, stage, touched, micro)
        for stage in stages(model, split.pipeline)
    )
    flops = micro * token_flops(model, serving.context_tokens) / split.tensor
    shared = 2 * (split.tensor - 1) / split.tensor
    sent = ALL_REDUCES_PER_LAYER * shared * model.layer_count * micro
    sent *= model.hidden_size * ACTIVATION_BYTES
    return StepTimes(
        bandwidth=read / rate.bandwidth,
        compute=flops / rate.flops,
        interconnect=sent / rate.link if rate.link else 0.0,
    )


def stage_read_bytes(
    serving: Serving, sums: ReadSums, stage: Stage, touched: float, micro: int
) -> float:
    """What a rank of a stage reads for one step: its weights and its sequences' caches. [B]"""
    always = sums.always[stage.stop] - sums.always[stage.start]
    experts = sums.experts[stage.stop] - sums.experts[stage.start]
    cached = micro * sequence_cache_bytes(serving, stage, serving.context_tokens)
    head = sums.head if stage.last else 0
    return always + touched * experts + head + cached


@lru_cache(maxsize=4096)
def token_flops(model: Architecture, context_tokens: int) -> int:
    """Operations of one token behind so many others, over all ranks.

    2·P + 4·Σ_layers q·T

    P  weights that a token multiplies by   q  query width   T  tokens that a layer looks back over
    """
    table = 0 if model.tied else elements(model.embeddings)
    weights = counts(model).active_parameters - table
    attention = 0
    for kind, times in zip(model.layer_kinds, kind_occurrences(model), strict=True):
        for mixer in kind.mixers:
            for row in mixer.cache_rows(1):
                seen = min(context_tokens, row.window_tokens or context_tokens)
                attention += 2 * FLOPS_PER_WEIGHT * mixer.query_width * seen * times
    return FLOPS_PER_WEIGHT * weights + attention


def prefill_seconds(serving: Serving, rate: Rates, prompt_tokens: int) -> float:
    """One prompt through one replica, all its cards at work. [s]

    τ_p = T·(2·P + 4·q·T/2) / (F·t·p)

    Holds when:  the prompt's chunks keep every stage busy.
    Source:      Pope et al. 2022, arXiv 2211.05102, section 2.
    Checked by:  8e9 parameters, 1,000 tokens, 1e15 operations a second: 16 ms.
    """
    flops = prompt_tokens * token_flops(serving.model, prompt_tokens // 2)
    return flops / (rate.flops * serving.split.ranks)


def throughput(serving: Serving, rate: Rates, targets: Targets) -> Throughput:
    """Upper bounds of one arrangement on one kind of card."""
    times = decode_times(serving, rate)
    first = prefill_seconds(serving, rate, targets.prompt_tokens)
    per_user = 1 / times.seconds
    replicas = serving.split.data
    busy = first + targets.output_tokens * times.seconds / max(1, serving.sequences)
    by_part: dict[Bottleneck, float] = {
        "bandwidth": times.bandwidth,
        "compute": times.compute,
        "interconnect": times.interconnect,
    }
    return Throughput(
        tokens_per_second_per_user=per_user,
        tokens_per_second=per_user * serving.sequences * replicas,
        first_token_ms=first * MILLISECONDS,
        requests_per_second=replicas / busy,
        limited_by=max(by_part, key=by_part.__getitem__),
    )


def missed_target(found: Throughput | None, targets: Targets) -> str | None:
    """Which target an arrangement cannot reach even at its upper bound; None where it may."""
    if found is None:
        return "the card's bandwidth or arithmetic is not known, so no target can be judged"
    user, rate, first = (
        targets.tokens_per_second_per_user,
        targets.requests_per_second,
        targets.first_token_ms,
    )
    if user is not None and found.tokens_per_second_per_user < user:
        return (
            f"at most {found.tokens_per_second_per_user:.1f} tokens a second a user "
            f"({found.limited_by}), {user:g} are wanted"
        )
    if rate is not None and found.requests_per_second < rate:
        return f"at most {found.requests_per_second:.2f} requests a second, {rate:g} are wanted"
    if first is not None and found.first_token_ms > first:
        return f"the first token takes at least {found.first_token_ms:.0f} ms, {first:g} are wanted"
    return None
