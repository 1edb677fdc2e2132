"""What a line asks for: entries become flat query parameters, these the body of a request."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from werkzeug.datastructures import MultiDict

from service.api.ask.cards import with_cards
from service.api.ask.errors import Misread
from service.api.ask.names import Names
from service.api.ask.scan import Entry
from service.api.ask.words import MEANT, OBJECTIVES
from service.api.flat import ESTIMATE_PLACES, PLAN_PLACES, Place, question_body
from service.api.workload_schema import WORKLOADS

PLACES: Mapping[str, Mapping[str, Place]] = {"plan": PLAN_PLACES, "estimate": ESTIMATE_PLACES}
SERVING = set(WORKLOADS["inference"].fields) - set(WORKLOADS["training"].fields)
TRAINING = (set(WORKLOADS["training"].fields) - set(WORKLOADS["inference"].fields)) | {
    "rank",
    "targets",
}
MODEL = frozenset({"model", "parameters"})
LISTS: Mapping[str, frozenset[str]] = {
    command: frozenset(name for name, (_, read) in places.items() if isinstance(read("1"), list))
    for command, places in PLACES.items()
}
BY_KIND: Mapping[str, Mapping[str, str]] = {
    "inference": {"tokens": "context_tokens", "batch": "concurrency", "users": "concurrency"},
    "training": {"tokens": "sequence_tokens", "batch": "micro_batch_size"},
}
MOST_LISTED = 6
EXAMPLE = "llama-3.3-70b ctx=32k users=16 on h100"


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """A field of the request, its value, and the words that it was read from."""

    field: str
    value: Any
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A request as it was read.

    command     plan or estimate
    parameters  the same as a query string
    body        the same as a posted body
    """

    command: str
    parameters: Mapping[str, str]
    body: Mapping[str, Any]
    said: tuple[Said, ...]
    shared: bool

    @property
    def text(self) -> str:
        """One line that shows a misreading."""
        return ", ".join(shown(one) for one in self.said)


def shown(one: Said) -> str:
    """A field with its value, and the words where they differ from it."""
    value = listed(one.value) if isinstance(one.value, list) else str(one.value)
    name = one.field.rsplit(".", 1)[-1]
    return f"{name} = {value}" + (f" ({one.words})" if one.words.lower() != value else "")


def listed(values: list[Any]) -> str:
    """A list for a reader, cut where it is long."""
    more = len(values) - MOST_LISTED
    text = ", ".join(map(str, values[:MOST_LISTED]))
    return f"{text} and {more} more" if more > 0 else text


def reading(command: str, entries: Iterable[Entry], names: Names) -> Reading:
    """The request that some entries make.

    Raises: Misread where they contradict each other or belong elsewhere, or no model is named.
    """
    found = settled_times(list(entries))
    kind = settled_kind(found)
    said = [one for entry in found for one in meant(command, kind.value, entry)]
    said = one_kept(with_cards([*said, *as_they_are(command, kind.value, said)], names))
    if kind.value == "training":
        said = list(dict.fromkeys([*said, kind]))
    problems = [*misplaced(command, kind.value, said), *contradictions(command, said)]
    if not MODEL & {entry.name for entry in said}:
        problems.append(f"Which model? Name one, as in `{EXAMPLE}`; `models llama` lists them.")
    if problems:
        raise Misread(problems)
    return as_request(command, sorted(said, key=lambda entry: entry.name not in MODEL))


def one_kept(said: list[Entry]) -> list[Entry]:
    """What is kept belongs to one quantization, not to a choice of them."""
    if all(entry.name != "keep" for entry in said):
        return said
    renamed = {"quantizations": "quantization"}
    return [replace(entry, name=renamed.get(entry.name, entry.name)) for entry in said]


def as_request(command: str, said: list[Entry]) -> Reading:
    """The request of entries that go together."""
    parameters = joined([entry for entry in said if entry.name != "share"])
    body = question_body(MultiDict(parameters), PLACES[command])
    return Reading(
        command=command,
        parameters=parameters,
        body=body,
        said=tuple(echo(command, parameters, body, said)),
        shared=any(entry.name == "share" for entry in said),
    )


def settled_times(entries: list[Entry]) -> list[Entry]:
    """`x8` beside a card counts cards, beside a length users, beside nodes the cards of each."""
    found: list[Entry] = []
    for place, entry in enumerate(entries):
        if entry.name != "times":
            found.append(entry)
            continue
        beside = [one.name for one in entries[max(0, place - 1) : place + 2] if one is not entry]
        if not entry.word.lower().startswith(("x", "*")):
            beside.reverse()
        names = [TIMES[name] for name in beside if name in TIMES]
        if not names:
            ways = f"Write max {entry.value} or users={entry.value}."
            raise Misread([f"`{entry.word}` of what? {ways}"])
        found.append(replace(entry, name=names[0]))
    return found


