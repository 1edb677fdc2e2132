"""Terms, phases and fields in plain words, and which tone each term is drawn in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

OTHER_TONE = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """A term for a reader: its name, what it is, and the tone of its picture."""

    label: str
    meaning: str
    tone: int = OTHER_TONE


def _words(tone: int, label: str, meaning: str) -> Words:
    return Words(label=label, meaning=meaning, tone=tone)


TERMS: Mapping[str, Words] = {
    "weights": _words(0, "Weights", "The model itself, as it is stored on this card."),
    "kv_cache": _words(1, "KV cache", "Keys and values of every token that a user holds."),
    "activations": _words(2, "Activations", "Intermediate results while tokens pass through."),
    "cuda_graphs": _words(3, "CUDA graphs", "Recorded kernels that the engine keeps for speed."),
    "communication": _words(4, "Communication", "Buffers through which cards talk to each other."),
    "runtime": _words(5, "Runtime", "The driver's context, libraries and the process itself."),
    "recurrent_state": _words(6, "Recurrent state", "A fixed state a user, whatever the length."),
    "encoder": _words(7, "Encoder", "Work space of the parts that read images or sound."),
    "lora_adapters": _words(8, "LoRA adapters", "Adapters that the server keeps loaded."),
    "draft_model": _words(9, "Draft model", "A small model that proposes tokens ahead."),
    "gradients": _words(1, "Gradients", "The direction of change of every trained weight."),
    "logits": _words(3, "Logits", "A score of every word of the vocabulary for every token."),
    "sharding_buffers": _words(4, "Sharding buffers", "Parts gathered from the other cards."),
    "optimizer_states": _words(6, "Optimizer states", "What the optimizer remembers of a weight."),
    "optimizer_workspace": _words(7, "Optimizer workspace", "Copies made during the step."),
    "adapters": _words(8, "Adapters", "The small matrices that LoRA trains."),
    "master_weights": _words(9, "Master weights", "A float32 copy that the optimizer changes."),
    "dequantization": _words(7, "Dequantization", "Room in which packed weights are unpacked."),
}
NAMES = re.compile(rf"\b(?:{'|'.join(TERMS)})\b")
PHASES: Mapping[str, str] = {
    "loss": "forward and loss",
    "backward": "backward",
    "root-gradient": "last gradients",
    "optimizer": "optimizer step",
}
FIELDS: Mapping[str, str] = {
    "activation_checkpointing": "Checkpointing",
    "concurrency": "Users at once",
    "context_tokens": "Context, tokens",
    "gradient_accumulation": "Accumulation steps",
    "kv_cache_precision": "Cache",
    "max_batched_tokens": "Tokens of a step",
    "max_quality_loss": "Largest loss of quality",
    "micro_batch_size": "Sequences a step and card",
    "quantization": "Weights",
    "risk": "Has to hold for",
    "sequence_tokens": "Tokens a sequence",
}
PROVENANCE: Mapping[str, str] = {
    "exact": "exact: follows from the model's shapes",
    "derived": "derived: follows from stated rules",
    "calibrated": "calibrated: fitted to published measurements",
    "assumed": "assumed: no better fact is known",
    "measured by the caller": "measured by you",
}


def plain(name: str) -> str:
    """A name without underscores, its first letter large."""
    text = name.replace("_", " ").strip()
    return text[:1].upper() + text[1:]


def words_of(name: str) -> Words:
    """A term in words; one that the table lacks is named as it is."""
    return TERMS.get(name, Words(label=plain(name), meaning="A further part of the memory."))


def field_label(name: str) -> str:
    """A field of a request as the form calls it."""
    return FIELDS.get(name, plain(name))


def in_words(text: str) -> str:
    """A sentence with the names of terms in words."""
    return NAMES.sub(lambda found: TERMS[found.group()].label, text)


def phase_label(name: str | None) -> str:
    """A phase of a training step."""
    return PHASES.get(name or "", plain(name or "").lower())
