"""Readers of headers meet arbitrary bytes with nothing but a clear error."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from service.api.build import Catalogs
from service.catalog.files.gguf import gguf_header
from service.catalog.files.listing import UnreadableHeader
from service.catalog.files.models import gguf_model, safetensors_model
from service.domain.errors import InvalidRequest, UnknownName
from tests.files.building import LLAMA, gguf, llama_q4_k_m

SMALL = {**LLAMA, "tokenizer.ggml.tokens": ["a", "b"]}
WHOLE = gguf(SMALL, llama_q4_k_m()[:12])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=12), inner,
                                                                max_size=4),
    max_leaves=12,
)  # fmt: skip
ENTRY = st.fixed_dictionaries({
    "dtype": st.sampled_from(["F32", "BF16", "I32", "F4", "X"]),
    "shape": st.lists(st.integers(0, 2**50), max_size=5),
    "data_offsets": st.lists(st.integers(0, 2**52), min_size=2, max_size=2),
})


@given(data=st.binary(max_size=400))
def test_arbitrary_bytes_are_read_or_refused(catalogs: Catalogs, data: bytes) -> None:
    with contextlib.suppress(UnreadableHeader):
        gguf_header(b"GGUF" + data, catalogs.formats.by_ggml)


@settings(deadline=None)
@given(position=st.integers(0, len(WHOLE) - 1), patch=st.binary(min_size=1, max_size=9))
def test_a_damaged_header_is_read_or_refused(
    catalogs: Catalogs, position: int, patch: bytes
) -> None:
    damaged = WHOLE[:position] + patch + WHOLE[position + len(patch) :]
    with contextlib.suppress(InvalidRequest, UnknownName):
        gguf_model(damaged, None, "damaged", catalogs.formats, catalogs.gguf_table)


@given(stop=st.integers(0, len(WHOLE) - 1))
def test_a_cut_header_is_refused(catalogs: Catalogs, stop: int) -> None:
    refused = False
    try:
        gguf_header(WHOLE[:stop], catalogs.formats.by_ggml)
    except UnreadableHeader:
        refused = True
    assert refused


@settings(deadline=None)
@given(data=st.dictionaries(st.text(max_size=40), JSON | ENTRY, max_size=6))
def test_arbitrary_objects_are_read_or_refused(catalogs: Catalogs, data: dict[str, Any]) -> None:
    with contextlib.suppress(InvalidRequest):
        safetensors_model(data, None, "posted", catalogs.formats, catalogs.stock)
