"""What peers answer, run without a network from a virtual environment of their own."""

from __future__ import annotations

import json
import os
import subprocess  # ruff: ignore[suspicious-subprocess-import] - runs the programs compared with
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from benchmarks.comparison.questions import CONTEXT_TOKENS, COUNTS, MODELS, SEQUENCES

GIB = 1 << 30
CARD_GIB = 79.65
LLM_D = """
import sys
from transformers import AutoConfig
from planner import capacity_planner as peer
config, weights, context, batch = sys.argv[1], *map(float, sys.argv[2:])
known = AutoConfig.from_pretrained(config)
peer.model_memory_req = lambda *_: weights
for tensor in peer.find_possible_tp(known):
    need = peer.kv_cache_req("", known, int(context), int(batch))
    if peer.allocatable_kv_cache_memory("", known, 80, 0.92, tp=tensor) >= need:
        print(tensor)
        break
"""


def output(environment: Path, *command: str) -> str:
    """What a program of the environment prints; empty where it fails."""
    line = [str(environment / "bin" / command[0]), *command[1:]]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1"}
    done = subprocess.run(line, capture_output=True, text=True, check=False, env=offline)  # ruff: ignore[subprocess-without-shell-equals-true] - the reader's own programs
    return done.stdout if done.returncode == 0 else ""


def vramscout(environment: Path, _name: str, config: Path, _: float) -> int | None:
    """The first tensor-parallel degree that it says fits."""
    for cards in COUNTS:
        said = output(
            environment, "vramscout", str(config / "config.json"),
            "--context", str(CONTEXT_TOKENS), "--batch-size", str(SEQUENCES), "--tp", str(cards),
            "--engine", "vllm", "--vram-gib", str(CARD_GIB), "--json",
        )  # fmt: skip
        if said and json.loads(said)["fits"]:
            return cards
    return None


def hf_vram_calc(environment: Path, name: str, config: Path, _: float) -> int | None:
    """Its inference total over cards of 79.65 GiB."""
    place = config / "hf-vram-calc.json"
    place.unlink(missing_ok=True)
    output(
        environment, "hf-vram-calc", "--model", name, "--model_path", str(config),
        "--max_batch_size", str(SEQUENCES), "--max_seq_len", str(CONTEXT_TOKENS),
        "--output_json", str(place),
    )  # fmt: skip
    if not place.exists():
        return None
    total = json.loads(place.read_text())["memory_requirements"][0]["inference_total_gib"]
    return next((cards for cards in COUNTS if total <= cards * CARD_GIB), None)


def llm_sizer(environment: Path, name: str, _config: Path, _: float) -> int | None:
    """Its total over cards of 80 GB."""
    known = MODELS[name]
    said = known and output(
        environment, "llm-sizer", "-m", known, "-q", "bf16", "-u", str(SEQUENCES),
        "-c", f"{CONTEXT_TOKENS // 1024}k", "--json",
    )  # fmt: skip
    total = json.loads(said)["vram_gb"]["total"] if said else None
    return total and next((cards for cards in COUNTS if total <= cards * 80), None)


def llm_d_planner(environment: Path, _name: str, config: Path, weights_gib: float) -> int | None:
    """Its formula with our weights, which it would fetch from the Hub."""
    said = output(
        environment, "python", "-c", LLM_D, str(config), str(weights_gib),
        str(CONTEXT_TOKENS), str(SEQUENCES),
    )  # fmt: skip
    return int(said) if said.strip() else None


PEERS: Mapping[str, Callable[[Path, str, Path, float], int | None]] = {
    "llm-d-planner": llm_d_planner,
    "vramscout": vramscout,
    "hf-vram-calc": hf_vram_calc,
    "llm-sizer": llm_sizer,
}


def answers(
    environment: Path, folder: Path, configs: Mapping[str, Any], weights_gib: Mapping[str, float]
) -> dict[str, dict[str, int | None]]:
    """Cards by model and peer."""
    found: dict[str, dict[str, int | None]] = {}
    for name, config in configs.items():
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        (place / "config.json").write_text(json.dumps(config), encoding="utf-8")
        found[name] = {
            peer: ask(environment, name, place, weights_gib[name]) for peer, ask in PEERS.items()
        }
    return found
