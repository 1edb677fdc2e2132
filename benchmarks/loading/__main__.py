"""`python -m benchmarks.loading`: what stays reserved, by model, version and ranks."""

from __future__ import annotations

import sys

from benchmarks.loading.swizzling import VERSIONS, load

GIB = 2**30
MODELS = {"gpt-oss-20b": (32, 24), "gpt-oss-120b": (128, 36)}


def main() -> int:
    """One line a model, version and number of ranks."""
    for version, steps in VERSIONS.items():
        for name, (experts, layers) in MODELS.items():
            for ranks in (1, 2, 4, 8):
                allocated, reserved, loaded = load(experts, layers, ranks, steps)
                share = (reserved - allocated) / loaded
                sys.stdout.write(
                    f"{version} {name} x{ranks}: allocated {allocated / GIB:.2f} GiB, "
                    f"reserved {reserved / GIB:.2f} GiB, {share:.2f} of the experts unused\n"
                )
    return 0


sys.exit(main())
