"""Random training configurations, replayed on fake CUDA tensors, in the service's request form.

    PYTHONPATH=ORACLE python -m benchmarks.replays --seed 1 --count 48 > replays.jsonl

ORACLE is a folder with `train_oracle.py`, which follows every storage that transformers 5.23.0 and
torch 2.13.0 allocate. One JSON object a line: the request, the peak and the phase where it lies.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import random
import sys
import warnings

from benchmarks.replays.configurations import FAMILIES, SLOW, drawn


def main() -> None:
    """Draw, replay and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--families", nargs="*", default=sorted(set(FAMILIES) - SLOW))
    chosen = parser.parse_args()
    warnings.filterwarnings("ignore")
    oracle = importlib.import_module("train_oracle")

    source = random.Random(chosen.seed)  # ruff: ignore[suspicious-non-cryptographic-random-usage]
    out = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    families, found = frozenset(chosen.families), 0
    while found < chosen.count:
        draw = drawn(source, families)
        try:
            replayed = oracle.run_case(draw.case)
        except (RuntimeError, ValueError, TypeError, AttributeError) as error:
            sys.stderr.write(f"{draw.case['model']['model_type']}: {str(error)[:100]}\n")
            continue
        row = {
            "id": f"replayed-{chosen.seed}-{found:03d}",
            "group": "replayed",
            "request": draw.request,
            "measured": {"allocated_bytes": replayed["peak_bytes"]},
            "phase": replayed["peak_phase"],
            "phases": {k: v["bytes"] for k, v in replayed["phase_peaks"].items()},
            "scoreable": True,
            "source": "allocator replay of transformers 5.23.0 with torch 2.13.0, "
            f"python -m benchmarks.replays --seed {chosen.seed} --count {chosen.count}",
            "confidence": "high",
            "notes": "",
        }
        out.write(json.dumps(row) + "\n")
        out.flush()
        found += 1
    out.flush()
    os._exit(0)  # the engine's device thread has no CUDA to shut down


if __name__ == "__main__":
    main()
