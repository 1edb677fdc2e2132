"""Every data file is refused whole where it is wrong, naming file, line, entry and field."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from service.api.build import Catalogs
from service.app import create_app
from service.catalog.engines import load_engines, load_frameworks
from service.catalog.errors import CatalogError
from service.catalog.formats import load_formats
from service.catalog.gpus import load_gpus
from service.catalog.models import load_models
from service.catalog.physics import load_cost_rules, load_physics
from service.catalog.quantizations import load_quantizations
from service.catalog.tables import load_caches, load_optimizers, load_precisions

CONFIG = Path(__file__).parents[2] / "config"
KERNELS = frozenset({"none", "gguf", "int8-w8a8"})
CACHES = frozenset({"fp32", "bf16", "fp16", "q8_0", "q5_1", "q5_0", "q4_1", "q4_0", "iq4_nl"})
SGD = 'sgd: {name: SGD, state_copies: 0, sources: ["torch"]}\n'

LOADERS: dict[str, Callable[[Path], object]] = {
    "optimizers.yaml": lambda folder: load_optimizers(folder / "optimizers.yaml"),
    "kv_caches.yaml": lambda folder: load_caches(folder / "kv_caches.yaml"),
    "precisions.yaml": lambda folder: load_precisions(folder / "precisions.yaml"),
    "costs.yaml": lambda folder: load_cost_rules(folder / "costs.yaml"),
    "throughput.yaml": lambda folder: load_physics(folder / "throughput.yaml"),
    "formats.yaml": lambda folder: load_formats(folder / "formats.yaml"),
    "quantizations.yaml": load_quantizations,
    "tools.yaml": load_quantizations,
    "engines/llama.cpp.yaml": lambda folder: load_engines(
        folder / "engines", folder / "uncertainty.yaml", KERNELS, CACHES
    ),
    "frameworks/torchtune.yaml": lambda folder: load_frameworks(
        folder / "frameworks", folder / "uncertainty.yaml"
    ),
    "models/yi.yaml": lambda folder: load_models(folder / "models"),
}
ORIGINALS = {"models/yi.yaml": "models/01-ai--yi-6b.yaml"}
BESIDE = (
    "formats.yaml", "gguf.yaml", "tools.yaml", "quantizations.yaml", "uncertainty.yaml",
)  # fmt: skip

CASES: dict[str, tuple[tuple[str, str, str], ...]] = {
    "optimizers.yaml": (
        ("  state_copies: 1\n", "  state_copys: 1\n", "sgd-momentum.state_copys: unknown key"),
        ("name: SGD, ", "", "sgd.name: missing"),
        ("name: SGD, ", "name: SGD, name: SGD, ", "duplicate key 'name'"),
        ('sources: ["torch 2.13 optim/sgd.py: no buffer without momentum"]', "sources: []",
         "sgd.sources: needs at least one source"),
        ("state_copies: 0,", 'state_copies: "0",', "sgd.state_copies: must be"),
        ("  step_scope: all-parameters\n", "  step_scope: all\n", "adam.step_scope: "),
        ("aliases: [adamw_torch]", "aliases: [sgd]", "alias 'sgd' already means 'sgd'"),
        ("sgd: {", "sgd: &one {", "anchors and aliases are not used here"),
    ),
    "kv_caches.yaml": (
        ("bits: 32,", "bits: 65,", "fp32.bits: must be 1 to 64"),
        ("bits: 32,", "bits: .nan,", "fp32.bits: must be a finite number"),
        ('sources: ["llama.cpp common/arg.cpp, kv_cache_types"]', "sources: []",
         "fp32.sources: needs at least one source"),
        ("aliases: [bfloat16]", "aliases: [f32]", "alias 'f32' already means 'fp32'"),
    ),
    "precisions.yaml": (
        ("bits: 64, aliases: [fp64", "bits: 0, aliases: [fp64", "float64.bits: must be 1 to 64"),
        ("aliases: [bf16]", "aliases: [fp16]", "alias 'fp16' already means"),
        ("float64: {bits: 64,", "64: {bits: 64,", "key 64 is not text"),
    ),
    "costs.yaml": (
        ("pue: 1.56", "pue: 0.9", "pue: must be at least 1"),
        ("utilization: 0.7", "utilization: 1.1", "utilization: must be 0 to 1"),
        ("hours_per_month: 730", "hours_per_month: 0", "hours_per_month: must be above 0"),
        ('usd_per_kwh: "0.13"', "usd_per_kwh: 0.13", "usd_per_kwh: must be a number in quotes"),
        ('usd_per_kwh: "0.13"', 'usd_per_kwh: "-1"', "usd_per_kwh: must not be negative"),
        ("pue: 1.56", "peu: 1.56", "peu: unknown key; did you mean 'pue'"),
        ("pue: 1.56\n", "", "pue: missing"),
        ("pue: 1.56\n", "pue: 1.56\npue: 1.56\n", "duplicate key 'pue'"),
    ),
    "throughput.yaml": (
        ("bandwidth: 1.0", "bandwidth: 1.5", "efficiency.bandwidth: must be above 0, at most 1"),
        ("default_output_tokens: 256", "default_output_tokens: 0", "default_output_tokens: must"),
        ("compute: 1.0, ", "", "efficiency.compute: missing"),
        ("  bf16: fp16\n", "  bf16: fp16\n  bf16: fp16\n", "duplicate key 'bf16'"),
    ),
    "formats.yaml": (
        ("fallback: q8_0", "fallback: q9_9", "no format 'q9_9'"),
        ("f64: {layout: {bits: 64}", "f64: {layout: {bitz: 64}", "f64.layout.bitz: unknown key"),
        ("q8_0: {layout: {block_columns: 32, block_bits: 272, whole: true}, fallback: f16",
         "q8_0: {layout: {block_columns: 32, block_bits: 272, whole: true}, fallback: q8_0",
         "go round in a circle"),
    ),
    "quantizations.yaml": (
        ("  kernel: none\n", "  kernle: none\n", "none.kernle: unknown key; did you mean 'kernel'"),
        ("  kernel: none\n", "", "none.kernel: missing"),
        ("tool: vllm-online", "tool: vllm-offline", "fp8.tool: unknown tool"),
        ("format: fp8-tensor", "format: fp9", "fp8.format: no format 'fp9'"),
        ("  quality_rank: 0\n", "  quality_rank: 9\n", "must be 0 to 8"),
        ('sources: ["the model\'s own precision"]', "sources: []", "needs at least one source"),
        ("aliases: [fp8-per-tensor]", "aliases: [none]", "alias 'none' already means 'none'"),
    ),
    "tools.yaml": (
        ("  name: AutoAWQ\n", "", "autoawq.name: missing"),
        ("packs: [attention, mlp", "packs: [attention, mlpp", "autoawq.packs"),
    ),
    "engines/llama.cpp.yaml": (
        ("  gguf: {any: W}\n", "  ggfu: {any: W}\n", "runs.ggfu: names no kernel"),
        ("  gguf: {any: W}\n", "  gguf: {ada: W}\n", "gguf.ada: names no hardware class"),
        ("  gguf: {any: W}\n", '  gguf: {any: "-"}\n', "gguf.any: is refused without a reason"),
        ("  gguf: {any: W}\n", "  gguf: {any: X}\n", "runs.gguf.any"),
        ("  q8_0: {any: N}\n", "  q9_0: {any: N}\n", "caches.q9_0: names no type of cache"),
        ("id: llama.cpp", "id: llama", "must be 'llama.cpp', as the file"),
        ("kind: llama.cpp", "kind: lama", "kind: must be one of"),
        ("splits: true\n", "splits: true\nsplitz: true\n", "splitz: unknown key"),
        ("policy: margin\n", "", "policy: missing"),
        ("    block_copies: 5\n", "    block_copeis: 5\n", "block_copeis: unknown key"),
    ),
    "frameworks/torchtune.yaml": (
        ('sources: ["published memory tables of torchtune"]', "sources: []", "needs at least one"),
        ("expected: 0.9", "expectd: 0.9", "context_gib.expectd: unknown key"),
        ("name: torchtune\n", "", "name: missing"),
    ),
    "models/yi.yaml": (
        ('id: "yi-6b"', 'id: "Yi-6b"', "id: must be lower case"),
        ('hub_id: "01-ai/Yi-6B"\n', "", "hub_id: missing"),
        ('hub_id: "01-ai/Yi-6B"\n', 'hub_idd: "x"\n', "hub_idd: unknown key; did you mean"),
        ("config:\n", "config: 5\nnothing:\n", "config: must be a mapping"),
        ("  hidden_size: 4096\n", "  hidden_size: 4096\n  hidden_size: 4096\n", "duplicate key"),
        ("  hidden_size: 4096\n", "  hidden_size: &x 4096\n", "anchors"),
    ),
}  # fmt: skip


def faulty(folder: Path, name: str, old: str, new: str) -> Path:
    """A folder of data with one file spoilt."""
    for other in BESIDE:
        shutil.copy(CONFIG / other, folder / other)
    text = (CONFIG / ORIGINALS.get(name, name)).read_text(encoding="utf-8")
    assert old in text
    path = folder / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "old", "new", "message"),
    [(name, *case) for name, cases in CASES.items() for case in cases],
)
def test_a_faulty_file_is_refused(
    tmp_path: Path, name: str, old: str, new: str, message: str
) -> None:
    path = faulty(tmp_path, name, old, new)
    with pytest.raises(CatalogError) as caught:
        LOADERS[name](tmp_path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", CASES)
def test_the_same_file_unspoilt_is_read(tmp_path: Path, name: str) -> None:
    faulty(tmp_path, name, "", "")
    assert LOADERS[name](tmp_path) is not None


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (SGD + "adam:\n  name: Adam\n  name: Adam\n", 4),
        (SGD + "adam:\n  name: &a Adam\n", 3),
        (SGD + "adam: {nam: Adam}\n", 2),
        (SGD + "adam: {name: Adam, state_copies: many}\n", 2),
        (SGD + "adam: [\n", 3),
        ("- sgd\n", 1),
    ],
)
def test_the_line_is_named(tmp_path: Path, text: str, line: int) -> None:
    path = tmp_path / "optimizers.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load_optimizers(path)
    assert f"{path}:{line}: " in str(caught.value)


def test_another_file_of_cards_replaces_the_catalog(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(CARD, encoding="utf-8")
    monkeypatch.setenv("GPU_CATALOG", str(path))
    app = create_app()
    catalogs: Catalogs = app.extensions["catalog_watch"].catalogs
    assert list(catalogs.gpus.cards.entries) == ["house-card"]
    query = "/v1/plans?model=llama-3.2-1b&engine=generic"
    plan = app.test_client().get(query).json
    assert plan["recommendation"]["gpu"] == "house-card"


def test_a_faulty_file_of_cards_stops_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "own.yaml"
    path.write_text(CARD.replace("81920", "-1"), encoding="utf-8")
    monkeypatch.setenv("GPU_CATALOG", str(path))
    with pytest.raises(CatalogError, match=r"own\.yaml: house-card\.memory_planning_mib"):
        create_app()


CARD = """groups: {}
gpus:
  house-card:
    name: House card
    vendor: Ours
    architecture: X
    memory_label_gb: 96
    memory_planning_mib: 81920
    memory_status: not seen
    availability: shipping
    sources: [the purchase order]
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("groups: {}", "groups: {x: [house-card]}", "a group has several cards"),
        ("groups: {}", "groups: {house-card: [a, b]}", "groups.house-card: "),
        ("groups: {}\n", "", "groups: missing"),
        ("groups: {}\n", "groups: {}\ncards: {}\n", "cards: unknown key"),
        ("memory_label_gb: 96", "memory_label_gb: 0", "memory_label_gb: out of range"),
        ("    architecture: X\n", "    architecture: X\n    tdp_watts: 0\n", "tdp_watts: must be"),
        ("    architecture: X\n", "    architecture: X\n    cards_per_node: 0\n", "must be 1 to"),
        ("    architecture: X\n", "    architecture: X\n    memory_reported_mib: 80000\n",
         "memory_planning_mib: must not exceed memory_reported_mib"),
        ("    architecture: X\n", "    architecture: X\n    bandwidth_gb_per_s: .inf\n",
         "bandwidth_gb_per_s: must be a finite number"),
    ],
)  # fmt: skip
def test_a_faulty_card_is_named(tmp_path: Path, old: str, new: str, message: str) -> None:
    path = tmp_path / "gpus.yaml"
    path.write_text(CARD.replace(old, new), encoding="utf-8")
    with pytest.raises(CatalogError) as caught:
        load_gpus(path)
    assert message in str(caught.value)
    assert str(path) in str(caught.value)
