"""throughput.yaml: what bounds the speed of serving."""

from __future__ import annotations

from pathlib import Path

from service.catalog.errors import CatalogError
from service.catalog.shelf import check
from service.catalog.strict_yaml import load
from service.catalog.structure import structure
from service.domain.physics import Physics


def load_physics(path: Path) -> Physics:
    """Efficiencies and compute rates.

    Raises: CatalogError naming file, line and field.
    """
    try:
        found = structure(Physics, load(path))
    except CatalogError as error:
        raise error.inside(str(path), error.line, "") from error
    granted = found.efficiency
    for name in ("bandwidth", "compute", "interconnect"):
        good = 0 < getattr(granted, name) <= 1
        check(good, "must be above 0, at most 1", path, f"efficiency.{name}")
    check(found.default_output_tokens > 0, "must be above 0", path, "default_output_tokens")
    check(bool(found.sources), "needs at least one source", path, "sources")
    return found
