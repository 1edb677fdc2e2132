"""Rotary tables: how many positions a config's scaling stretches them to, and how wide they are.

Source: vLLM 0.19 `model_executor/layers/rotary_embedding/`, get_rope and the classes it names.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from service.catalog.families.nested import TEXT_SECTIONS
from service.catalog.families.reading import MAX_TOKENS, Config
from service.domain.architecture import Architecture
from service.domain.manners import RotaryTable
from service.domain.mixers import Attention, LatentAttention, Mixer

SCALINGS = ("rope_parameters", "rope_scaling")
PARTIAL = ("partial_rotary_factor", "rotary_pct")
LOCAL_BASES = ("rope_local_base_freq", "local_rope_theta", "swa_rope_theta")
FULL, SLIDING = "full_attention", "sliding_attention"
MOST_FACTOR = 1024.0
SECTIONED = 4
"""Positions in time, height and width reach four times as far, for long videos."""

Stretch = Callable[[int, int, float], int]


def by_factor(positions: int, original: int, factor: float) -> int:
    """The config's positions, stretched."""
    del original
    return int(positions * factor)


def from_original(positions: int, original: int, factor: float) -> int:
    """The positions of pretraining, stretched."""
    del positions
    return int(original * factor)


def both(positions: int, original: int, factor: float) -> int:
    """One table for short contexts and one for long ones."""
    del factor
    return original + positions


STRETCHES: Mapping[str, Stretch] = {
    "linear": by_factor,
    "dynamic": by_factor,
    "ntk": by_factor,
    "yarn": from_original,
    "longrope": both,
    "su": both,
}


def rotary_tables(config: Config, built: Architecture) -> tuple[RotaryTable, ...]:
    """Distinct tables of a decoder; none where positions are learned or there are no limits."""
    if built.context_limit is None or any(t.kind == "position" for t in built.embeddings):
        return ()
    text = _decoder_section(config)
    scaling = next((text.section(key) for key in SCALINGS if text.has(key)), text.section("rope"))
    mixers = [mixer for kind in built.layer_kinds for mixer in kind.mixers]
    sliding = [mixer for mixer in mixers if getattr(mixer, "window_tokens", 0)]
    full = [mixer for mixer in mixers if mixer not in sliding]
    parts: tuple[tuple[list[Mixer], Config], ...]
    if scaling.has(FULL, SLIDING):
        parts = ((full, scaling.section(FULL)), (sliding, scaling.section(SLIDING)))
    elif text.has(*LOCAL_BASES):
        parts = ((full, scaling), (sliding, text.section("rope")))
    else:
        parts = ((mixers, scaling),)
    found = [
        _table(width, one, text, built.context_limit)
        for own, one in parts
        for width in _widths(own)
    ]
    return tuple(table for table in found if table.features)


def _decoder_section(config: Config) -> Config:
    whole = config.section("thinker_config") if config.has("thinker_config") else config
    key = next((name for name in TEXT_SECTIONS if whole.has(name)), None)
    return whole.section(key) if key else whole


def _widths(mixers: Iterable[Mixer]) -> tuple[int, ...]:
    """Distinct numbers of features of a head that may be rotated."""
    found = dict.fromkeys(
        mixer.rope_head_dim if isinstance(mixer, LatentAttention) else -mixer.head_dim
        for mixer in mixers
        if isinstance(mixer, LatentAttention)
        or (isinstance(mixer, Attention) and mixer.rotation != "none" and mixer.keeps != "encoder")
    )
    return tuple(found)


def _table(width: int, scaling: Config, text: Config, limit: int) -> RotaryTable:
    """One table; a negative width is that of a whole head, of which a part may be rotated."""
    source = next((part for part in (scaling, text) if part.has(*PARTIAL)), text)
    key = next((name for name in PARTIAL if source.has(name)), PARTIAL[0])
    share = min(1.0, max(0.0, source.number(key, 1.0))) if width < 0 else 1.0
    factor = min(MOST_FACTOR, max(1.0, scaling.number("factor", 1.0)))
    original = scaling.integer(
        "original_max_position_embeddings", default=limit, low=1, high=MAX_TOKENS
    )
    stretch = STRETCHES.get(scaling.text("rope_type", "type") or "")
    positions = stretch(limit, original, factor) if stretch else limit
    if scaling.has("mrope_section"):
        positions *= SECTIONED
    return RotaryTable(positions=positions, features=int(abs(width) * share))
