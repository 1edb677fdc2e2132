"""dstack: a service, or a task where a run or several nodes are started."""

from __future__ import annotations

from typing import Any

from service.presentation.renderers.documents import yaml_text
from service.presentation.renderers.pods import UNKNOWN_IMAGE, image
from service.presentation.renderers.shell import joined_line, line
from service.presentation.renderers.work import CannotRender, Joined, Work

VARIABLES = Joined(
    processes='"$DSTACK_NODES_NUM"', rank='"$DSTACK_NODE_RANK"', head='"$DSTACK_MASTER_NODE_IP"'
)


def dstack(work: Work) -> str:
    """A configuration for dstack apply.

    Raises: CannotRender where dstack's name of the card is not known.
    """
    name = work.option.gpu.systems.dstack
    if name is None:
        raise CannotRender(f"dstack's name of {work.option.gpu.id} is not known")
    serves = not work.training and work.processes == 1 and work.port is not None
    found: dict[str, Any] = {"type": "service" if serves else "task", "name": work.name}
    if image(work) != UNKNOWN_IMAGE:
        found["image"] = image(work)
    if work.processes > 1:
        found["nodes"] = work.processes
    alone = work.processes == 1
    found["commands"] = [line(work) if alone else joined_line(work, VARIABLES)]
    if serves:
        found |= {"port": work.port, "replicas": work.copies}
    found["resources"] = {"gpu": f"{name}:{work.cards}"}
    apart = work.copies > 1 and not serves
    more = [f"apply it {work.copies} times, under other names"] if apart else []
    return yaml_text([*work.head_lines(), *more], found)
