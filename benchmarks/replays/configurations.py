"""Random models of many families and random ways to train them."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Draw:
    """A case for the replay and the same question for the service."""

    case: Json
    request: Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Sizes that families share."""

    hidden: int
    layers: int
    heads: int
    kv_heads: int
    width: int
    vocabulary: int


def sized(source: random.Random) -> Size:
    """Random sizes whose parts divide one another."""
    head = source.choice((64, 64, 128))
    heads = source.choice((8, 12, 16, 20, 32))
    hidden = head * heads
    return Size(
        hidden=hidden,
        layers=source.randint(4, 24),
        heads=heads,
        kv_heads=heads // source.choice([n for n in (1, 2, 4) if heads % n == 0]),
        width=64 * round(hidden * source.uniform(2.0, 4.5) / 64),
        vocabulary=source.choice((30_522, 32_000, 50_304, 65_024, 128_256, 151_936)),
    )


def gated(size: Size, kind: str, name: str, **more: object) -> Json:
    """A config with Llama's keys."""
    return {
        "model_type": kind,
        "architectures": [name],
        "hidden_size": size.hidden,
        "num_hidden_layers": size.layers,
        "num_attention_heads": size.heads,
        "num_key_value_heads": size.kv_heads,
        "head_dim": size.hidden // size.heads,
        "intermediate_size": size.width,
        "vocab_size": size.vocabulary,
        "max_position_embeddings": 8192,
        "tie_word_embeddings": size.layers % 2 == 0,
        **more,
    }


def gpt2(size: Size) -> Json:
    """GPT-2's own keys."""
    return {
        "model_type": "gpt2",
        "architectures": ["GPT2LMHeadModel"],
        "n_embd": size.hidden,
        "n_layer": size.layers,
        "n_head": size.heads,
        "n_inner": size.width,
        "n_positions": 4096,
        "vocab_size": size.vocabulary,
        "activation_function": ("gelu_new", "gelu", "relu")[size.layers % 3],
        "tie_word_embeddings": True,
    }


def opt(size: Size) -> Json:
    """OPT's own keys."""
    return {
        **gated(size, "opt", "OPTForCausalLM", activation_function="relu"),
        "num_key_value_heads": size.heads,
        "ffn_dim": size.width,
        "word_embed_proj_dim": size.hidden,
        "tie_word_embeddings": True,
        "max_position_embeddings": 4096,
    }


def t5(size: Size) -> Json:
    """T5's own keys."""
    return {
        "model_type": "t5",
        "architectures": ["T5ForConditionalGeneration"],
        "d_model": size.hidden,
        "d_kv": size.hidden // size.heads,
        "d_ff": size.width,
        "num_layers": size.layers,
        "num_decoder_layers": size.layers,
        "num_heads": size.heads,
        "vocab_size": 32128,
        "decoder_start_token_id": 0,
        "pad_token_id": 0,
        "feed_forward_proj": "gated-gelu" if size.layers % 2 else "relu",
        "tie_word_embeddings": True,
    }


def bert(size: Size) -> Json:
    """BERT for masked words."""
    return {
        **gated(replace(size, kv_heads=size.heads), "bert", "BertForMaskedLM", hidden_act="gelu"),
        "tie_word_embeddings": True,
        "max_position_embeddings": 4096,
        "type_vocab_size": 2,
    }


def bart(size: Size) -> Json:
    """BART's own keys."""
    sides = {
        f"{side}_{name}": value
        for side in ("encoder", "decoder")
        for name, value in (
            ("layers", size.layers), ("ffn_dim", size.width), ("attention_heads", size.heads),
        )
    }  # fmt: skip
    return {
        "model_type": "bart",
        "architectures": ["BartForConditionalGeneration"],
        "d_model": size.hidden,
        "vocab_size": size.vocabulary,
        "max_position_embeddings": 4096,
        "activation_function": "gelu",
        "tie_word_embeddings": True,
        **sides,
    }


