"""Plans of the table, each made once, and what systems make of them."""

from collections.abc import Callable
from functools import cache

import pytest

from service.api.build import Catalogs
from service.api.plan_build import plan_request
from service.api.schemas import PLAN
from service.domain.plan_results import Plan
from service.domain.planner import plan
from service.presentation.renderers.table import SYSTEMS, render
from service.presentation.renderers.work import CannotRender
from tests.renderers.plans import PLANS

VERSIONS = {"service_version": "1", "catalog_version": "abc"}
Rendered = Callable[[str, str], str | None]


@pytest.fixture(scope="session")
def planned(catalogs: Catalogs) -> Callable[[str], Plan]:
    """A plan of the table by name."""
    return cache(lambda name: plan(plan_request(catalogs, PLAN.load(PLANS[name])), catalogs.stock))


@pytest.fixture(scope="session")
def rendered(catalogs: Catalogs, planned: Callable[[str], Plan]) -> Rendered:
    """A plan as a system's input; None where the system has no words for it."""

    def made(name: str, system: str) -> str | None:
        try:
            return render(system, planned(name), catalogs.stock.gpus, VERSIONS)[0]
        except CannotRender:
            return None

    return made


@pytest.fixture(scope="session")
def written(rendered: Rendered) -> Callable[[str], dict[str, str]]:
    """All that a system makes of the table."""

    def made(system: str) -> dict[str, str]:
        found = {name: rendered(name, system) for name in PLANS}
        return {name: text for name, text in found.items() if text is not None}

    assert len(SYSTEMS) > 10
    return cache(made)
