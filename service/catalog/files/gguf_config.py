"""A GGUF file's metadata as the config.json of the same model, where its family is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from service.catalog.errors import CatalogError
from service.catalog.files.gguf import FIELD, GgufHeader
from service.catalog.files.listing import UnreadableHeader
from service.catalog.strict_yaml import load
from service.catalog.structure import structure

ARCHITECTURE = "general.architecture"
TOKENS = "tokenizer.ggml.tokens"
VALUE_LENGTH_MLA = "{arch}.attention.value_length_mla"
KEY_LENGTH_MLA = "{arch}.attention.key_length_mla"


@dataclass(frozen=True, slots=True, kw_only=True)
class GgufTable:
    """Which metadata key is which config key, and which architecture which model type."""

    keys: Mapping[str, str]
    models: Mapping[str, str]
    with_experts: Mapping[str, str]


def load_gguf_table(path: Path) -> GgufTable:
    """The table.

    Raises: CatalogError naming the file and what is wrong.
    """
    try:
        return structure(GgufTable, load(path))
    except CatalogError as error:
        raise error.inside(str(path), error.line, "") from error


def config_of(header: GgufHeader, table: GgufTable) -> dict[str, object]:
    """A config.json that says what the metadata says.

    Raises: UnreadableHeader where the architecture is not one whose metadata is enough.
    """
    arch = header.metadata.get(ARCHITECTURE)
    if not isinstance(arch, str) or arch not in table.models:
        raise UnreadableHeader(
            FIELD,
            f"is of the architecture {str(arch)[:60]!r}, whose metadata does not say its cache; "
            'give the model\'s config.json beside it: {"gguf_header": …, "config": {…}}',
        )
    config: dict[str, object] = {
        key: _plain(value)
        for key, name in table.keys.items()
        if (value := header.metadata.get(name.format(arch=arch))) is not None
    }
    config.setdefault("vocab_size", header.lengths.get(TOKENS))
    config["tie_word_embeddings"] = all(t.name != "output.weight" for t in header.tensors)
    config["model_type"] = table.models[arch]
    if config.get("num_experts") and arch in table.with_experts:
        config["model_type"] = table.with_experts[arch]
    config["num_local_experts"] = config.get("num_experts")
    _latent_heads(config, header.metadata, arch)
    return {key: value for key, value in config.items() if value is not None}


def _plain(value: object) -> object:
    """A number; a list by layer whose items are all alike is one of them."""
    if isinstance(value, tuple):
        return value[0] if len(set(value)) == 1 else list(value)
    return value


def _latent_heads(config: dict[str, object], metadata: Mapping[str, object], arch: str) -> None:
    """Latent attention states the heads' sizes apart from what it caches."""
    key, rope = metadata.get(KEY_LENGTH_MLA.format(arch=arch)), config.get("qk_rope_head_dim")
    if isinstance(key, int) and isinstance(rope, int):
        config["qk_nope_head_dim"] = key - rope
        config["v_head_dim"] = metadata.get(VALUE_LENGTH_MLA.format(arch=arch))
        config["n_routed_experts"] = config.get("num_experts")
