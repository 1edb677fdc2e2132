"""What runs where, cell by cell, from the engines' own support tables.

N native, W weights stored small and computed in 16 bits, - refused. vLLM 0.33.0: its table of
quantization hardware, the methods' minimum capabilities and the int8 page; kernels that are only
emulated, or not established on a generation, count as refused. TensorRT-LLM 1.3.0:
docs/source/features/quantization.md. SGLang 0.5.23: minimum capability of each method.
transformers 5.23: quantizers; a format that it would expand to 16 bits counts as refused.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from service.api.build import Catalogs
from service.domain.engine import Engine, Support
from service.domain.hardware import Gpu
from service.domain.rules import cache_support, hardware_class, kernel_support

CARDS = {
    "6.0": "p100-sxm2-16gb", "7.0": "v100-sxm2-16gb", "7.5": "t4-16gb", "8.0": "a100-sxm4-80gb",
    "8.6": "a10-24gb", "8.9": "l4-24gb", "9.0": "h100-sxm5-80gb", "10.0": "b200-180gb",
    "10.3": "b300-288gb", "12.0": "rtx-pro-6000-blackwell-server", "gfx90a": "mi210-64gb",
    "gfx942": "mi300x-192gb", "gfx950": "mi355x-288gb", "gfx11": "rx-7900-xtx-24gb",
    "gfx12": "radeon-ai-pro-r9700-32gb", "xpu": "max-1550-128gb",
}  # fmt: skip
LETTERS = {"native": "N", "weight-only": "W", None: "-"}

TABLES = {
    "vllm": """
                7.0 7.5 8.0 8.6 8.9 9.0 10.0 10.3 12.0 gfx90a gfx942 gfx950 gfx11 gfx12 xpu
    none         -   N   N   N   N   N   N    N    N     N      N      N      N     N    N
    fp8          -   W   W   W   N   N   N    N    N     -      N      N      -     N    N
    fp8-block    -   W   W   W   N   N   N    N    N     -      N      N      -     N    N
    int8-w8a8    -   N   N   N   N   N   -    -    -     N      N      N      N     N    N
    gptq-int8    -   W   W   W   W   W   W    W    W     W      W      W      W     W    W
    gptq-int4    -   W   W   W   W   W   W    W    W     W      W      W      W     W    W
    awq-int4     -   W   W   W   W   W   W    W    W     W      W      W      W     W    W
    w4a8         -   -   -   -   -   N   -    -    -     -      -      -      -     -    -
    nvfp4        -   W   W   W   W   W   N    N    N     -      -      -      -     -    -
    mxfp4        -   -   W   W   W   W   N    N    N     -      -      N      N     -    N
    mxfp4-experts -  -   W   W   W   W   N    N    N     -      W      N      W     W    W
    mxfp8        -   W   W   W   W   W   N    N    N     -      -      N      -     -    N
    mxfp6        -   W   W   W   W   W   W    W    W     -      -      -      -     -    -
    torchao-int4 -   W   W   W   W   W   W    W    W     W      W      W      W     W    W
    nf4          -   -   -   -   -   -   -    -    -     -      -      -      -     -    -
    llm-int8     -   -   -   -   -   -   -    -    -     -      -      -      -     -    -
    gguf-q4_k_m  -   -   -   -   -   -   -    -    -     -      -      -      -     -    -
    """,
    "tensorrt-llm": """
                7.0 7.5 8.0 8.6 8.9 9.0 10.0 10.3 12.0 gfx942
    none         -   -   N   N   N   N   N    N    N     -
    fp8          -   -   -   -   N   N   N    N    N     -
    fp8-block    -   -   -   -   -   N   N    N    -     -
    nvfp4        -   -   -   -   -   -   N    N    N     -
    mxfp4        -   -   -   -   -   -   N    N    N     -
    mxfp4-experts -  -   -   -   -   -   N    N    N     -
    w4a8         -   -   -   -   N   N   -    -    -     -
    awq-int4     -   -   W   W   W   W   -    -    -     -
    gptq-int4    -   -   W   W   W   W   -    -    -     -
    int8-w8a8    -   -   -   -   -   -   -    -    -     -
    nf4          -   -   -   -   -   -   -    -    -     -
    gguf-q4_k_m  -   -   -   -   -   -   -    -    -     -
    """,
    "sglang": """
                7.0 7.5 8.0 8.6 8.9 9.0 10.0 10.3 12.0 gfx942 gfx950
    fp8          -   -   W   W   N   N   N    N    N     N      N
    fp8-block    -   -   W   W   N   N   N    N    N     N      N
    int8-w8a8    -   N   N   N   N   N   -    -    -     -      -
    awq-int4     -   W   W   W   W   W   W    W    W     W      W
    gptq-int4    -   W   W   W   W   W   W    W    W     W      W
    nf4          W   W   W   W   W   W   W    W    W     -      -
    gguf-q4_k_m  W   W   W   W   W   W   W    W    W     -      -
    nvfp4        -   -   W   W   W   W   N    N    N     W      -
    mxfp4        -   -   W   W   W   W   N    N    N     W      N
    mxfp8        -   -   -   -   -   -   N    N    N     N      N
    w4a8         -   -   -   -   -   N   -    -    -     -      -
    """,
    "transformers": """
                6.0 7.0 7.5 8.0 8.6 8.9 9.0 10.0 10.3 12.0 gfx90a gfx942 gfx950 gfx11 gfx12 xpu
    nf4          W   W   W   W   W   W   W   W    W    W     W      W      W      W     W    W
    llm-int8     W   W   W   W   W   W   W   W    W    W     W      W      W      W     W    W
    fp8-block    -   -   -   -   -   N   N   N    N    N     -      N      N      -     -    -
    mxfp4-experts -  -   W   W   W   W   W   W    W    W     -      -      -      -     -    W
    nvfp4        -   -   -   -   -   -   -   N    N    N     -      -      -      -     -    -
    gguf-q4_k_m  -   -   -   -   -   -   -   -    -    -     -      -      -      -     -    -
    """,
}


def cells() -> Iterator[tuple[str, str, str, str]]:
    for engine, text in TABLES.items():
        header, *rows = (line.split() for line in text.strip().splitlines())
        for name, *letters in rows:
            yield from (
                (engine, name, key, letter) for key, letter in zip(header, letters, strict=True)
            )


def card(catalogs: Catalogs, key: str) -> Gpu:
    (found,) = catalogs.gpus.pick(CARDS[key])
    return found


def support(catalogs: Catalogs, engine: str, quantization: str, key: str) -> Support:
    packed = catalogs.quantizations.pick(quantization)
    return kernel_support(catalogs.engines.pick(engine), card(catalogs, key), packed)


@pytest.mark.parametrize("engine", TABLES)
def test_each_format_runs_where_the_engine_says(catalogs: Catalogs, engine: str) -> None:
    wrong = [
        f"{name} on {key}: {letter} expected"
        for kind, name, key, letter in cells()
        if kind == engine and LETTERS[support(catalogs, engine, name, key).path] != letter
    ]
    assert wrong == []


@pytest.mark.parametrize("engine", TABLES)
def test_each_refusal_says_why(catalogs: Catalogs, engine: str) -> None:
    for kind, name, key, letter in cells():
        if kind == engine and letter == "-":
            assert len(support(catalogs, engine, name, key).reason) > 20, (name, key)


def test_llama_cpp_runs_all_its_types_everywhere(catalogs: Catalogs) -> None:
    """Kernels for every type in every backend; weights are never expanded (ggml source)."""
    engine = catalogs.engines.pick("llama.cpp")
    types = [entry for entry in catalogs.quantizations if entry.id.startswith("gguf-")]
    assert len(types) > 20
    for gpu in catalogs.gpus.cards:
        assert {kernel_support(engine, gpu, one).path for one in types} == {"weight-only"}


@pytest.mark.parametrize("name", ["fp8", "awq-int4", "nf4", "nvfp4", "mxfp4"])
def test_llama_cpp_runs_no_other_format(catalogs: Catalogs, name: str) -> None:
    assert support(catalogs, "llama.cpp", name, "9.0").path is None


@pytest.mark.parametrize(
    ("engine", "cache", "row"),
    [
        ("tensorrt-llm", "fp8", {"8.0": "N", "8.9": "N", "9.0": "N", "10.0": "N", "12.0": "N"}),
        ("vllm", "fp8", {"7.5": "-", "8.0": "W", "8.9": "N", "9.0": "N", "10.0": "N"}),
    ],
)
def test_an_fp8_cache_runs_where_the_engine_says(
    catalogs: Catalogs, engine: str, cache: str, row: dict[str, str]
) -> None:
    kind, held = catalogs.engines.pick(engine), catalogs.caches.pick(cache)
    found = {key: LETTERS[cache_support(kind, card(catalogs, key), held).path] for key in row}
    assert found == row


def engines_without(catalogs: Catalogs, key: str) -> set[str]:
    def knows(engine: Engine) -> bool:
        return hardware_class(engine, card(catalogs, key)) is not None

    return {engine.id for engine in catalogs.engines if not knows(engine)}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("6.0", {"vllm", "sglang", "tensorrt-llm"}),
        ("7.0", {"vllm", "tensorrt-llm"}),
        ("7.5", {"tensorrt-llm"}),
        ("8.0", set()),
        ("gfx942", {"tensorrt-llm"}),
    ],
)
def test_old_cards_are_below_an_engine_s_minimum(
    catalogs: Catalogs, key: str, expected: set[str]
) -> None:
    assert engines_without(catalogs, key) == expected


def asked(client: FlaskClient, gpu: str, engine: str, **more: str) -> dict[str, object]:
    body = {
        "model": more.pop("model", "llama-3.1-8b"),
        "workload": {"kind": "inference", "engine": engine},
        "placement": {"gpu": gpu},
        **more,
    }
    answer: dict[str, object] = client.post("/v1/estimates", json=body).json
    return answer


@pytest.mark.parametrize(
    ("gpu", "engine", "field", "value", "model"),
    [
        ("b200-180gb", "vllm", "quantization", "int8-w8a8", "llama-3.1-8b"),
        ("t4-16gb", "vllm", "precision", "bfloat16", "llama-3.1-8b"),
        ("h100-sxm5-80gb", "vllm", "quantization", "gguf-q4_k_m", "llama-3.1-8b"),
        ("mi300x-192gb", "vllm", "quantization", "nvfp4", "llama-3.1-8b"),
        ("b200-180gb", "tensorrt-llm", "quantization", "awq-int4", "llama-3.1-8b"),
        ("a100-sxm4-80gb", "transformers", "quantization", "fp8-block", "llama-3.1-8b"),
        ("v100-sxm2-32gb", "transformers", "quantization", "mxfp4-experts", "gpt-oss-20b"),
    ],
)
def test_a_trap_is_refused_over_http(
    client: FlaskClient, gpu: str, engine: str, field: str, value: str, model: str
) -> None:
    answer = asked(client, gpu, engine, model=model, **{field: value})
    assert answer["status"] == 422
    assert answer["errors"][0]["pointer"] == f"/{field}"
    assert gpu in answer["detail"]


def test_fp8_on_an_older_card_saves_memory_alone_and_says_so(client: FlaskClient) -> None:
    old, new = (
        asked(client, gpu, "vllm", quantization="fp8") for gpu in ("a100-sxm4-80gb", "l40s")
    )
    codes = [[entry["code"] for entry in answer["warnings"]] for answer in (old, new)]
    assert "weight-only" in codes[0]
    assert "weight-only" not in codes[1]


def test_a_turing_card_is_planned_in_float16(client: FlaskClient) -> None:
    body = {
        "model": "llama-3.1-8b",
        "workload": {"kind": "inference", "context_tokens": 2048},
        "choices": {"gpus": ["t4-16gb"], "quantizations": ["none"]},
    }
    plan = client.post("/v1/plans", json=body).json
    assert plan["recommendation"]["precision"] == "float16"


def test_a_volta_card_gets_no_vllm_plan_and_the_reason(client: FlaskClient) -> None:
    body = {
        "model": "llama-3.2-1b",
        "workload": {"kind": "inference"},
        "choices": {"gpus": ["v100-sxm2-32gb"]},
    }
    plan = client.post("/v1/plans", json=body).json
    assert plan["recommendation"] is None
    assert "vLLM does not run on" in plan["rejected"][0]["message"]
