"""Model families: from a config.json to an architecture, one table of builders by model type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from difflib import get_close_matches

from service.catalog.families import (
    convolution,
    diffusion,
    encoder,
    encoder_decoder,
    gemma,
    hybrid,
    linear_attention,
    llama_like,
    mixtures,
    multimodal_text,
    phi_multimodal,
    plain,
    sound,
    sparse_attention,
    sparse_decoders,
    state_space,
    unet,
    uneven,
    vision_models,
    zamba,
)
from service.catalog.families.assumed import assumed_decoder
from service.catalog.families.computed import computed
from service.catalog.families.declared.section import declared_quantization
from service.catalog.families.declared_precision import declared_precision
from service.catalog.families.decoder import Facts, decoder
from service.catalog.families.multimodal import WRAPPERS, wrapped
from service.catalog.families.nested import declarations
from service.catalog.families.reading import WHOLE, Config
from service.catalog.families.rotary import rotary_tables
from service.domain.architecture import Architecture
from service.domain.errors import UnknownName

Builder = Callable[[Config], Facts]
MODEL_TYPE = ("model_type", "_class_name")
"""The key that names the family: transformers' configs have the first, diffusers' the second."""

FAMILIES: Mapping[str, Builder] = {
    "AutoencoderKL": unet.autoencoder,
    "FluxTransformer2DModel": diffusion.flux,
    "QwenImageTransformer2DModel": diffusion.qwen_image,
    "SD3Transformer2DModel": diffusion.stable_diffusion_3,
    "UNet2DConditionModel": unet.unet,
    "WanTransformer3DModel": diffusion.wan,
    "afmoe": sparse_decoders.afmoe,
    "albert": encoder.albert,
    "apertus": plain.apertus,
    "arcee": plain.arcee,
    "arctic": sparse_decoders.arctic,
    "baichuan": llama_like.llama,
    "bailing_moe": mixtures.bailing,
    "bamba": hybrid.bamba,
    "bart": encoder_decoder.bart,
    "bert": encoder.bert,
    "bitnet": uneven.bitnet,
    "bloom": plain.bloom,
    "chatglm": llama_like.chatglm,
    "clip": vision_models.clip,
    "codegen": plain.gptj,
    "cohere": llama_like.cohere,
    "cohere2": llama_like.cohere2,
    "dbrx": mixtures.dbrx,
    "deberta-v2": encoder.deberta_v2,
    "deepseek": mixtures.deepseek,
    "deepseek_v2": mixtures.deepseek_latent,
    "deepseek_v3": mixtures.deepseek_latent,
    "deepseek_v32": sparse_attention.deepseek_v32,
    "deepseek_v4": sparse_attention.deepseek_v4,
    "dinov2": vision_models.dinov2,
    "distilbert": encoder.distilbert,
    "dots1": mixtures.dots1,
    "electra": encoder.electra,
    "ernie4_5": llama_like.ernie,
    "ernie4_5_moe": mixtures.ernie_moe,
    "ernie4_5_vl_moe_text": multimodal_text.ernie_vl,
    "exaone": llama_like.llama,
    "exaone4": llama_like.exaone4,
    "exaone_moe": sparse_decoders.exaone_moe,
    "falcon": plain.falcon,
    "falcon_h1": hybrid.falcon_h1,
    "falcon_mamba": state_space.mamba,
    "flex_olmo": mixtures.olmoe,
    "gemma": llama_like.gemma,
    "gemma2": llama_like.gemma2,
    "gemma3_text": llama_like.gemma3_text,
    "gemma3n_text": gemma.gemma3n,
    "gemma4_text": gemma.gemma4,
    "gemma4_unified_text": gemma.gemma4,
    "glm": llama_like.glm,
    "glm4": llama_like.glm4,
    "glm4_moe": mixtures.glm4_moe,
    "glm4_moe_lite": mixtures.deepseek_latent,
    "glm4v_moe_text": mixtures.glm4_moe,
    "glm4v_text": multimodal_text.glm4v,
    "glm_moe_dsa": sparse_attention.glm_dsa,
    "gpt2": plain.gpt2,
    "gpt_bigcode": plain.gpt_bigcode,
    "gpt_neo": plain.gpt_neo,
    "gpt_neox": plain.gpt_neox,
    "gpt_oss": mixtures.gpt_oss,
    "gptj": plain.gptj,
    "granite": llama_like.tied_llama,
    "granitemoe": mixtures.granitemoe,
    "granitemoehybrid": hybrid.granite_hybrid,
    "grok-1": sparse_decoders.grok,
    "hunyuan_v1_dense": llama_like.hunyuan,
    "hunyuan_v1_moe": sparse_decoders.hunyuan_moe,
    "hy_v3": sparse_decoders.hy_v3,
    "internlm2": llama_like.llama,
    "internlm3": llama_like.internlm3,
    "iquestcoder": llama_like.llama,
    "jamba": state_space.jamba,
    "jina_embeddings_v3": encoder.jina_v3,
    "kimi_k2": mixtures.deepseek_latent,
    "kimi_linear": linear_attention.kimi_linear,
    "lfm2": convolution.lfm2,
    "lfm2_moe": convolution.lfm2_moe,
    "llama": llama_like.llama,
    "llama4_text": multimodal_text.llama4,
    "longcat_flash": sparse_decoders.longcat,
    "m2m_100": encoder_decoder.m2m_100,
    "mamba": state_space.mamba,
    "mamba2": state_space.mamba2,
    "marian": encoder_decoder.marian,
    "mbart": encoder_decoder.mbart,
    "mellum": sparse_decoders.mellum,
    "mimo": llama_like.qwen2,
    "mimo_v2_flash": sparse_decoders.mimo_v2,
    "minicpm": llama_like.tied_llama,
    "minicpm3": mixtures.dense_latent,
    "minimax": linear_attention.minimax,
    "minimax_m1": linear_attention.minimax,
    "minimax_m2": mixtures.minimax_m2,
    "minimax_m3_vl_text": sparse_attention.minimax_m3,
    "ministral3": llama_like.mistral,
    "mistral": llama_like.mistral,
    "mistral4": mixtures.deepseek_latent,
    "mixtral": mixtures.mixtral,
    "mllama_text_model": multimodal_text.mllama,
    "modernbert": encoder.modernbert,
    "mpt": plain.mpt,
    "mt5": encoder_decoder.mt5,
    "muse_glimmer_text": llama_like.muse_glimmer,
    "nemotron": plain.nemotron,
    "nemotron-nas": uneven.nemotron_nas,
    "nemotron_h": hybrid.nemotron_h,
    "nomic_bert": encoder.nomic_bert,
    "olmo": llama_like.olmo,
    "olmo2": llama_like.olmo2,
    "olmo3": llama_like.olmo2,
    "olmo_hybrid": linear_attention.olmo_hybrid,
    "olmoe": mixtures.olmoe,
    "opt": plain.opt,
    "pegasus": encoder_decoder.pegasus,
    "persimmon": plain.persimmon,
    "phi": plain.phi,
    "phi3": llama_like.phi3,
    "phi3small": uneven.phi3_small,
    "phi4mm": phi_multimodal.phi4mm,
    "phimoe": mixtures.phimoe,
    "qwen": llama_like.qwen,
    "qwen2": llama_like.qwen2,
    "qwen2_5_omni_text": llama_like.qwen2,
    "qwen2_5_vl_text": llama_like.qwen2,
    "qwen2_moe": mixtures.qwen2_moe,
    "qwen2_vl_text": llama_like.qwen2,
    "qwen3": llama_like.qwen3,
    "qwen3_5_moe_text": linear_attention.qwen3_next,
    "qwen3_5_text": linear_attention.qwen3_next,
    "qwen3_moe": mixtures.qwen3_moe,
    "qwen3_next": linear_attention.qwen3_next,
    "qwen3_omni_moe_text": mixtures.qwen3_moe,
    "qwen3_vl_moe_text": mixtures.qwen3_moe,
    "qwen3_vl_text": llama_like.qwen3,
    "recurrent_gemma": convolution.recurrent_gemma,
    "roberta": encoder.roberta,
    "seed_oss": llama_like.seed_oss,
    "siglip": vision_models.siglip,
    "smollm3": llama_like.llama,
    "solar_open": mixtures.glm4_moe,
    "stablelm": llama_like.stablelm,
    "starcoder2": plain.starcoder2,
    "t5": encoder_decoder.t5,
    "vit": vision_models.vit,
    "wav2vec2": sound.wav2vec2,
    "whisper": encoder_decoder.whisper,
    "xglm": plain.xglm,
    "xlm-roberta": encoder.roberta,
    "youtu": mixtures.dense_latent,
    "zamba": zamba.zamba,
    "zamba2": zamba.zamba2,
}


ASSUMED_NOTE = (
    "model type {kind!r} is not known: its config is read as a plain decoder, as asked, and every "
    "range is wider for it"
)


def architecture(
    config: Mapping[str, object], name: str, *, assume_decoder: bool = False
) -> Architecture:
    """The architecture that a config.json describes; on request a plain decoder for an unknown one.

    Raises: UnknownName for a model type that no family reads, MalformedConfig for a config that
    does not describe a model, each naming the field.
    """
    read = Config(config)
    kind = read.text(*MODEL_TYPE)
    if assume_decoder and kind not in FAMILIES and kind not in WRAPPERS:
        built = replace(
            decoder(assumed_decoder(read), name, "assumed decoder"),
            family_is_assumed=True,
            notes=(ASSUMED_NOTE.format(kind=(kind or "")[:100]),),
        )
    else:
        built = decoder(_wrapped_facts(read), name, _model_type(read))
    quantization, notes = declared_quantization(read, built)
    return replace(
        built,
        declared_precision=declared_precision(declarations(read)),
        declared_quantization=quantization,
        rotary=rotary_tables(read, built),
        notes=(*built.notes, *notes),
    )


def _wrapped_facts(config: Config) -> Facts:
    wrapper = WRAPPERS.get(_model_type(config))
    return wrapped(config, wrapper, _facts) if wrapper else _facts(config)


def _model_type(config: Config) -> str:
    kind = config.text(*MODEL_TYPE)
    if kind is None:
        raise config.wrong("model_type", "is missing")
    return kind


def _facts(config: Config) -> Facts:
    """Facts of a decoder or an encoder by its model type."""
    kind = _model_type(config)
    builder = FAMILIES.get(kind)
    if builder is not None:
        return computed(config, kind, builder(config))
    near = tuple(get_close_matches(kind[:100], [*FAMILIES, *WRAPPERS], n=5, cutoff=0.5))
    if config.path == WHOLE:
        raise UnknownName("model_type", kind[:100], near)
    raise config.unknown("model_type", near)
