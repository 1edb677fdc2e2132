"""CUDA graphs that vLLM captures: how many sizes, and what they take."""

from __future__ import annotations

from collections.abc import Mapping

from service.domain.architecture import Stage, counts
from service.domain.engines.vllm.profile import profile_of
from service.domain.forms import TermForm
from service.domain.mixers import LatentAttention
from service.domain.profiles import by_ranks
from service.domain.questions import Serving
from service.domain.results import Side, Value
from service.domain.units import bytes_of_gib

SMALL_SIZES = (1, 2, 4)
FINE_UP_TO, FINE_STEP = 256, 8
COARSE_STEP = 16
DEFAULT_SIZES = 51
"""Sizes up to 512, for which the profile states what graphs take."""


def sizes(largest: int) -> int:
    """Number of batch sizes that are captured up to the largest.

    1, 2, 4, then 8 to 256 by 8, then on by 16.

    >>> sizes(512), sizes(1024), sizes(8)
    (51, 83, 4)
    """
    small = sum(size <= largest for size in SMALL_SIZES)
    fine = min(largest, FINE_UP_TO) // FINE_STEP
    return small + fine + max(0, largest - FINE_UP_TO) // COARSE_STEP


def captured_sizes(serving: Serving) -> int:
    """Sizes that this question's graphs have."""
    profile = profile_of(serving)
    most = profile.graph_limit_by_family.get(serving.model.family, profile.graph_limit)
    return sizes(min(2 * serving.max_sequences, most))


def latent(serving: Serving) -> bool:
    """Whether attention keeps a latent row."""
    kinds = serving.model.layer_kinds
    return any(isinstance(mixer, LatentAttention) for kind in kinds for mixer in kind.mixers)


def cuda_graphs(serving: Serving, stage: Stage) -> int:
    """Memory of captured CUDA graphs. [B]

    M_g = (g_0 + g_1·L + g_m·[experts] + g_l·[latent] - g_t(t))·n/51

    g_0, g_1, g_m, g_l, g_t  constants of the profile   L  layers on the stage
    t  tensor-parallel ranks   n  sizes that are captured, 51 by default

    Holds when:  sizes are the engine's own.
    Source:      vLLM `v1/worker/gpu_model_runner.py`, capture_model; `config/compilation.py`;
                 constants from start-up logs, in the profile.
    Checked by:  a dense model of 32 layers at 0.35 + 0.017 a layer: 0.89 GiB.
    """
    profile = profile_of(serving)
    gib = profile.graph_base_gib + profile.graph_layer_gib * stage.layers
    gib += profile.graph_mixture_gib if counts(serving.model).mixture else 0.0
    gib += profile.graph_latent_gib if latent(serving) else 0.0
    gib -= by_ranks(profile.graph_rank_gib, serving.split.tensor)
    return bytes_of_gib(gib * captured_sizes(serving) / DEFAULT_SIZES)


def graph_values(serving: Serving, stage: Stage) -> Mapping[str, Value]:
    """What decides the graphs."""
    return {
        "layers": stage.layers,
        "sizes": captured_sizes(serving),
        "tensor_parallel": serving.split.tensor,
    }


def graph_side(serving: Serving) -> Side:
    """Inside the share from the version on that reserves graphs before it sizes the cache."""
    return "inside" if profile_of(serving).graphs_in_budget else "beside"


CUDA_GRAPHS = TermForm(
    name="cuda_graphs",
    follows_held=False,
    expected=cuda_graphs,
    values=graph_values,
    formula="(base + per layer x layers + experts + latent - ranks) x sizes / 51",
    provenance="calibrated",
    source="graph_base_gib",
    side=graph_side,
    present=lambda serving: serving.cuda_graphs,
)
