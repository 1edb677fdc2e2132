"""throughput.yaml and costs.yaml: what bounds speed, and what money is worked out with."""

from __future__ import annotations

from pathlib import Path

from service.catalog.errors import CatalogError
from service.catalog.shelf import check
from service.catalog.strict_yaml import load
from service.catalog.structure import structure
from service.domain.costs import CostRules
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


def load_cost_rules(path: Path) -> CostRules:
    """Hours, energy and what is sold in whole servers.

    Raises: CatalogError naming file, line and field.
    """
    try:
        found = structure(CostRules, load(path))
    except CatalogError as error:
        raise error.inside(str(path), error.line, "") from error
    check(found.hours_per_month > 0, "must be above 0", path, "hours_per_month")
    check(0 <= found.utilization <= 1, "must be 0 to 1", path, "utilization")
    check(found.pue >= 1, "must be at least 1", path, "pue")
    check(found.usd_per_kwh >= 0, "must not be negative", path, "usd_per_kwh")
    check(bool(found.sources), "needs at least one source", path, "sources")
    return found
