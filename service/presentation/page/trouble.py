"""A refusal in the page's words: what is wrong, in which field, and what may have been meant."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from service.presentation.page.vocabulary import field_label

KINDS: Mapping[str, str] = {"kv-cache_precision": "kv_cache_precision", "gpus": "gpu"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wrong:
    """One field and what is wrong with it."""

    field: str
    label: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """A refusal; `nearest` are names that `field` may have meant."""

    title: str
    detail: str
    wrong: tuple[Wrong, ...]
    field: str
    nearest: tuple[str, ...]


def field_of(pointer: str) -> str:
    """The control that a JSON pointer leads to: its last part that is a name."""
    parts = [part for part in pointer.split("/") if part and not part.isdigit()]
    name = parts[-1] if parts else ""
    return KINDS.get(name, name)


def wrong(entry: Mapping[str, str]) -> Wrong:
    """One entry of a problem's errors."""
    field = field_of(entry["pointer"])
    return Wrong(field=field, label=field_label(field) if field else "", message=entry["message"])


def trouble(problem: Mapping[str, Any]) -> Trouble:
    """A problem of the API for a reader."""
    title = str(problem["title"])
    kind = title.removeprefix("Unknown ").lower().replace(" ", "_")
    return Trouble(
        title=title,
        detail=str(problem["detail"]),
        wrong=tuple(wrong(entry) for entry in problem.get("errors", ())),
        field=KINDS.get(kind, kind) if "name" in problem else "",
        nearest=tuple(problem.get("nearest", ())),
    )
