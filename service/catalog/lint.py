"""Every fault of the data files that can be told apart, each with its file and line."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from service.catalog.engines import engine_reader, load_engines, load_frameworks
from service.catalog.errors import CatalogError
from service.catalog.files.gguf_config import load_gguf_table
from service.catalog.formats import load_formats
from service.catalog.gpus import check_card, load_gpus
from service.catalog.models import entry_architecture, load_models, read_model
from service.catalog.physics import load_cost_rules, load_physics
from service.catalog.quantizations import load_quantizations
from service.catalog.shelf import read_entries
from service.catalog.strict_yaml import Lines, load
from service.catalog.tables import load_caches, load_optimizers, load_precisions
from service.domain.architecture import Architecture
from service.domain.errors import InvalidRequest, UnknownName
from service.domain.hardware import Gpu


def faults(config: Path, gpus: Path) -> Iterator[CatalogError]:
    """All faults: of every card, model and engine, and the first of every other file."""
    for part in (gpu_faults(gpus), model_faults(config / "models"), engine_faults(config)):
        yield from part
    for read in others(config):
        yield from fault_of(read)


def others(config: Path) -> tuple[Callable[[], object], ...]:
    """Readers of the files that are short enough to be told of one fault at a time."""
    return (
        lambda: load_precisions(config / "precisions.yaml"),
        lambda: load_optimizers(config / "optimizers.yaml"),
        lambda: load_frameworks(config / "frameworks", config / "uncertainty.yaml"),
        lambda: load_formats(config / "formats.yaml"),
        lambda: load_gguf_table(config / "gguf_architectures.yaml"),
        lambda: load_physics(config / "throughput.yaml"),
        lambda: load_cost_rules(config / "costs.yaml"),
    )


def fault_of(read: Callable[[], object], path: Path | None = None) -> list[CatalogError]:
    """The fault that reading meets, at its line; none where it goes well."""
    try:
        read()
    except CatalogError as error:
        return [located(error if error.file or path is None else error.inside(str(path), None, ""))]
    except UnknownName as error:
        return [located(CatalogError(str(error), file=str(path), place=f"config.{error.kind}"))]
    except InvalidRequest as error:
        place = error.field.removeprefix("model.")
        return [located(CatalogError(error.message, file=str(path), place=place))]
    return []


def gpu_faults(path: Path) -> Iterator[CatalogError]:
    """Faults of single cards; where there is none, of names and groups."""
    try:
        cards = load(path).get("gpus")
    except CatalogError as error:
        yield error
        return
    found: list[CatalogError] = []
    entries: dict[str, Gpu] = {}
    for alone in apart(cards):
        found += fault_of(partial(add_card, entries, alone, path))
    for gpu in entries.values() if not found else ():
        found += fault_of(partial(check_card, gpu, entries, path))
    yield from found or fault_of(partial(load_gpus, path))


def apart(entries: object) -> Iterator[Lines]:
    """Entries one by one with their lines."""
    if isinstance(entries, Lines):
        for key, value in entries.items():
            alone = Lines({key: value})
            alone.line_of = {key: entries.line_of[key]}
            yield alone


def add_card(entries: dict[str, Gpu], alone: Lines, path: Path) -> None:
    """Read one card."""
    entries |= read_entries(Gpu, alone, path)


def model_faults(folder: Path) -> Iterator[CatalogError]:
    """Faults of each model's file and architecture; where there is none, of their names."""
    found: list[CatalogError] = []
    for path in sorted(folder.glob("*.yaml")):
        found += fault_of(partial(built, path), path)
    yield from found or fault_of(partial(load_models, folder))


def built(path: Path) -> Architecture:
    """The architecture of a model's file."""
    return entry_architecture(read_model(path))


def engine_faults(config: Path) -> Iterator[CatalogError]:
    """Faults of each engine's file; first of the formats and caches that engines name."""
    kernels: set[str] = set()
    caches: set[str] = set()
    found = fault_of(lambda: kernels.update(one.kernel for one in load_quantizations(config)))
    found += fault_of(lambda: caches.update(load_caches(config / "kv_caches.yaml").entries))
    if found:
        yield from found
        return
    folder, doubts = config / "engines", config / "uncertainty.yaml"
    known = frozenset(kernels), frozenset(caches)
    read = engine_reader(doubts, *known)
    for path in sorted(folder.glob("*.yaml")):
        found += fault_of(partial(read, path), path)
    yield from found or fault_of(partial(load_engines, folder, doubts, *known))


def located(error: CatalogError) -> CatalogError:
    """A fault with the line of its place where only the place is known."""
    if error.line or not error.place or not Path(error.file).is_file():
        return error
    try:
        line = line_at(load(Path(error.file)), error.place)
    except CatalogError:
        return error
    return CatalogError(error.message, file=error.file, line=line, place=error.place)


def line_at(data: Mapping[str, Any], place: str) -> int | None:
    """The line of the innermost key on the way to a place; keys may have dots of their own."""
    line: int | None = None
    inner: Any = data.get("gpus", data)
    while isinstance(inner, Lines) and place:
        keys = [key for key in inner if place == key or place.startswith(f"{key}.")]
        if not keys:
            break
        key = max(keys, key=len)
        line, place = inner.line_of.get(key, line), place[len(key) + 1 :]
        inner = inner[key]
    return line
