"""`python -m benchmarks.licences SBOM`: the licences of all runtime packages, docs/LICENCES.md."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

TABLE = Path(__file__).resolve().parent.parent / "docs" / "LICENCES.md"
HEAD = """# Licences

Written by `make sbom` from what `requirements.txt` installs; do not edit. The service itself is
under Apache-2.0. `build/sbom.json` holds the same packages as a CycloneDX bill of materials.

| package | version | licence |
| --- | --- | --- |
"""


def licence(component: dict[str, Any]) -> str:
    """The licence that a package declares, as SPDX where it says so."""
    found = [entry.get("license", entry) for entry in component.get("licenses", ())]
    spdx = [one.get("expression") or one.get("id") for one in found]
    names = [one["name"].rsplit(" :: ", 1)[-1] for one in found if "name" in one]
    return ", ".join(sorted({name for name in spdx if name} or set(names)))


def table(bill: dict[str, Any]) -> str:
    """The page: a row a package."""
    rows = sorted(bill["components"], key=lambda one: str(one["name"]).lower())
    lines = [f"| {one['name']} | {one['version']} | {licence(one)} |\n" for one in rows]
    return HEAD + "".join(lines)


if __name__ == "__main__":
    TABLE.write_text(table(json.loads(Path(sys.argv[1]).read_bytes())), encoding="utf-8")
