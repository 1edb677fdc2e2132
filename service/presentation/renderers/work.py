"""The recommended option as work for a scheduler: processes, each with its cards and command."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from service.domain.errors import InvalidRequest
from service.domain.hardware import Gpu
from service.domain.launches import RENDEZVOUS_PORT, TRAINING_SCRIPT, Launch
from service.domain.plan_results import Option, Plan
from service.presentation.plan_words import named, plan_words

MAX_NAME = 50
OWN_SERVER = ("python", "serve.py")


class CannotRender(InvalidRequest):
    """A plan that a system has no words for."""

    def __init__(self, message: str) -> None:
        super().__init__("render", message)


class NothingToRender(CannotRender):
    """A plan that fits nowhere."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """What a process is told of the others: their number, its own place, where the first runs."""

    processes: str
    rank: str
    head: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A plan's recommendation, cut into equal processes.

    gpus       all cards by id, for the card that a MIG slice is cut from
    processes  that join to one server or run, one a pod or task
    cards      of each process
    copies     servers that know nothing of one another
    """

    plan: Plan
    option: Option
    gpus: Mapping[str, Gpu]
    versions: Mapping[str, str]
    processes: int
    cards: int
    copies: int

    @property
    def training(self) -> bool:
        """Whether a run is to be started rather than a server."""
        return self.option.training is not None

    @property
    def launch(self) -> Launch:
        """The parts of the command."""
        return self.option.starts[0]

    @property
    def name(self) -> str:
        """A name that every system takes: lower case, digits and hyphens, a letter first."""
        last = self.plan.model.name.rsplit("/", 1)[-1].lower()
        slug = re.sub(r"[^a-z0-9]+", "-", last).strip("-")
        return f"m-{slug}"[:MAX_NAME].rstrip("-") if not slug[:1].isalpha() else slug[:MAX_NAME]

    @property
    def port(self) -> int | None:
        """Where a server listens."""
        return self.launch.starter.port if self.launch.starter else None

    def head_lines(self) -> Iterator[str]:
        """Lines for the head of a document: what it is, from which data, what to see to first."""
        service, catalog = self.versions["service_version"], self.versions["catalog_version"]
        yield f"{self.plan.model.name}: {named(self.option)}"
        yield f"written by gpu-memory-planner {service} from catalog {catalog}"
        yield from (f"before you start it: {note}" for note in self.launch.notes)
        if self.training:
            yield f"{TRAINING_SCRIPT} stands for your own program"
        elif not self.launch.program:
            yield f"{OWN_SERVER[-1]} stands for your own server: the plan's engine has none"

    def words(self, joined: Joined | None = None, *, image: bool = False) -> list[str]:
        """One process's command, word by word."""
        if self.training:
            return self._training_words(joined)
        starter = self.launch.starter
        if starter is None:
            return list(OWN_SERVER)
        program = self.launch.program
        if image and starter.image_command:
            program = program.replace(starter.command, starter.image_command, 1)
        flags = [text for name, text in self.launch.flags.items() if self._told(name)]
        told = [program, *flags, starter.listen]
        if joined:
            told.append(
                starter.several.format(
                    processes=joined.processes, rank=joined.rank, head=joined.head
                )
            )
        return [word for part in told for word in shlex.split(part)]

    def _told(self, setting: str) -> bool:
        return setting != "data_parallel" or self.copies == 1

    def _training_words(self, joined: Joined | None) -> list[str]:
        start = ["torchrun", "--nnodes", joined.processes if joined else "1"]
        if joined:
            start += ["--node-rank", joined.rank, "--master-addr", joined.head]
            start += ["--master-port", str(RENDEZVOUS_PORT)]
        return [*start, "--nproc-per-node", str(self.cards), TRAINING_SCRIPT]

    @property
    def follower(self) -> str:
        """The flag of every process but the first."""
        return self.launch.starter.follower if self.launch.starter and not self.training else ""

    def refuse_joining(self) -> None:
        """Refuse several processes that the engine has no flags to join.

        Raises: CannotRender.
        """
        joins = self.training or (self.launch.starter and self.launch.starter.several)
        if self.processes > 1 and not joins:
            raise CannotRender(
                f"the plan spreads one server of {self.launch.engine or 'an own program'} over "
                f"{self.processes} processes, and no flags are known that join them; plan it on "
                "one node with max_nodes=1"
            )


def work_of(plan: Plan, gpus: Mapping[str, Gpu], versions: Mapping[str, str]) -> Work:
    """The work of a plan.

    Raises: CannotRender where nothing is recommended, or cards are of several kinds.
    """
    option = plan.recommendation
    if option is None:
        raise NothingToRender(f"there is nothing to render: {plan_words(plan)[0]}")
    if option.stages:
        raise CannotRender("stages on unlike cards have no common request; plan without mixing")
    copies = 1 if together(option) else option.data_parallel
    ranks = option.cards // copies
    cards = process_cards(option, ranks)
    found = Work(
        plan=plan,
        option=option,
        gpus=gpus,
        versions=versions,
        processes=ranks // cards,
        cards=cards,
        copies=copies,
    )
    found.refuse_joining()
    return found


def together(option: Option) -> bool:
    """Whether data-parallel ranks are one thing: in training, and where experts span them."""
    return option.training is not None or option.expert_parallel > option.tensor_parallel


def process_cards(option: Option, ranks: int) -> int:
    """Cards of each process: as many as lie on a node in equal parts, tensor groups whole."""
    held = {taken.cards for taken in option.placement} or {option.cards_per_node}
    for processes in range(1, ranks + 1):
        cards = ranks // processes
        equal = ranks % processes == 0 and cards % option.tensor_parallel == 0
        if equal and all(
            own >= cards and (not option.placement or own % cards == 0) for own in held
        ):
            return cards
    return option.tensor_parallel
