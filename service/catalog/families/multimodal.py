"""Models of several modalities: which decoder stands under which towers, one line a family."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from service.catalog.families import gemma_towers, projectors
from service.catalog.families.audio import whisper
from service.catalog.families.decoder import Facts
from service.catalog.families.mllama_vision import mllama_towers
from service.catalog.families.nested import sections
from service.catalog.families.projectors import linear, stacked
from service.catalog.families.reading import Config
from service.catalog.families.wrapping import (
    AUDIO_SECTION,
    VISION_SECTION,
    Wrapper,
    around,
    around_any,
    merged_patches,
    one_tower,
    stated,
    with_projector,
)
from service.domain.architecture import Tower
from service.domain.tensors import Tensors, matrix, vector

VOXTRAL_FRAMES_PER_TOKEN = 4


def voxtral(config: Config, text: Facts) -> tuple[Tower, ...]:
    """Whisper's encoder; four frames together become one token."""
    audio = config.section(AUDIO_SECTION)
    bias = config.flag("multimodal_projector_bias")
    width = audio.integer("intermediate_size")
    ahead = stacked(width, text.hidden_size, text.hidden_size, bias=bias)
    frames = audio.integer("max_source_positions", default=1500)
    return (
        with_projector(whisper(audio, positions=True), ahead, frames // VOXTRAL_FRAMES_PER_TOKEN),
    )


def omni(config: Config, text: Facts) -> tuple[Tower, ...]:
    """Qwen 2.5 Omni's thinker: Qwen 2.5 VL's eye and Whisper's ear with sinusoidal positions."""
    eye = one_tower("qwen2_5_vl_vision", projectors.qwen2_5_merger)(config, text)
    audio = config.section(AUDIO_SECTION)
    outputs = audio.integer("output_dim", default=text.hidden_size)
    ear = whisper(audio, positions=False)
    ahead = (
        vector("audio_bos_eos", "projector", 2 * outputs),
        *linear("proj", outputs, ear.hidden_size),
    )
    return (*eye, with_projector(ear, ahead))


def omni3(config: Config, text: Facts) -> tuple[Tower, ...]:
    """Qwen 3 Omni's thinker: Qwen 3 VL's eye, and an ear behind three strided convolutions."""
    eye = one_tower("qwen3_vl_vision", projectors.patch_merger)(config, text)
    audio = config.section(AUDIO_SECTION)
    hidden = audio.integer("d_model")
    channels = audio.integer("downsample_hidden_size", default=480)
    ear = whisper(audio, positions=False, key_bias=True, stem=_strided(audio, channels, hidden))
    outputs = audio.integer("output_dim", default=text.hidden_size)
    return (*eye, with_projector(ear, stacked(hidden, hidden, outputs)))


def _strided(audio: Config, channels: int, hidden: int) -> Tensors:
    """Three convolutions that halve the spectrogram, and one matrix over what is left of it."""
    mel = audio.integer("num_mel_bins", default=128)
    return (
        matrix("conv2d1", "convolution", channels, 9),
        *(matrix("conv2d", "convolution", channels, 9 * channels),) * 2,
        *(vector("conv2d.bias", "bias", channels),) * 3,
        matrix("conv_out", "mlp", hidden, channels * -(-mel // 8)),
    )


INTERNVL = around("qwen2", "internvl_vision", projectors.internvl, stated("image_seq_length", 256))
QWEN2_VL = around("qwen2_vl_text", "qwen2_vl_vision", projectors.qwen2_merger)
QWEN2_5_VL = around("qwen2_5_vl_text", "qwen2_5_vl_vision", projectors.qwen2_5_merger)
KIMI = around("deepseek_v3", "moonvit", projectors.kimi)
OMNI = Wrapper(
    text="qwen2_5_omni_text",
    towers=omni,
    classes={VISION_SECTION: "qwen2_5_vl_vision", AUDIO_SECTION: "omni_audio"},
)
OMNI3 = Wrapper(
    text="qwen3_omni_moe_text",
    towers=omni3,
    classes={VISION_SECTION: "qwen3_vl_vision", AUDIO_SECTION: "omni_audio"},
)
THINKER_NOTE = "only the thinker is counted, which engines serve; what makes speech is left out"

WRAPPERS: Mapping[str, Wrapper] = {
    "aya_vision": around_any(
        "cohere2", "siglip_vision_model", projectors.aya, merged_patches("downsample_factor", 2)
    ),
    "ernie4_5_vl_moe": around("ernie4_5_vl_moe_text", "ernie4_5_vl_moe_vision", projectors.ernie),
    "gemma3": around(
        "gemma3_text",
        "siglip_vision_model",
        projectors.gemma3,
        stated("mm_tokens_per_image", 256),
    ),
    "gemma3n": Wrapper(
        text="gemma3n_text",
        towers=gemma_towers.gemma3n,
        classes={VISION_SECTION: "gemma3n_vision", AUDIO_SECTION: "gemma3n_audio"},
    ),
    "gemma4": Wrapper(
        text="gemma4_text", towers=gemma_towers.gemma4, buffers=gemma_towers.standardization
    ),
    "gemma4_unified": Wrapper(text="gemma4_unified_text", towers=gemma_towers.unified),
    "glm4v": around("glm4v_text", "glm4v_vision", projectors.glm4v),
    "glm4v_moe": around("glm4v_moe_text", "glm4v_vision", projectors.glm4v),
    "idefics3": around(
        "llama", "idefics3_vision", projectors.idefics3, merged_patches("scale_factor", 2)
    ),
    "internvl": INTERNVL,
    "internvl_chat": INTERNVL,
    "kimi_k25": KIMI,
    "kimi_k3": KIMI,
    "kimi_vl": KIMI,
    "llama4": around(
        "llama4_text", "llama4_vision_model", projectors.llama4, merged_patches("", 2)
    ),
    "llava": around_any("llama", "clip_vision_model", projectors.llava, merged_patches()),
    "llava_next": around_any(
        "llama", "clip_vision_model", projectors.llava_with_newline, merged_patches()
    ),
    "llava_onevision": around_any(
        "qwen2", "siglip_vision_model", projectors.llava_with_newline, merged_patches()
    ),
    "minimax_m3_vl": around("minimax_m3_vl_text", "minimax_m3_vision", projectors.minimax_m3),
    "mistral3": around_any("mistral", "pixtral", projectors.mistral3),
    "mllama": Wrapper(
        text="mllama_text_model",
        towers=mllama_towers,
        classes={VISION_SECTION: "mllama_vision_model"},
    ),
    "muse_glimmer": around("muse_glimmer_text", "muse_glimmer_vision", projectors.muse_glimmer),
    "paligemma": around("gemma", "siglip_vision_model", projectors.paligemma, merged_patches()),
    "qwen2_5_omni": replace(OMNI, inner="thinker_config", note=THINKER_NOTE),
    "qwen2_5_omni_thinker": OMNI,
    "qwen2_5_vl": QWEN2_5_VL,
    "qwen2_vl": QWEN2_VL,
    "qwen3_5": around("qwen3_5_text", "qwen3_5_vision", projectors.patch_merger),
    "qwen3_5_moe": around("qwen3_5_moe_text", "qwen3_5_vision", projectors.patch_merger),
    "qwen3_omni_moe": replace(OMNI3, inner="thinker_config", note=THINKER_NOTE),
    "qwen3_omni_moe_thinker": OMNI3,
    "qwen3_vl": around("qwen3_vl_text", "qwen3_vl_vision", projectors.patch_merger),
    "qwen3_vl_moe": around("qwen3_vl_moe_text", "qwen3_vl_vision", projectors.patch_merger),
    "voxtral": Wrapper(text="llama", towers=voxtral, classes={AUDIO_SECTION: "voxtral_encoder"}),
}


def wrapped(config: Config, wrapper: Wrapper, decoder: Callable[[Config], Facts]) -> Facts:
    """A decoder with its towers; `decoder` reads the text section by its own model type."""
    outer = config.section(wrapper.inner) if wrapper.inner else config
    if wrapper.inner and not config.has(wrapper.inner):
        raise config.wrong(wrapper.inner, "is missing")
    parts = sections(outer, wrapper.text, wrapper.classes)
    text = decoder(parts.text)
    notes = (*text.notes, *parts.notes, *((wrapper.note,) if wrapper.note else ()))
    return replace(
        text,
        towers=(*text.towers, *wrapper.towers(parts.whole, text)),
        checkpoint_extras=(*text.checkpoint_extras, *wrapper.buffers(parts.whole)),
        notes=notes,
    )
