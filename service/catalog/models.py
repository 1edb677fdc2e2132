"""config/models: one file a model, read into a shelf; architectures are built when first asked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from service.catalog.errors import CatalogError
from service.catalog.families import architecture
from service.catalog.shelf import Shelf, check, shelf
from service.catalog.strict_yaml import Lines, load
from service.catalog.structure import structure
from service.domain.architecture import Architecture

BESIDE_THE_CLASS = "counted in the files by the Hub, beyond the model's class"


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class ModelEntry:
    """A model of the catalog: the facts of its config.json and where they are from.

    checkpoint_extras  what the published files hold beside the model: name and elements
    stored_elements    values that the Hub counts in the published files
    """

    id: str
    hub_id: str
    source: str
    config: Mapping[str, object]
    aliases: tuple[str, ...] = ()
    checkpoint_extras: Mapping[str, int] = field(default_factory=dict)
    stored_elements: int | None = None

    @property
    def origin(self) -> str:
        """Where the entry is from."""
        return "catalog"


def load_models(folder: Path) -> Shelf[ModelEntry]:
    """All models of a folder.

    Raises: CatalogError naming the file and what is wrong.
    """
    found: dict[str, ModelEntry] = {}
    for path in sorted(folder.glob("*.yaml")):
        entry = read_model(path)
        check(entry.id not in found, f"id {entry.id!r} is taken", path, "id")
        check(entry.id == entry.id.lower(), "must be lower case", path, "id")
        found[entry.id] = entry
    check(bool(found), "holds no file", folder, "models")
    return shelf("model", found, folder, lambda entry: (entry.hub_id, *entry.aliases))


def read_model(path: Path) -> ModelEntry:
    """A model of one file.

    Raises: CatalogError naming the file and what is wrong.
    """
    data = load(path)
    config = data.pop("config", None)
    if not isinstance(config, Lines):
        raise CatalogError("must be a mapping", file=str(path), place="config")
    try:
        return structure(ModelEntry, data, config=config)
    except CatalogError as error:
        raise error.inside(str(path), error.line, "") from error


@lru_cache(maxsize=1024)
def entry_architecture(entry: ModelEntry) -> Architecture:
    """The architecture of a catalog entry."""
    built = architecture(entry.config, entry.id)
    extras = (*built.checkpoint_extras, *entry.checkpoint_extras.items())
    built = replace(built, checkpoint_extras=extras)
    beyond = (entry.stored_elements or 0) - built.checkpoint_parameters
    if beyond <= 0 or built.declared_quantization is not None:
        return built
    return replace(built, checkpoint_extras=(*extras, (BESIDE_THE_CLASS, beyond)))
