"""Projectors: what carries a tower's features into the decoder's hidden size, one a function."""

from __future__ import annotations

from service.catalog.families.nested import extent
from service.catalog.families.reading import MAX_LAYERS, Config
from service.domain.tensors import Tensors, matrix, vector


def linear(name: str, outputs: int, inputs: int, *, bias: bool = True) -> Tensors:
    """One linear layer."""
    added = (vector(f"{name}.bias", "projector", outputs),) if bias else ()
    return (matrix(name, "projector", outputs, inputs), *added)


def scale(name: str, size: int, *, bias: bool = False) -> Tensors:
    """A norm, or another learned vector."""
    added = (vector(f"{name}.bias", "projector", size),) if bias else ()
    return (vector(name, "projector", size), *added)


def stacked(inputs: int, inner: int, outputs: int, *, bias: bool = True) -> Tensors:
    """Two linear layers."""
    return (
        *linear("linear_1", inner, inputs, bias=bias),
        *linear("linear_2", outputs, inner, bias=bias),
    )


def llava(config: Config, vision: int, text: int) -> Tensors:
    """LLaVA: two layers over the features of one or several blocks."""
    layers = config.items("vision_feature_layer") if _is_list(config) else None
    inputs = vision * len(layers or (0,))
    bias = config.flag("multimodal_projector_bias", default=True)
    return stacked(inputs, text, text, bias=bias)


def _is_list(config: Config) -> bool:
    return isinstance(config.data.get("vision_feature_layer"), list)


def llava_with_newline(config: Config, vision: int, text: int) -> Tensors:
    """LLaVA-NeXT and OneVision: as LLaVA, with a learned feature at the end of image rows."""
    return (*scale("image_newline", text), *llava(config, vision, text))


def mistral3(config: Config, vision: int, text: int) -> Tensors:
    """Mistral 3: a norm, a merger of neighbouring patches, and two layers."""
    merge = config.integer("spatial_merge_size", default=2)
    bias = config.flag("multimodal_projector_bias")
    return (
        *scale("norm", vision),
        *linear("patch_merger", vision, vision * merge**2, bias=False),
        *stacked(vision, text, text, bias=bias),
    )


def gemma3(config: Config, vision: int, text: int) -> Tensors:
    """Gemma 3: one matrix behind a norm."""
    del config
    return (*linear("mm_input_projection", text, vision, bias=False), *scale("norm", vision))


def paligemma(config: Config, vision: int, text: int) -> Tensors:
    """PaliGemma: one linear layer."""
    del config
    return linear("linear", text, vision)


def idefics3(config: Config, vision: int, text: int) -> Tensors:
    """Idefics 3 and SmolVLM: neighbouring patches together through one matrix."""
    return linear("proj", text, vision * config.integer("scale_factor", default=2) ** 2, bias=False)


def internvl(config: Config, vision: int, text: int) -> Tensors:
    """InternVL: neighbouring patches together through a norm and two layers."""
    ratio = config.number("downsample_ratio", 0.5)
    if not 0 < ratio <= 1:
        raise config.wrong("downsample_ratio", "must be more than 0 and at most 1")
    inputs = vision * round(1 / ratio) ** 2
    return (*scale("layer_norm", inputs, bias=True), *stacked(inputs, text, text))


