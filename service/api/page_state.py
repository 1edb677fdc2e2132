"""What a request of the page asks for: parameters, a line in free order, or nothing: an example."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from marshmallow import ValidationError
from werkzeug.datastructures import MultiDict

from service.api.answers import catalogs
from service.api.ask.asking import names_in_use
from service.api.ask.line import read_line
from service.api.flat import PLAN_PLACES
from service.api.page_query import flat_state, is_empty
from service.presentation.page.form import example

ASK = "ask"
QUESTIONS = frozenset({"plan", "estimate"})


@dataclass(frozen=True, slots=True, kw_only=True)
class State:
    """A question as flat parameters; `read` says how a line was understood."""

    flat: Mapping[str, str] = field(default_factory=dict)
    line: str = ""
    read: str = ""


class NotAPlan(Exception):
    """A line that asks for no single plan; `/v1/ask` answers it in words."""

    def __init__(self, line: str) -> None:
        self.line = line
        super().__init__("the line asks for no single plan")


def page_state(query: MultiDict[str, str]) -> State:
    """The question of a query string.

    Raises: ValidationError where it cannot be read, NotAPlan where a line asks something else.
    """
    line = query.get(ASK, "").strip()
    if line:
        if len(query) > 1 or len(query.getlist(ASK)) > 1:
            raise ValidationError({ASK: ["Stands alone: the line holds the whole question."]})
        return line_state(line)
    flat = flat_state(MultiDict((name, value) for name, value in query.items(True) if name != ASK))
    if is_empty(flat):
        kind = "training" if flat.get("kind") == "training" else "inference"
        return State(flat={**example(kind, catalogs().stock), **flat})
    return State(flat=flat)


def line_state(text: str) -> State:
    """The question of a line."""
    line = read_line(text, names_in_use())
    if line.command not in QUESTIONS or len(line.readings) != 1:
        raise NotAPlan(text)
    reading = line.readings[0]
    flat = as_plan(reading.parameters)
    return State(flat=flat_state(MultiDict(flat)), line=text, read=reading.text)


def as_plan(parameters: Mapping[str, str]) -> dict[str, str]:
    """An estimate's parameters as those of a plan: its cards are the most that may be taken.

    Raises: ValidationError for what a plan has no place for.
    """
    flat = {"max_cards" if name == "cards" else name: value for name, value in parameters.items()}
    for name in flat:
        if name not in PLAN_PLACES:
            raise ValidationError({ASK: [f"{name} is for estimates; the page shows plans."]})
    return flat
