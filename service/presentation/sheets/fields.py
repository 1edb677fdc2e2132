"""Fields: what a cell may hold, by name; one table for CSV, XML, workbooks, batches and scalars."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import ceil, floor
from typing import Any, Generic, TypeVar

from service.domain.results import Budget, Limits, PerCard, TrainingLimits
from service.domain.units import GB, GIB, MIB

Cell = str | int | float | bool | None
S = TypeVar("S")
Read = Callable[[S], Cell]
UNITS: Mapping[str, int] = {"bytes": 1, "mib": MIB, "gib": GIB, "gb": GB}
DEFAULT_UNIT = "mib"
WHOLE_UNITS = {"bytes", "mib"}
TERMS = (
    "weights", "kv_cache", "recurrent_state", "activations", "encoder", "cuda_graphs",
    "communication", "runtime", "lora_adapters", "draft_model", "gradients", "optimizer_states",
    "master_weights", "logits", "adapters", "sharding_buffers", "optimizer_workspace",
    "dequantization",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """What is judged: the fullest card, what it offers, and what is left of that."""

    per_card: PerCard
    card: Budget | None
    headroom_bytes: int | None


@dataclass(frozen=True, slots=True)
class Row(Mapping[str, Any]):
    """A subject seen through its fields; each is read when it is asked for."""

    fields: Mapping[str, Read[Any]]
    subject: Any

    def __getitem__(self, name: str) -> Cell:
        return self.fields[name](self.subject)

    def __iter__(self) -> Iterator[str]:
        return iter(self.fields)

    def __len__(self) -> int:
        return len(self.fields)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields(Generic[S]):
    """The fields of one kind of answer.

    columns   those of a table where the caller names none
    aliases   other names
    measured  quantities that stand in the table once for each unit
    """

    reads: Mapping[str, Read[S]]
    columns: tuple[str, ...]
    aliases: Mapping[str, str]
    measured: tuple[str, ...]

    def names(self) -> Iterable[str]:
        """Every name that may be asked for."""
        return (*self.reads, *self.measured, *self.aliases)

    def named(self, name: str) -> str | None:
        """The field of a name or alias; a quantity without a unit is in MiB."""
        meant = self.aliases.get(name, name)
        if meant in self.measured:
            return f"{meant}_{DEFAULT_UNIT}"
        return meant if meant in self.reads else None


def sized(size_bytes: int | None, unit: str, *, need: bool) -> Cell:
    """Bytes in a unit: whole bytes and MiB, needs rounded up and room down; GiB to a thousandth."""
    if size_bytes is None:
        return None
    if unit in WHOLE_UNITS:
        return (ceil if need else floor)(size_bytes / UNITS[unit])
    return round(size_bytes / UNITS[unit], 3)


def term_bytes(name: str) -> Callable[[Need], int | None]:
    """Bytes of a term on the fullest card; None where the card has no such term."""

    def read(need: Need) -> int | None:
        found = [term.amount.expected for term in need.per_card.terms if term.name == name]
        return sum(found) if found else None

    return read


NEEDS: Mapping[str, Callable[[Need], int | None]] = {
    "required": lambda need: need.per_card.amount.expected,
    "required_low": lambda need: need.per_card.amount.low,
    "required_high": lambda need: need.per_card.amount.high,
    **{name: term_bytes(name) for name in TERMS},
}
ROOM: Mapping[str, Callable[[Need], int | None]] = {
    "available": lambda need: need.card.budget_bytes if need.card else None,
    "card_memory": lambda need: need.card.memory_bytes if need.card else None,
    "headroom": lambda need: need.headroom_bytes,
}
PARTS: Mapping[str, Callable[[Need], int | None]] = {**NEEDS, **ROOM}
SHORT = "short_by"
MEASURED = (*PARTS, SHORT)


def measured_fields(
    needed: Callable[[S], Need | None], missing_bytes: Callable[[S], int | None]
) -> dict[str, Read[S]]:
    """Every quantity of memory in every unit; `missing_bytes` is what lacks on a card."""
    found: dict[str, Read[S]] = {}
    for unit in UNITS:
        found[f"{SHORT}_{unit}"] = _quantity(missing_bytes, unit, need=True)
        for name, part in PARTS.items():
            read = _part(needed, part)
            found[f"{name}_{unit}"] = _quantity(read, unit, need=name not in ROOM)
    return found


def _part(
    needed: Callable[[S], Need | None], part: Callable[[Need], int | None]
) -> Callable[[S], int | None]:
    def read(subject: S) -> int | None:
        need = needed(subject)
        return None if need is None else part(need)

    return read


def _quantity(read: Callable[[S], int | None], unit: str, *, need: bool) -> Read[S]:
    return lambda subject: sized(read(subject), unit, need=need)


def headroom_percent(need: Need | None) -> float | None:
    """What is left, of the card's whole memory."""
    if need is None or need.card is None or need.headroom_bytes is None:
        return None
    return round(100 * need.headroom_bytes / need.card.memory_bytes, 1)


def limit(limits: Limits | TrainingLimits | None, name: str) -> Cell:
    """One of the limits, where the workload has it."""
    found: Cell = getattr(limits, name, None)
    return found


LIMITS = (
    "max_concurrency", "max_context_tokens", "kv_cache_capacity_tokens", "kv_bytes_per_token",
    "max_micro_batch_size", "max_sequence_tokens",
)  # fmt: skip
