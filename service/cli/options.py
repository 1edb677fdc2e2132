"""The words of the command line: every query parameter is an option, by its long or short name."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

from service.api.flat import ALIASES, ESTIMATE_PLACES, PLAN_PLACES, Place, flag
from service.presentation.renderers.table import SYSTEMS

FORMATS: Mapping[str, str] = {
    "text": "text/plain",
    "json": "application/json",
    "csv": "text/csv",
    "md": "text/markdown",
    "yaml": "application/yaml",
}
FRIENDLY: Mapping[str, str] = {"context": "context_tokens"}
"""Options that read better than the parameter; the rest are the aliases of the query string."""
POSITIONAL = "model"
PREFIX = "parameter:"


def parser() -> argparse.ArgumentParser:
    """The whole command line."""
    whole = argparse.ArgumentParser(
        prog="gpu-planner",
        description="How much GPU memory a model needs, and the smallest set of cards.",
        epilog="Exit codes: 0 it fits, 3 nothing fits, 2 bad input, 1 no answer.",
        allow_abbrev=False,
    )
    commands = whole.add_subparsers(dest="command", required=True, metavar="COMMAND")
    question(commands, "plan", "the smallest combination that fits", PLAN_PLACES)
    question(commands, "estimate", "memory of one placement", ESTIMATE_PLACES)
    asking = command(commands, "ask", "a question in free words")
    asking.add_argument("line", nargs="+", metavar="WORD")
    output(asking)
    batching = command(commands, "batch", "every row of a CSV file, in the same order")
    batching.add_argument("file", metavar="FILE", help="- reads standard input")
    batching.add_argument("--of", choices=("plans", "estimates"), default="plans")
    batching.add_argument("--output", metavar="FILE", help="in place of standard output")
    output(batching, ("csv", "json"))
    serving = command(commands, "serve", "start the service")
    serving.add_argument("--host", default="127.0.0.1")
    serving.add_argument("--port", type=int, default=8000)
    checking = command(commands, "check", "every fault of the data files, with file and line")
    checking.add_argument("--config", metavar="FOLDER", help="in place of the service's own")
    checking.add_argument("--gpus", metavar="FILE", help="in place of the service's own")
    return whole


def command(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    words: str,
) -> argparse.ArgumentParser:
    """A command with its words; options are not guessed from their beginnings."""
    return commands.add_parser(name, help=words, description=words, allow_abbrev=False)


def question(
    commands: argparse._SubParsersAction[argparse.ArgumentParser],
    name: str,
    words: str,
    places: Mapping[str, Place],
) -> None:
    """A command of which each parameter is an option."""
    found = command(commands, name, words)
    found.add_argument(PREFIX + POSITIONAL, nargs="?", metavar="MODEL", help="id, alias or Hub id")
    found.add_argument("--body", metavar="FILE", help="a JSON request; - reads standard input")
    if name == "plan":
        found.add_argument("--render", choices=tuple(SYSTEMS), help="for another system")
    output(found)
    group = found.add_argument_group("parameters", "as in the query string of the service")
    for parameter, (_, read) in places.items():
        if parameter != POSITIONAL:
            alone: dict[str, Any] = {"nargs": "?", "const": "true"} if read is flag else {}
            group.add_argument(
                *spellings(parameter), dest=PREFIX + parameter, metavar="VALUE", **alone
            )


def spellings(parameter: str) -> list[str]:
    """An option's names, the long one first."""
    short = [alias for names in (FRIENDLY, ALIASES) for alias in names if names[alias] == parameter]
    return [f"--{name.replace('_', '-')}" for name in (parameter, *short)]


def output(found: argparse.ArgumentParser, forms: Sequence[str] = tuple(FORMATS)) -> None:
    """Where the answer is from, and its form."""
    found.add_argument("--url", metavar="URL", help="ask this service; without it, in process")
    found.add_argument("--format", choices=forms, default=forms[0])


def parameters(given: argparse.Namespace) -> dict[str, str]:
    """The query parameters that were given."""
    found: dict[str, str | None] = {
        name.removeprefix(PREFIX): value
        for name, value in vars(given).items()
        if name.startswith(PREFIX)
    }
    return {name: value for name, value in found.items() if value is not None}
