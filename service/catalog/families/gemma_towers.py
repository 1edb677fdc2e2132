"""Towers of Gemma 3n and 4."""

from __future__ import annotations

from service.catalog.families.audio import gemma_conformer
from service.catalog.families.decoder import Facts
from service.catalog.families.mobilenet import mobilenet
from service.catalog.families.nested import extent
from service.catalog.families.projectors import linear, scale
from service.catalog.families.reading import Config
from service.catalog.families.vision_towers import gemma4 as gemma4_vision
from service.catalog.families.wrapping import AUDIO_SECTION, VISION_SECTION, with_projector
from service.domain.architecture import Tower
from service.domain.tensors import Tensors, vector

RGB = 3


def _embedder(name: str, section: Config, text: int) -> Tensors:
    """Gemma 3n: a table of a modality's own tokens, two norms and one matrix."""
    hidden = section.integer("hidden_size")
    return (
        *linear(f"{name}.table", section.integer("vocab_size", default=128), hidden, bias=False),
        *scale(f"{name}.hard_norm", hidden),
        *scale(f"{name}.soft_norm", hidden),
        *linear(f"{name}.projection", text, hidden, bias=False),
    )


def gemma3n(config: Config, text: Facts) -> tuple[Tower, ...]:
    """A convolutional eye and a conformer for an ear."""
    vision, audio = config.section(VISION_SECTION), config.section(AUDIO_SECTION)
    named = vision.text("architecture")
    if named is not None and not named.startswith("mobilenetv5_300m"):
        raise vision.wrong("architecture", "must be mobilenetv5_300m_enc, the only tower known")
    eye = mobilenet(
        config.integer("vision_soft_tokens_per_image", default=256),
        _embedder("embed_vision", vision, text.hidden_size),
    )
    ear = with_projector(
        gemma_conformer(audio),
        _embedder("embed_audio", audio, text.hidden_size),
        config.integer("audio_soft_tokens_per_image", default=188),
    )
    return (eye, ear)


def gemma4(config: Config, text: Facts) -> tuple[Tower, ...]:
    """The towers that the config has: the smaller models hear, the larger only see."""
    found: list[Tower] = []
    if config.has(VISION_SECTION):
        section = config.section(VISION_SECTION)
        shape = gemma4_vision(section)
        ahead = linear("embed_vision", text.hidden_size, shape.hidden_size, bias=False)
        tokens = section.integer("default_output_length", default=280)
        found.append(
            shape.tower(ahead, config.integer("vision_soft_tokens_per_image", default=tokens))
        )
    if config.has(AUDIO_SECTION):
        audio = config.section(AUDIO_SECTION)
        width = audio.integer("output_proj_dims", default=audio.integer("hidden_size"))
        ahead = linear("embed_audio", text.hidden_size, width, bias=False)
        found.append(with_projector(gemma_conformer(audio), ahead))
    return tuple(found)


def standardization(config: Config) -> tuple[tuple[str, int], ...]:
    """Mean and scale of vision features, which Gemma 4's files hold as buffers."""
    section = config.section(VISION_SECTION)
    if not section.flag("standardize"):
        return ()
    return (("mean and scale of vision features", 2 * section.integer("hidden_size")),)


def unified(config: Config, text: Facts) -> tuple[Tower, ...]:
    """Gemma 4 without towers: patches and sound go through projections alone."""
    found: list[Tower] = []
    if config.has(VISION_SECTION):
        found.append(_bare("vision", config.section(VISION_SECTION), text.hidden_size))
    if config.has(AUDIO_SECTION):
        width = config.section(AUDIO_SECTION).integer("audio_embed_dim", default=640)
        projector = linear("embed_audio", text.hidden_size, width, bias=False)
        found.append(_projections("audio", text.hidden_size, projector))
    return tuple(found)


def _bare(name: str, section: Config, text: int) -> Tower:
    rows, columns = extent(section, "patch_size", default=16)
    pooled = section.integer("pooling_kernel_size", default=3)
    pixels = RGB * rows * columns * pooled**2
    width = section.integer("mm_embed_dim", default=text)
    positions = section.integer("mm_posemb_size", default=1120)
    outputs = section.integer("output_proj_dims", default=width)
    projector = (
        vector("pos_embedding", "projector", 2 * positions * width),
        *scale("patch_ln1", pixels, bias=True),
        *linear("patch_dense", width, pixels),
        *scale("patch_ln2", width, bias=True),
        *scale("pos_norm", width, bias=True),
        *linear("embedding_projection", text, outputs, bias=False),
    )
    return _projections(name, text, projector)


def _projections(name: str, hidden: int, projector: Tensors) -> Tower:
    return Tower(
        name=name,
        modality="vision" if name == "vision" else "audio",
        hidden_size=hidden,
        layer_kinds=(),
        layer_order=(),
        after=projector,
    )
