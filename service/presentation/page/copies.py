"""The same question in the forms that other tools take."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from service.domain.hardware import Gpu
from service.domain.plan_results import Plan
from service.presentation.page.numbers import short
from service.presentation.renderers.table import SYSTEMS, render
from service.presentation.renderers.work import CannotRender

SAFE = ",:/"
PIECE = 250
FILES = ("csv", "xlsx")
CHAT_NAMES = {"context_tokens": "ctx", "concurrency": "users", "sequence_tokens": "seq"}
TOLD_APART = {"model", "parameters", "gpu", "kind", "config"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A question as its parameters and as a request body, and where the service is reached."""

    host: str
    flat: Mapping[str, str]
    body: Mapping[str, Any]
    versions: Mapping[str, str]

    @property
    def query(self) -> str:
        """The parameters as a link carries them."""
        return query(self.flat)

    @property
    def has_config(self) -> bool:
        """Whether a config.json was pasted, which only a body can carry to the API."""
        return "config" in self.flat


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """One form: where it is put and its text."""

    id: str
    label: str
    hint: str
    text: str


def query(flat: Mapping[str, str]) -> str:
    """Parameters as a query string."""
    return urlencode(dict(flat), safe=SAFE)


def curl(question: Question) -> str:
    """A command line that asks the API."""
    if question.has_config:
        body = shlex.quote(json.dumps(question.body, separators=(",", ":")))
        return f"curl {question.host}/v1/plans -H 'Content-Type: application/json' -d {body}"
    return f"curl {shlex.quote(f'{question.host}/v1/plans?{question.query}')}"


def chat_word(name: str, value: str) -> str:
    """One setting in the chat's words."""
    sized = short(int(value)) if name in CHAT_NAMES and value.isdigit() else value
    return f"{CHAT_NAMES.get(name, name)}={sized}"


def chat_line(flat: Mapping[str, str]) -> str:
    """The line for a chat's slash command."""
    model = flat.get("model") or flat.get("parameters", "")
    start = "/gpus train" if flat.get("kind") == "training" else "/gpus"
    words = [chat_word(name, value) for name, value in flat.items() if name not in TOLD_APART]
    cards = [f"on {flat['gpu']}"] if "gpu" in flat else []
    return " ".join([start, model, *words, *cards])


def manifest(plan: Plan, gpus: Mapping[str, Gpu], versions: Mapping[str, str]) -> Iterator[Copy]:
    """What Kubernetes takes; nothing where it has no words for the cards."""
    try:
        text, _ = render("kubernetes", plan, gpus, versions)
    except CannotRender:
        return
    yield Copy(id="kubernetes", label="Kubernetes", hint="A manifest to apply", text=text)


def copies(question: Question, plan: Plan, gpus: Mapping[str, Gpu]) -> Iterator[Copy]:
    """Every form that the question has."""
    option = plan.recommendation
    yield Copy(
        id="link",
        label="Link",
        hint="This page with everything as it stands",
        text=f"{question.host}/?{question.query}",
    )
    yield Copy(id="curl", label="curl", hint="The whole answer as JSON", text=curl(question))
    if not question.has_config:
        yield from links(question)
    if option is not None and option.launch:
        hint = "Starts it on these cards"
        yield Copy(id="launch", label="Launch", hint=hint, text=option.launch)
    if option is not None:
        yield from manifest(plan, gpus, question.versions)


def systems(question: Question, plan: Plan) -> tuple[tuple[str, str], ...]:
    """Other systems with the link to what each takes."""
    if question.has_config or plan.recommendation is None:
        return ()
    return tuple((name, f"/v1/plans?{question.query}&render={name}") for name in SYSTEMS)


def cell(address: str) -> str:
    """The formula of a cell; a spreadsheet takes no text of more than 255 characters at once."""
    pieces = [address[at : at + PIECE] for at in range(0, len(address), PIECE)]
    quoted = [f'"{piece}"' for piece in pieces]
    return f"=WEBSERVICE({'&'.join(quoted)})"


def files(question: Question) -> tuple[tuple[str, str], ...]:
    """The plan as files, by the letters that stand for them."""
    if question.has_config:
        return ()
    return tuple((name.upper(), f"/v1/plans.{name}?{question.query}") for name in FILES)


def links(question: Question) -> Iterator[Copy]:
    """Forms whose question is a link."""
    asked = question.query
    yield Copy(
        id="cell",
        label="Cell",
        hint="The number of cards, in Excel or LibreOffice",
        text=cell(f"{question.host}/v1/scalar/cards?{asked}&on_error=text"),
    )
    yield Copy(
        id="sheet",
        label="Power Query",
        hint="All options: Excel, Data, Blank Query, Advanced Editor",
        text=f'Csv.Document(Web.Contents("{question.host}/v1/plans.csv?{asked}"))',
    )
    yield Copy(
        id="chat", label="Chat", hint="A slash command's line", text=chat_line(question.flat)
    )
