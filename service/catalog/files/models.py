"""Architectures whose weights are the tensors of a file."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from service.catalog.families import architecture
from service.catalog.families.reading import MAX_LAYERS
from service.catalog.files.gguf import gguf_header
from service.catalog.files.gguf_config import GgufTable, config_of
from service.catalog.files.listing import Listed, UnreadableHeader
from service.catalog.files.safetensors import FIELD, Index, read_safetensors
from service.catalog.files.stored import all_tensors, block_of, gleaned
from service.catalog.formats import Formats
from service.domain.architecture import Architecture, StoredFile
from service.domain.errors import MalformedConfig
from service.domain.packing import PackedFormat
from service.domain.precision import Declared, Precision, Quantization, Rule
from service.domain.requests import Stock
from service.domain.resolving import DEFAULT_PRECISION, NO_QUANTIZATION, released
from service.domain.sums import model_weight_bytes
from service.domain.tensors import Tensor, elements
from service.domain.typical import typical

Config = Mapping[str, object]
REST = "beside-the-config"
BYTES = PackedFormat(id="bytes", row_bits=8)
KEY = re.compile(r"(?:k_proj|attn_k)\.weight$")
SIXTEEN_BIT_BYTES = 2


def gguf_model(
    data: bytes, config: Config | None, name: str, formats: Formats, table: GgufTable
) -> Architecture:
    """The model of a GGUF file's first bytes; its caches from the metadata or a config beside it.

    Raises: UnreadableHeader, and MalformedConfig where metadata or config do not describe a model.
    """
    header = gguf_header(data, formats.by_ggml)
    shape = config if config is not None else config_of(header, table)
    try:
        model = architecture(shape, name)
    except MalformedConfig as error:
        if config is not None:
            raise
        raise UnreadableHeader(
            "model.gguf_header",
            f"does not say what the cache needs ({error}); give the model's config beside it",
        ) from error
    return with_tensors(model, header.tensors, _mix(header.tensors))


def safetensors_model(
    data: Mapping[str, object], config: Config | None, name: str, formats: Formats, stock: Stock
) -> Architecture:
    """The model of a safetensors header or index; its caches from a config, else typical ones.

    Raises: UnreadableHeader, and what reading a config raises.
    """
    found = read_safetensors(data, formats.by_safetensors)
    if isinstance(found, Index):
        return _of_index(found, config, name, stock)
    if config is not None:
        return with_tensors(architecture(config, name), found, None)
    return with_tensors(_typical(found, name), found, None)


def with_tensors(
    model: Architecture, tensors: tuple[Listed, ...], base: str | None
) -> Architecture:
    """The same model with its weights as a file holds them."""
    found = gleaned(tensors, model.layer_count)
    if not elements(all_tensors(found.stored)):
        raise UnreadableHeader("model", "the header lists no tensor of this model")
    declared = model.declared_quantization
    key = base or (declared.base if declared else NO_QUANTIZATION)
    note = f"{found.beyond} values of blocks beyond the model's last are not loaded"
    return replace(
        model,
        stored=found.stored,
        declared_quantization=Declared(
            base=key,
            id=declared.id if declared and not base else key,
            rules=found.rules,
            group=declared.group if declared and not base else 1,
            stands_for=frozenset({key}),
        ),
        notes=(*model.notes, *((note,) if found.beyond else ())),
    )


def _mix(tensors: tuple[Listed, ...]) -> str:
    """The mix whose base type holds most of the values; its kernel is llama.cpp's in any case."""
    values: Counter[str] = Counter()
    for one in tensors:
        values[one.form.id] += one.elements
    return BASES.get(values.most_common(1)[0][0] if values else "", "gguf-f16")


BASES: Mapping[str, str] = {
    "bf16": "gguf-bf16", "q8_0": "gguf-q8_0", "q6_k": "gguf-q6_k", "q5_k": "gguf-q5_k_m",
    "q5_0": "gguf-q5_0", "q5_1": "gguf-q5_1", "q4_k": "gguf-q4_k_m", "q4_0": "gguf-q4_0",
    "q4_1": "gguf-q4_1", "q3_k": "gguf-q3_k_m", "q2_k": "gguf-q2_k", "iq4_xs": "gguf-iq4_xs",
    "iq4_nl": "gguf-iq4_nl", "iq3_s": "gguf-iq3_m", "iq3_xxs": "gguf-iq3_xxs",
    "iq2_s": "gguf-iq2_m", "iq2_xs": "gguf-iq2_xs", "iq2_xxs": "gguf-iq2_xxs",
    "iq1_m": "gguf-iq1_m", "iq1_s": "gguf-iq1_s", "tq1_0": "gguf-tq1_0", "tq2_0": "gguf-tq2_0",
    "mxfp4-ggml": "gguf-mxfp4_moe",
}  # fmt: skip


def _typical(tensors: tuple[Listed, ...], name: str) -> Architecture:
    """A typical shape of as many values and blocks, with the key heads that the file shows."""
    layers = _blocks(one.name for one in tensors)
    keys = [t.shape[0] for t in tensors if KEY.search(t.name) and len(t.shape) > 1]
    size = sum(one.elements for one in tensors)
    if not size:
        raise UnreadableHeader(FIELD, "lists no values")
    return typical(size, name, layers=layers, kv_width=keys[0] if keys else 0)


def _blocks(names: Iterable[str]) -> int:
    """How many blocks the names show."""
    found = 1 + max((b for name in names if (b := block_of(name)) is not None), default=0)
    if found > MAX_LAYERS:
        raise UnreadableHeader(FIELD, f"names a block {found - 1}; at most {MAX_LAYERS} are read")
    return found


def _of_index(index: Index, config: Config | None, name: str, stock: Stock) -> Architecture:
    """The config's tensors, and as one more what the total holds beside them."""
    if config is not None:
        model = architecture(config, name)
    else:
        layers = _blocks(index.names)
        size = max(1, index.total_bytes // SIXTEEN_BIT_BYTES)
        model = typical(size, name, layers=layers)
    precision = stock.precisions[model.declared_precision or DEFAULT_PRECISION]
    own = released(model, stock) or stock.quantizations[NO_QUANTIZATION]
    implied = model_weight_bytes(model, own, precision)
    if implied > index.total_bytes:
        raise UnreadableHeader(
            f"{FIELD}.metadata.total_size",
            f"is {index.total_bytes} bytes, but the config's tensors take {implied} in "
            f"{precision.id} with quantization {own.id}; is the config another model's, or is "
            "quantization_config missing?",
        )
    return _with_rest(model, index.total_bytes - implied, own, precision)


def _with_rest(
    model: Architecture, rest: int, own: Quantization, precision: Precision
) -> Architecture:
    beside = Tensor(name=REST, kind="bias", rows=rest, cut="rows")
    plain = PackedFormat(id=precision.id, bits=precision.bits)
    towers = tuple(tensor for tower in model.towers for tensor in tower.tensors())
    return replace(
        model,
        stored=StoredFile(
            blocks=tuple(model.layer_kinds[i].tensors() for i in model.layer_order),
            before=(*model.embeddings, *towers, *((beside,) if rest else ())),
            after=model.head,
        ),
        declared_quantization=Declared(
            base=model.declared_quantization.base if model.declared_quantization else own.id,
            id=own.id,
            rules=(Rule(exact=frozenset({REST}), format=BYTES), *own.rules, Rule(format=plain)),
            group=own.group,
            stands_for=frozenset({own.id}),
        ),
        notes=(
            *model.notes,
            *((f"{rest} bytes of the index are beside what the config implies, counted on the "
               "first stage",) if rest else ()),
        ),
    )  # fmt: skip
