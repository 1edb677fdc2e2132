"""MIG: how the cards have to be cut, as nvidia-mig-parted and the GPU operator read it."""

from __future__ import annotations

from service.domain.units import ceil_div
from service.presentation.renderers.documents import yaml_text
from service.presentation.renderers.work import CannotRender, Work


def mig(work: Work) -> str:
    """A configuration named after the profile.

    Raises: CannotRender where the plan's card is no slice.
    """
    slice_ = work.option.gpu.mig
    if slice_ is None:
        raise CannotRender(f"{work.option.gpu.id} is a whole card; plan with a slice of it")
    most = slice_.instances_per_parent
    if most is None:
        raise CannotRender(f"how many {slice_.profile} a {slice_.parent} gives is not known")
    whole = ceil_div(work.option.cards, most)
    profile = {slice_.profile: most}
    config = [{"devices": list(range(whole)), "mig-enabled": True, "mig-devices": profile}]
    head = [*work.head_lines(), f"{work.option.cards} of {most * whole} slices are for this plan"]
    return yaml_text(head, {"version": "v1", "mig-configs": {f"plan-{slice_.profile}": config}})
