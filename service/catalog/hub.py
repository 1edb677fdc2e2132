"""Models that the catalog lacks, looked up on the Hub where the operator turns that on.

Only config.json and the counts of the safetensors headers are read, never weights; every answer
is kept on disk, so that one model is asked for once.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from service.catalog.models import ModelEntry
from service.catalog.shelf import Shelf
from service.domain.errors import UnknownName

MAX_CONFIG_BYTES = 1_000_000
MAX_KNOWN = 512
REPOSITORY = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}(/[\w.-]{1,96})?", re.ASCII)


class HubFailure(Exception):
    """The Hub did not give what was asked."""


class HubGated(HubFailure):
    """The Hub gives this model to accepted users only."""


class HubBroken(HubFailure):
    """The Hub could not be reached, or answered with something else than a config."""


class HubSlow(HubFailure):
    """The Hub did not answer in time."""


class Absent(Exception):
    """The Hub has no such model, or the model has no config.json."""


class Network(Protocol):
    """What is asked of the Hub.

    Raises: Absent, HubGated, HubBroken, HubSlow.
    """

    def config_text(self, repository: str, folder: str | None, limit_bytes: int) -> str:
        """config.json of a repository or of one of its folders, at most so long."""
        ...

    def element_count(self, repository: str) -> int | None:
        """Values that the safetensors files hold, where the Hub counts them."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HubEntry(ModelEntry):
    """A model as the Hub describes it."""

    @property
    def origin(self) -> str:
        """Where the entry is from."""
        return "hub"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hub:
    """Looks models up, and keeps what it found in memory and in a folder."""

    network: Network
    folder: Path
    known: dict[str, HubEntry] = field(default_factory=dict)

    def entry(self, name: str) -> HubEntry:
        """The model of a repository, or of a folder inside one.

        Raises: Absent, and HubFailure with what went wrong.
        """
        if not REPOSITORY.fullmatch(name) or ".." in name:
            raise Absent(name)
        if name not in self.known:
            record = self._kept(name) or self._fetched(name)
            if len(self.known) >= MAX_KNOWN:
                self.known.pop(next(iter(self.known)))
            self.known[name] = _entry(name, record)
        return self.known[name]

    def _path(self, name: str) -> Path:
        return self.folder / f"{hashlib.sha256(name.encode()).hexdigest()}.json"

    def _kept(self, name: str) -> Mapping[str, Any] | None:
        try:
            record = json.loads(self._path(name).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        held = isinstance(record, dict) and isinstance(record.get("config"), dict)
        return record if held and record.get("name") == name else None

    def _fetched(self, name: str) -> Mapping[str, Any]:
        owner, model, *folder = name.split("/")
        repository = f"{owner}/{model}"
        text = self.network.config_text(repository, folder[0] if folder else None, MAX_CONFIG_BYTES)
        record = {
            "name": name,
            "config": parsed_config(name, text),
            "elements": None if folder else self.network.element_count(repository),
        }
        self._keep(name, record)
        return record

    def _keep(self, name: str, record: Mapping[str, Any]) -> None:
        """Write whole or not at all: several workers share the folder."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=self.folder, suffix=".part", delete=False, encoding="utf-8"
        ) as file:
            json.dump(record, file)
        os.replace(file.name, self._path(name))


def parsed_config(name: str, text: str) -> dict[str, object]:
    """The object in a config.json.

    Raises: HubBroken where it is none.
    """

    def refuse(constant: str) -> object:
        raise ValueError(f"{constant} is not JSON")

    try:
        config = json.loads(text, parse_constant=refuse)
    except (ValueError, RecursionError) as error:
        raise HubBroken(f"config.json of {name} on the Hub is not JSON") from error
    if not isinstance(config, dict):
        raise HubBroken(f"config.json of {name} on the Hub is not an object")
    return config


def _entry(name: str, record: Mapping[str, Any]) -> HubEntry:
    return HubEntry(
        id=name.lower(),
        hub_id=name,
        source=f"config.json of {name} on the Hub",
        config=record["config"],
        stored_elements=record.get("elements"),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class HubShelf(Shelf[ModelEntry]):
    """The catalog's models, and behind them those of the Hub."""

    hub: Hub

    def pick(self, name: str) -> ModelEntry:
        """The entry of an id or alias, else the Hub's.

        Raises: UnknownName with the nearest names, HubFailure.
        """
        if name.lower() in self.names:
            return self.entries[self.names[name.lower()]]
        try:
            return self.hub.entry(name)
        except Absent:
            raise UnknownName(self.kind, name, self.nearest(name)) from None
