"""gpu-planner: asks, prints, and says by its exit code whether it fits."""

from __future__ import annotations

import json
import os
import sys
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NoReturn

from service.app import ROOT
from service.catalog.errors import CatalogError
from service.catalog.lint import faults
from service.cli.batch import Stopped, WrongFile, batch
from service.cli.client import Answer, Door, InProcess, OverHttp, Question, Unreachable
from service.cli.options import FORMATS, parameters, parser

FITS, FAILED, WRONG, NOTHING_FITS = 0, 1, 2, 3
SERVER_ERROR = 500
PATHS = {"plan": "/v1/plans", "estimate": "/v1/estimates"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command; the exit code says how it went."""
    given = parser().parse_args(arguments)
    try:
        return COMMANDS[given.command](given)
    except (Unreachable, CatalogError, OSError) as error:
        sys.stderr.write(f"gpu-planner: {error}\n")
        return FAILED


def door(given: Namespace) -> Door:
    """The way to the service that was asked for."""
    return OverHttp(given.url) if given.url else InProcess()


def ask_question(given: Namespace) -> int:
    """A plan or an estimate, from options or from a whole request."""
    flat = parameters(given)
    rendered = {"render": given.render} if getattr(given, "render", None) else {}
    body = None
    if given.body:
        if flat:
            return wrong(f"give --body or parameters, not both: {', '.join(flat)}")
        body = Path(given.body).read_bytes() if given.body != "-" else sys.stdin.buffer.read()
    question = Question(
        path=PATHS[given.command],
        parameters={**flat, **rendered},
        accept=FORMATS[given.format],
        body=body,
    )
    return shown(door(given).ask(question))


def ask_line(given: Namespace) -> int:
    """The answer to a line."""
    told = {"q": " ".join(given.line)}
    question = Question(path="/v1/ask", parameters=told, accept=FORMATS[given.format])
    return shown(door(given).ask(question))


def shown(found: Answer) -> int:
    """An answer on standard output, a refusal on standard error."""
    if not found.refused:
        sys.stdout.write(found.text if found.text.endswith("\n") else f"{found.text}\n")
        return NOTHING_FITS if found.fits is False else FITS
    sys.stderr.write("".join(f"gpu-planner: {line}\n" for line in complaint(found)))
    if found.fits is False:
        return NOTHING_FITS
    return FAILED if found.status >= SERVER_ERROR else WRONG


def complaint(found: Answer) -> list[str]:
    """A problem in lines: each field with what would be right, else the whole."""
    try:
        problem = json.loads(found.text)
        listed = [f"{one['pointer'].strip('/')}: {one['message']}" for one in problem["errors"]]
    except (ValueError, TypeError):
        return [f"the answer is {found.status} and no problem document"]
    except KeyError:
        return [str(problem.get("detail", problem.get("title", found.status)))]
    return listed


def wrong(message: str) -> int:
    """A command line that cannot be meant."""
    sys.stderr.write(f"gpu-planner: {message}\n")
    return WRONG


def serve(given: Namespace) -> NoReturn:
    """The service in this process's place."""
    os.environ.update(HOST=given.host, PORT=str(given.port))
    os.chdir(ROOT)
    settings = ["--config", str(ROOT / "config" / "gunicorn.conf.py")]
    command = [sys.executable, "-m", "gunicorn", *settings, "service.app:create_app()"]
    os.execv(sys.executable, command)  # ruff: ignore[start-process-with-no-shell]


def check(given: Namespace) -> int:
    """Faults of the data files, a line each."""
    config = Path(given.config) if given.config else ROOT / "config"
    gpus = Path(given.gpus) if given.gpus else ROOT / "gpus.yaml"
    found = list(faults(config, gpus))
    sys.stdout.write("".join(f"{fault}\n" for fault in found) or "no fault found\n")
    return WRONG if found else FITS


def batched(given: Namespace) -> int:
    """A file's rows; the worst of them decides the exit code."""
    try:
        states = set(batch(door(given), given))
    except WrongFile as error:
        return wrong(str(error))
    except Stopped as error:
        return shown(error.answer)
    if "error" in states:
        return WRONG
    return NOTHING_FITS if "does-not-fit" in states else FITS


COMMANDS: Mapping[str, Callable[[Namespace], int]] = {
    "plan": ask_question,
    "estimate": ask_question,
    "ask": ask_line,
    "batch": batched,
    "serve": serve,
    "check": check,
}
