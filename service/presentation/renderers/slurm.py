"""Slurm: a batch script; one task a process, with its cards."""

from __future__ import annotations

import shlex
from collections.abc import Iterator

from service.domain.units import ceil_div
from service.presentation.renderers.documents import comments
from service.presentation.renderers.shell import joined_line, line
from service.presentation.renderers.work import Joined, Work

VARIABLES = Joined(processes='"$SLURM_NTASKS"', rank='"$SLURM_PROCID"', head='"$HEAD"')


def slurm(work: Work) -> str:
    """A script for sbatch."""
    head = [*work.head_lines(), *type_notes(work)]
    directives = "".join(f"#SBATCH {text}\n" for text in options(work))
    return "#!/bin/bash\n" + directives + comments(head) + "set -euo pipefail\n" + body(work)


def type_notes(work: Work) -> list[str]:
    """What to say of the type of the cards, which every site names for itself."""
    gpu = work.option.gpu
    if gpu.systems.slurm:
        return [f"{gpu.systems.slurm} is the usual type of {gpu.id}: compare with sinfo -o %G"]
    return [
        f"the site's type of {gpu.id} is not known, so that any card would do: look it up with "
        "sinfo -o %G and write --gpus-per-task=TYPE:N, or add a --constraint"
    ]


def options(work: Work) -> Iterator[str]:
    """What the job asks for: as many nodes as the plan, a task a process."""
    kind = work.option.gpu.systems.slurm
    on_node = max(1, work.option.cards_per_node // work.cards)
    yield f"--job-name={work.name}"
    yield f"--nodes={ceil_div(work.processes, on_node)}"
    yield f"--ntasks={work.processes}"
    yield f"--gpus-per-task={f'{kind}:' if kind else ''}{work.cards}"
    if work.copies > 1:
        yield f"--array=0-{work.copies - 1}"


def body(work: Work) -> str:
    """The command, started once for each task."""
    if work.processes == 1:
        return f"srun {line(work)}\n"
    find = 'HEAD=$(scontrol show hostnames "$SLURM_JOB_NODELIST" | head -n 1)\nexport HEAD\n'
    return f"{find}srun bash -c {shlex.quote(f'exec {joined_line(work, VARIABLES)}')}\n"