def aya(config: Config, vision: int, text: int) -> Tensors:
    """Aya Vision: a norm over merged patches, then a gated pair of layers."""
    inner = config.integer("alignment_intermediate_size", default=text)
    inputs = vision * config.integer("downsample_factor", default=2) ** 2
    return (
        *scale("layernorm", inputs, bias=True),
        *linear("linear_1", inner, inputs),
        *linear("linear_2", text, inner // 2),
    )


def mllama(config: Config, vision: int, text: int) -> Tensors:
    """Llama 3.2 Vision: one linear layer over the features of several blocks together."""
    del vision
    width = config.section("vision_config").integer("vision_output_dim")
    return linear("multi_modal_projector", text, width)


def llama4(config: Config, vision: int, text: int) -> Tensors:
    """Llama 4: one matrix from the vision adapter's output."""
    del vision
    section = config.section("vision_config")
    return linear("linear_1", text, section.integer("vision_output_dim"), bias=False)


def patch_merger(config: Config, vision: int, text: int, *, norm_bias: bool = True) -> Tensors:
    """Qwen-VL: merged patches through two layers; Qwen 3 has further mergers for early blocks."""
    section = config.section("vision_config")
    inner = vision * section.integer("spatial_merge_size", default=2) ** 2
    outputs = section.integer("out_hidden_size", default=text)
    depth = section.integer("depth", high=MAX_LAYERS)
    deep = len(section.whole_numbers("deepstack_visual_indexes", below=depth) or ())
    merger = (*scale("norm", inner, bias=True), *stacked(inner, inner, outputs))
    return (
        *scale("norm", vision, bias=norm_bias),
        *stacked(inner, inner, outputs),
        *(tensor for _ in range(deep) for tensor in merger),
    )


def qwen2_merger(config: Config, vision: int, text: int) -> Tensors:
    """Qwen 2 VL: `hidden_size` of the tower's section is the decoder's."""
    section = config.section("vision_config")
    outputs = section.integer("hidden_size", default=text)
    inner = vision * section.integer("spatial_merge_size", default=2) ** 2
    return (*scale("norm", vision, bias=True), *stacked(inner, inner, outputs))


def qwen2_5_merger(config: Config, vision: int, text: int) -> Tensors:
    """Qwen 2.5 VL: a norm without bias."""
    return patch_merger(config, vision, text, norm_bias=False)


def glm4v(config: Config, vision: int, text: int) -> Tensors:
    """GLM 4V: a convolution that merges patches, then a gated feed-forward behind a norm."""
    section = config.section("vision_config")
    outputs = section.integer("out_hidden_size", default=text)
    width = section.integer("intermediate_size")
    merge = section.integer("spatial_merge_size", default=2)
    return (
        *linear("downsample", outputs, vision * merge**2),
        *linear("proj", outputs, outputs, bias=False),
        *scale("post_projection_norm", outputs, bias=True),
        *linear("gate_proj", width, outputs, bias=False),
        *linear("up_proj", width, outputs, bias=False),
        *linear("down_proj", outputs, width, bias=False),
    )


def ernie(config: Config, vision: int, text: int) -> Tensors:
    """ERNIE 4.5 VL: one pair of layers merges patches, another frames, then one to the text."""
    section = config.section("vision_config")
    inner = vision * section.integer("spatial_merge_size", default=2) ** 2
    frames = section.integer("temporal_merge_size", default=2)
    pairs = tuple(
        tensor
        for inputs in (inner, inner * frames)
        for tensor in (*stacked(inputs, inner, inner), *scale("ln", inner, bias=True))
    )
    return (*pairs, *linear("mlp", text, inner), *scale("after_norm", text))


def kimi(config: Config, vision: int, text: int) -> Tensors:
    """The Kimis: a norm over patches, then two layers over merged patches."""
    section = config.section("vision_config")
    rows, columns = extent(section, "merge_kernel_size", default=2)
    inner = vision * rows * columns
    bias = section.flag("linear_bias", default=True)
    return (*scale("pre_norm", vision, bias=bias), *stacked(inner, inner, text, bias=bias))


def muse_glimmer(config: Config, vision: int, text: int) -> Tensors:
    """Muse Glimmer: an adapter of two layers over merged patches, and a projection."""
    merge = config.section("vision_config").integer("merge_size", default=2)
    inputs = config.integer("out_hidden_size", default=vision * merge**2)
    inner = config.integer("projector_hidden_size", default=text)
    adapter = stacked(inputs, inner, inner, bias=False)
    return (*adapter, *linear("vision_projection", text, inner, bias=False))


def minimax_m3(config: Config, vision: int, text: int) -> Tensors:
    """MiniMax M3: two layers over patches, two more over merged patches."""
    section = config.section("vision_config").section("img_token_compression_config")
    merge = section.integer("spatial_merge_size", default=2)
    inner = config.integer("projector_hidden_size", default=text)
    return (*stacked(vision, inner, text), *stacked(text * merge**2, inner, text))