def deepseek(size: Size) -> Json:
    """DeepSeek V3: latent attention, one dense layer, shared experts."""
    return {
        **gated(replace(size, kv_heads=size.heads), "deepseek_v3", "DeepseekV3ForCausalLM"),
        "head_dim": 32,
        "q_lora_rank": 384,
        "kv_lora_rank": 256,
        "qk_nope_head_dim": 64,
        "qk_rope_head_dim": 32,
        "v_head_dim": 64,
        "n_routed_experts": 16,
        "num_experts_per_tok": 4,
        "n_group": 1,
        "topk_group": 1,
        "n_shared_experts": 1,
        "moe_intermediate_size": size.width // 4,
        "first_k_dense_replace": 1,
        "tie_word_embeddings": False,
    }


def mamba(size: Size) -> Json:
    """Mamba 1."""
    return {
        "model_type": "mamba",
        "architectures": ["MambaForCausalLM"],
        "hidden_size": size.hidden,
        "num_hidden_layers": size.layers,
        "state_size": 16,
        "vocab_size": size.vocabulary,
        "tie_word_embeddings": True,
    }


FAMILIES: Mapping[str, Callable[[Size], Json]] = {
    "llama": lambda s: gated(s, "llama", "LlamaForCausalLM"),
    "mistral": lambda s: gated(
        s, "mistral", "MistralForCausalLM", sliding_window=4096 if s.layers % 2 else None
    ),
    "qwen2": lambda s: gated(s, "qwen2", "Qwen2ForCausalLM"),
    "qwen3": lambda s: gated(s, "qwen3", "Qwen3ForCausalLM"),
    "phi3": lambda s: gated(s, "phi3", "Phi3ForCausalLM", pad_token_id=0),
    "gemma2": lambda s: gated(s, "gemma2", "Gemma2ForCausalLM", tie_word_embeddings=True),
    "granite": lambda s: gated(s, "granite", "GraniteForCausalLM"),
    "olmo2": lambda s: gated(s, "olmo2", "Olmo2ForCausalLM"),
    "stablelm": lambda s: gated(s, "stablelm", "StableLmForCausalLM", partial_rotary_factor=0.25),
    "cohere": lambda s: gated(s, "cohere", "CohereForCausalLM", tie_word_embeddings=True),
    "starcoder2": lambda s: gated(
        s,
        "starcoder2",
        "Starcoder2ForCausalLM",
        hidden_act="gelu_pytorch_tanh",
        embedding_dropout=0.1 * (s.layers % 2),
        residual_dropout=0.1 * (s.layers % 2),
    ),
    "phi": lambda s: gated(
        s, "phi", "PhiForCausalLM", hidden_act="gelu_new", partial_rotary_factor=0.5,
        tie_word_embeddings=False,
    ),
    "gpt_neox": lambda s: gated(
        replace(s, kv_heads=s.heads), "gpt_neox", "GPTNeoXForCausalLM", rotary_pct=0.25,
        hidden_act="gelu",
        use_parallel_residual=bool(s.layers % 2), tie_word_embeddings=False,
    ),
    "mixtral": lambda s: gated(
        s, "mixtral", "MixtralForCausalLM", num_local_experts=8, num_experts_per_tok=2,
        tie_word_embeddings=False,
    ),
    "qwen3_moe": lambda s: gated(
        s, "qwen3_moe", "Qwen3MoeForCausalLM", num_experts=16, num_experts_per_tok=4,
        moe_intermediate_size=s.width // 4, tie_word_embeddings=False,
    ),
    "gemma3_text": lambda s: gated(
        s, "gemma3_text", "Gemma3ForCausalLM", sliding_window=1024, tie_word_embeddings=True
    ),
    "olmo": lambda s: gated(s, "olmo", "OlmoForCausalLM"),
    "nemotron": lambda s: gated(
        s, "nemotron", "NemotronForCausalLM", hidden_act="relu2", partial_rotary_factor=0.5
    ),
    "glm4": lambda s: gated(s, "glm4", "Glm4ForCausalLM", pad_token_id=0),
    "exaone4": lambda s: gated(
        s, "exaone4", "Exaone4ForCausalLM", sliding_window=None,
        layer_types=["full_attention"] * s.layers,
    ),
    "seed_oss": lambda s: gated(s, "seed_oss", "SeedOssForCausalLM"),
    "qwen2_moe": lambda s: gated(
        s, "qwen2_moe", "Qwen2MoeForCausalLM", num_experts=16, num_experts_per_tok=4,
        moe_intermediate_size=s.width // 4, shared_expert_intermediate_size=s.width // 2,
        tie_word_embeddings=False,
    ),
    "deepseek_v3": deepseek,
    "bart": bart,
    "gpt2": gpt2,
    "opt": opt,
    "bert": bert,
    "t5": t5,
    "mamba": mamba,
}  # fmt: skip
EAGER_SHARE, ADAPTED_SHARE, SHARDED_SHARE = 0.2, 0.2, 0.3
MIXTURES = frozenset({"mixtral", "qwen3_moe", "qwen2_moe", "deepseek_v3"})
WITHOUT_ATTENTION = frozenset({"mamba"})
SLOW = frozenset({"mamba"})
"""Drawn on request only: without its kernels, transformers scans token by token in Python."""
EAGER_ONLY = frozenset({"gemma2"})
UNTRAINED_BY_ADAPTERS = MIXTURES | {"bert", "bart", "t5", "mamba"}
REGIMES = {"bf16": "pure-16bit", "bf16_amp": "amp", "fp32": "fp32"}
OPTIMIZERS = {
    ("adamw", "fused"): "adamw-fused",
    ("adamw", "foreach"): "adamw",
    ("sgd", "foreach"): "sgd",
    ("sgd_momentum", "foreach"): "sgd-momentum",
    ("lion", "foreach"): "lion",
}