TIMES: Mapping[str, str] = {"gpu": "count", "tokens": "users", "max_nodes": "max_cards_per_node"}
"""What a number of times counts beside each kind of word."""


def settled_kind(entries: list[Entry]) -> Entry:
    """Serving or training: as it is said, else as the fields imply.

    Raises: Misread where both are.
    """
    said = {entry.value: entry for entry in entries if entry.name == "kind"}
    implied = {
        kind: next((entry for entry in entries if entry.name in fields), None)
        for kind, fields in (("training", TRAINING), ("inference", SERVING | {"users"}))
    }
    trains, serves = (said or implied).get("training"), (said or implied).get("inference")
    if trains and serves:
        words = f"`{trains.word}` is about training, `{serves.word}` about serving"
        raise Misread([f"{words}: ask for one of both."])
    if trains:
        return Entry(name="kind", value="training", word=trains.word)
    return Entry(name="kind", value="inference", word="")


def meant(command: str, kind: str, entry: Entry) -> Iterator[Entry]:
    """An entry under the names of the query parameters."""
    for name, value in MEANT.get((kind, entry.name, entry.value), ((entry.name, entry.value),)):
        yield replace(entry, name=parameter(command, kind, name), value=settled(name, value))


def parameter(command: str, kind: str, name: str) -> str:
    """The query parameter of a name that depends on the rest of the line."""
    if name == "count":
        return "max_cards" if command == "plan" else "cards"
    if name == "format":
        return "quantizations" if command == "plan" and kind == "inference" else "quantization"
    if name == "plain":
        return "precision"
    return BY_KIND[kind].get(name, name)


def settled(name: str, value: str) -> str:
    """A value under the name that the schema has."""
    return OBJECTIVES.get(value, value) if name == "objective" else value


def as_they_are(command: str, kind: str, said: list[Entry]) -> list[Entry]:
    """A precision without a quantization means weights that are not quantized."""
    name = parameter(command, kind, "format")
    stated = {entry.name for entry in said}
    if kind != "inference" or {"quantization", "quantizations"} & stated:
        return []
    plain = [
        entry for entry in said if entry.name == "precision" and "precision=" not in entry.word
    ]
    return [replace(entry, name=name, value="none") for entry in plain[:1]]


def misplaced(command: str, kind: str, said: list[Entry]) -> Iterator[str]:
    """Fields that the question does not have."""
    serves = kind == "inference"
    foreign = TRAINING if serves else SERVING | {"users", "quantizations"}
    other, own = ("training", "serving") if serves else ("serving", "training")
    for entry in said:
        if entry.name in foreign:
            yield f"`{entry.word}` belongs to {other}, not to {own}."
        elif entry.name not in PLACES[command] and entry.name != "share":
            yield f"`{entry.word}`: {article(command)} has no {entry.name}."


def article(command: str) -> str:
    """A command with its article."""
    return f"{'an' if command[0] in 'aeiou' else 'a'} {command}"


def contradictions(command: str, said: list[Entry]) -> Iterator[str]:
    """Fields that are said twice with unlike values."""
    names = list(dict.fromkeys(entry.name for entry in said))
    for name in names:
        values = {entry.value: entry.word for entry in said if entry.name == name}
        if len(values) > 1 and name not in LISTS[command]:
            typed = list(dict.fromkeys(f"`{word}`" for word in values.values()))
            twice = f"{' and '.join(typed)} say {name} more than once"
            one = " or ".join(values)
            means = f"{typed[0]} means {one}; write one of them."
            yield f"{twice}; write one of {one}." if len(typed) > 1 else means
    for pair in (("model", "parameters"),):
        if set(pair) <= set(names):
            words = [f"`{entry.word}`" for entry in said if entry.name in pair]
            yield f"{' and '.join(words)}: give {pair[0]} or {pair[1]}, not both."


def joined(said: list[Entry]) -> dict[str, str]:
    """One text a parameter, lists separated by commas."""
    found: dict[str, dict[str, None]] = {}
    for entry in said:
        found.setdefault(entry.name, {})[entry.value] = None
    return {name: ",".join(values) for name, values in found.items()}


def echo(
    command: str, parameters: Mapping[str, str], body: Mapping[str, Any], said: list[Entry]
) -> Iterator[Said]:
    """Every field of the body with the words that said it."""
    for name in parameters:
        path = KEPT if name == "keep" else PLACES[command][name][0]
        words = dict.fromkeys(entry.word for entry in said if entry.name == name)
        yield Said(field=".".join(path), value=value_at(body, path), words=" ".join(words))


KEPT = ("quantization", "keep")
"""Where the body holds what of a quantization is kept."""


def value_at(body: Mapping[str, Any], path: tuple[str, ...]) -> Any:
    """What stands at a path of a body."""
    value: Any = body
    for step in path:
        value = value[step]
    return value
