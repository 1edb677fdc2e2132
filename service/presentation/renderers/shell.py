"""Shell lines: a process's command on one machine, or where a scheduler starts one on each."""

from __future__ import annotations

import shlex

from service.presentation.renderers.work import Joined, Work


def line(work: Work) -> str:
    """The command of a process that is alone."""
    return shlex.join(work.words())


def joined_line(work: Work, joined: Joined) -> str:
    """The command of one of several processes; variables of the shell are left to be filled in."""
    marks = Joined(processes="@processes@", rank="@rank@", head="@head@")
    text = shlex.join(work.words(marks))
    for mark, value in (
        ("@processes@", joined.processes), ("@rank@", joined.rank), ("@head@", joined.head),
    ):  # fmt: skip
        text = text.replace(mark, value)
    if not work.follower:
        return text
    return f"{text} $([ {joined.rank} = 0 ] || echo {work.follower})"
