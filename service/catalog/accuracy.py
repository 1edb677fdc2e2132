"""config/accuracy.yaml: what published measurements say of this service, by engine and value."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from service.catalog.errors import CatalogError
from service.catalog.strict_yaml import load
from service.catalog.structure import structure
from service.domain.accuracy import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class ScoreFile:
    """The file as it is written."""

    scores: tuple[Score, ...]


def load_scores(path: Path) -> tuple[Score, ...]:
    """Every committed score.

    Raises: CatalogError naming file, line and field.
    """
    try:
        return structure(ScoreFile, load(path)).scores
    except CatalogError as error:
        raise error.inside(str(path), error.line, "") from error
