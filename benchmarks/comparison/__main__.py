"""`python -m benchmarks.comparison [ENVIRONMENT]` writes docs/COMPARISON.md.

With the path of a virtual environment that holds the peers, they are asked again; without one the
answers kept in `answers.json` are used.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

from benchmarks.comparison.page import KEPT, PAGE, configs, page, weights_gib
from benchmarks.comparison.peers import answers


def main() -> None:
    """Ask, keep and write."""
    if sys.argv[1:]:
        with tempfile.TemporaryDirectory() as folder:
            found = answers(Path(sys.argv[1]), Path(folder), configs(), weights_gib())
        KEPT.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
