"""SkyPilot: a task; several servers as a service."""

from __future__ import annotations

from typing import Any

from service.presentation.renderers.documents import yaml_text
from service.presentation.renderers.shell import joined_line, line
from service.presentation.renderers.work import CannotRender, Joined, Work

VARIABLES = Joined(processes='"$SKYPILOT_NUM_NODES"', rank='"$SKYPILOT_NODE_RANK"', head='"$HEAD"')
SOLD = {1, 2, 4, 8, 16}
"""Cards of a machine as clouds sell them."""


def skypilot(work: Work) -> str:
    """A task for sky launch, or for sky serve up where it has a service.

    Raises: CannotRender where SkyPilot's name of the card is not known.
    """
    name = work.option.gpu.systems.skypilot
    if name is None:
        raise CannotRender(f"SkyPilot's name of {work.option.gpu.id} is not known")
    resources: dict[str, Any] = {"accelerators": {name: work.cards}}
    if work.port and not work.training:
        resources["ports"] = work.port
    task: dict[str, Any] = {"name": work.name}
    if work.copies > 1:
        task["service"] = {"readiness_probe": "/health", "replicas": work.copies}
    task |= {"resources": resources, "num_nodes": work.processes, "run": commands(work)}
    return yaml_text([*work.head_lines(), *count_notes(work)], task)


def count_notes(work: Work) -> list[str]:
    """What to say of a number of cards that no cloud sells."""
    if work.cards in SOLD:
        return []
    return [f"clouds sell 1, 2, 4 or 8 cards a machine; {work.cards} are had on Kubernetes only"]


def commands(work: Work) -> str:
    """What every node runs."""
    if work.processes == 1:
        return line(work) + "\n"
    find = 'HEAD=$(echo "$SKYPILOT_NODE_IPS" | head -n 1)\n'
    return f"{find}{joined_line(work, VARIABLES)}\n"