def drawn(source: random.Random, families: frozenset[str]) -> Draw:
    """A random configuration of one of some families."""
    kind = source.choice(sorted(families))
    config = FAMILIES[kind](sized(source))
    optimizer, implementation = source.choice([*OPTIMIZERS, ("adamw", "fused")])
    regimes = ["bf16", "bf16_amp", "bf16_amp", "fp32"]
    regime = "bf16" if kind in MIXTURES else source.choice(regimes)
    eager = kind in EAGER_ONLY or source.random() < EAGER_SHARE
    case = {
        "model": config,
        "batch": source.choice((1, 1, 2, 3)),
        "seq": source.choice((512, 1024, 1536, 2048)),
        "regime": regime,
        "optimizer": optimizer,
        "opt_impl": implementation,
        "checkpointing": source.choice(("none", "full")),
        "attn": "eager" if eager or kind in WITHOUT_ATTENTION else "sdpa",
        "grad_accum": source.choice((1, 1, 1, 2)),
        "iters": 3,
    }
    ranks = 1
    if kind not in UNTRAINED_BY_ADAPTERS and source.random() < ADAPTED_SHARE:
        case |= {"regime": "bf16_autocast", "lora": {"r": source.choice((8, 16, 64))}}
    elif kind in {"llama", "qwen2", "qwen3", "gpt2", "opt"} and source.random() < SHARDED_SHARE:
        ranks = source.choice((2, 8, 32))
        case |= {"parallel": "fsdp2", "world": ranks, "regime": "bf16_amp", "grad_accum": 1}
    return Draw(case=case, request=request(case, ranks))


def request(case: Json, ranks: int) -> Json:
    """The question that a case is for the service."""
    adapted = case.get("lora")
    regime = "pure-16bit" if adapted else REGIMES[case["regime"]]
    workload = {
        "kind": "training",
        "method": "lora" if adapted else "full",
        "framework": "transformers",
        "framework_version": "5.23.0",
        "regime": regime,
        "optimizer": OPTIMIZERS[case["optimizer"], case["opt_impl"]],
        "micro_batch_size": case["batch"],
        "sequence_tokens": case["seq"],
        "gradient_accumulation": case["grad_accum"],
        "activation_checkpointing": case["checkpointing"],
        "attention": "eager" if case["attn"] == "eager" else "flash",
        "loss": "eager",
        "sharding": "none" if ranks == 1 else "fsdp",
        "allow_context_beyond_limit": True,
    }
    if adapted:
        workload["lora"] = {"rank": adapted["r"], "targets": "all-linear", "precision": "float32"}
    return {
        "model": {"config": case["model"], "name": case["model"]["model_type"]},
        "precision": "float32" if regime == "fp32" else "bfloat16",
        "quantization": "none",
        "workload": workload,
        "placement": {"cards": ranks, "data_parallel": ranks},
    }
