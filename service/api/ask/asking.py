"""A line answered: read, asked of the domain, told as a report and as a reply."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

from flask import current_app
from werkzeug.datastructures import MultiDict

from service.api.answers import catalogs, versions
from service.api.ask.errors import Misread
from service.api.ask.line import Line, linked, read_line
from service.api.ask.names import Names, index
from service.api.ask.reading import KEPT, PLACES, Reading, Said, value_at
from service.api.ask.tokens import MAX_LINE
from service.api.build import estimate_request
from service.api.flat import ALIASES, question_body
from service.api.metrics import counted
from service.api.plan_build import plan_request
from service.api.routes import validated
from service.api.schemas import ESTIMATE, PLAN
from service.catalog.models import entry_architecture
from service.domain.estimate import estimate
from service.domain.plan_results import Plan
from service.domain.planner import plan
from service.domain.results import Estimate
from service.presentation.asked import (
    Read,
    cards_asked,
    comparison_asked,
    estimate_asked,
    help_asked,
    models_asked,
    plan_asked,
)
from service.presentation.chat.replies import (
    cards_reply,
    comparison_reply,
    estimate_reply,
    help_reply,
    models_reply,
    plan_reply,
)
from service.presentation.chat.reply import Reply
from service.presentation.rendering import Report

MOST_COUNTED = 50
"""Models whose parameters are counted for a list; counting all takes longer than a chat waits."""
PATHS = {"plan": "/v1/plans", "estimate": "/v1/estimates"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """An answer in both forms; `questions` are links to the same questions."""

    report: Report
    reply: Reply
    questions: tuple[str, ...] = ()


def names_in_use() -> Names:
    """The names of the catalogs in use, indexed once for each version of them."""
    held: Names | None = current_app.extensions.get("names")
    if held is None or held.version != catalogs().version:
        held = current_app.extensions["names"] = index(catalogs())
    return held


def asked(text: str) -> Asked:
    """The answer to a line.

    Raises: Misread, ValidationError, InvalidRequest and UnknownName, as a posted request does.
    """
    line = read_line(text, names_in_use())
    return ANSWERS[line.command](line)


def read_as(reading: Reading) -> Read:
    """A reading for the answer: a line, data and a link."""
    path = PATHS[reading.command]
    view = {
        "text": reading.text,
        "words": [
            {"field": one.field, "value": one.value, "words": one.words} for one in reading.said
        ],
        "request": {"method": "POST", "path": path, "body": reading.body},
    }
    link = f"{path}?{urlencode(reading.parameters, quote_via=quote, safe=',/')}"
    return Read(text=reading.text, view={**view, "link": link}, link=link)


def planned(reading: Reading) -> Plan:
    """The plan of a reading, by way of the schema and the names of a posted body."""
    body = validated(PLAN, reading.body)
    return counted(plan(plan_request(catalogs(), body), catalogs().stock))


def estimated(reading: Reading) -> Estimate:
    """The estimate of a reading."""
    body = validated(ESTIMATE, reading.body)
    return estimate(estimate_request(catalogs(), body), catalogs().stock)


def noted(reply: Reply, *readings: Reading) -> Reply:
    """A reply with what was read at the head of its small print."""
    notes = tuple(f"Read as: {reading.text}." for reading in readings)
    shared = any(reading.shared for reading in readings)
    return replace(reply, notes=(*notes, *reply.notes), shared=shared)


def answer_plan(line: Line) -> Asked:
    """A plan."""
    reading = line.readings[0]
    found, read = planned(reading), read_as(reading)
    return Asked(
        report=plan_asked(read, found, versions()),
        reply=noted(plan_reply(found), reading),
        questions=(read.link,),
    )


def answer_estimate(line: Line) -> Asked:
    """An estimate."""
    reading = line.readings[0]
    found, read = estimated(reading), read_as(reading)
    return Asked(
        report=estimate_asked(read, found, versions()),
        reply=noted(estimate_reply(found), reading),
        questions=(read.link,),
    )


def answer_comparison(line: Line) -> Asked:
    """Several plans."""
    names = labels(line.readings)
    plans = [planned(reading) for reading in line.readings]
    reads = [read_as(reading) for reading in line.readings]
    reply = comparison_reply(list(zip(names, plans, strict=True)))
    sides = list(zip(names, reads, plans, strict=True))
    return Asked(
        report=comparison_asked(reply, sides, versions()),
        reply=noted(reply, *line.readings),
        questions=tuple(read.link for read in reads),
    )


def labels(readings: Sequence[Reading]) -> list[str]:
    """What each side says that not all sides say, in its own words."""
    found = []
    for place, reading in enumerate(readings):
        own = [one for one in reading.said if not shared_by_all(one, readings)]
        found.append(" ".join(dict.fromkeys(one.words for one in own)) or f"side {place + 1}")
    return found


def shared_by_all(one: Said, readings: Sequence[Reading]) -> bool:
    """Whether every side says the same of a field."""
    return all(
        any((one.field, one.value) == (other.field, other.value) for other in reading.said)
        for reading in readings
    )


def answer_cards(line: Line) -> Asked:
    """Cards that hold every word."""
    wanted = line.words.split()
    found = [
        gpu
        for gpu in catalogs().gpus.cards
        if holds(f"{gpu.id} {gpu.name} {gpu.vendor} {' '.join(gpu.aliases)}", wanted)
        and (wanted or not gpu.is_mig)
    ]
    reply = cards_reply(found, line.words)
    return Asked(report=cards_asked(reply, found, versions()), reply=reply)


def answer_models(line: Line) -> Asked:
    """Models that hold every word."""
    wanted = line.words.split()
    held = [
        entry
        for entry in catalogs().models
        if holds(f"{entry.id} {entry.hub_id} {' '.join(entry.aliases)}", wanted)
    ]
    few = len(held) <= MOST_COUNTED
    found = [(one.id, entry_architecture(one).parameters if few else None) for one in held]
    reply = models_reply(found, line.words)
    return Asked(report=models_asked(reply, found, versions()), reply=reply)


def holds(text: str, words: Sequence[str]) -> bool:
    """Whether a text holds every word, whatever the case."""
    low = text.lower()
    return all(word in low for word in words)


def answer_help(line: Line) -> Asked:
    """What can be asked."""
    del line
    reply = help_reply()
    return Asked(report=help_asked(reply, versions()), reply=reply)


def answer_link(line: Line) -> Asked:
    """The question of a link of this service."""
    path, query = linked(line.words)
    if path == "ask":
        text = dict(query).get("q", "")[: MAX_LINE + 1]
        if text.strip().lower().startswith("explain"):
            raise Misread(["The link asks to explain a link; give that one."])
        return asked(text)
    command = "plan" if path == "plans" else "estimate"
    parameters: MultiDict[str, str] = MultiDict(query)
    reading = Reading(
        command=command,
        parameters=dict(query),
        body=question_body(parameters, PLACES[command]),
        said=tuple(link_said(command, parameters)),
        shared=False,
    )
    return ANSWERS[command](Line(command=command, readings=(reading,)))


def link_said(command: str, query: MultiDict[str, str]) -> list[Said]:
    """What each parameter of a link says."""
    body, places = question_body(query, PLACES[command]), PLACES[command]
    return [
        Said(
            field=".".join(KEPT if name == "keep" else places[name][0]),
            value=value_at(body, KEPT if name == "keep" else places[name][0]),
            words=f"{given}={text}",
        )
        for given, text in query.items()
        if (name := ALIASES.get(given, given)) in places
    ]


ANSWERS: Mapping[str, Callable[[Line], Asked]] = {
    "plan": answer_plan,
    "estimate": answer_estimate,
    "compare": answer_comparison,
    "cards": answer_cards,
    "models": answer_models,
    "explain": answer_link,
    "help": answer_help,
}
"""How each command is answered."""
