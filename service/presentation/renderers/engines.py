"""Engines: the line that starts a server, on one machine or on each of several."""

from __future__ import annotations

from collections.abc import Callable

from service.presentation.renderers.documents import comments
from service.presentation.renderers.shell import joined_line, line
from service.presentation.renderers.work import CannotRender, Joined, Work

VARIABLES = Joined(processes="{processes}", rank='"$RANK"', head='"$HEAD"')


def engine_line(engine: str) -> Callable[[Work], str]:
    """The renderer of one engine's line.

    Its renderer raises: CannotRender where the plan is for another engine.
    """

    def render(work: Work) -> str:
        if work.training:
            raise CannotRender(f"{engine} serves, and the plan is for training")
        if work.launch.engine != engine:
            planned = work.launch.engine or "an engine without a command"
            raise CannotRender(
                f"the plan is for {planned}, whose memory differs; ask with engine={engine}"
            )
        return lines(work)

    return render


def lines(work: Work) -> str:
    """The command below what has to be seen to first."""
    head = list(work.head_lines())
    if work.copies > 1:
        head.append(f"start {work.copies} copies, each on cards of its own")
    before = f"export {work.launch.environment}\n" if work.launch.environment else ""
    if work.processes == 1:
        return comments(head) + before + line(work) + "\n"
    head.append(
        f"start it {work.processes} times, on {work.cards} cards each: RANK is 0 to "
        f"{work.processes - 1}, HEAD is the address of rank 0"
    )
    several = Joined(processes=str(work.processes), rank=VARIABLES.rank, head=VARIABLES.head)
    return comments(head) + before + joined_line(work, several) + "\n"
