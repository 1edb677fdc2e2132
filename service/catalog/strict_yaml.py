"""YAML as data files need it: no duplicate keys, no anchors, every key's line remembered."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode

from service.catalog.errors import CatalogError

MAX_FILE_BYTES = 8_000_000


class Lines(dict[str, Any]):
    """A mapping that knows the line of each of its keys."""

    line_of: dict[str, int]


FastLoader: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""libyaml's loader where PyYAML was built with it: ten times as fast, the same documents."""


class StrictLoader(FastLoader):  # type: ignore[misc]
    """The safe loader, less what hides mistakes."""


def _line(where: Any) -> int:
    return int(where.start_mark.line) + 1


def refuse_anchors(text: str) -> None:
    """Refuse anchors and aliases: a reader should find each value where it stands."""
    if "&" not in text and "*" not in text:
        return
    for event in yaml.parse(text, Loader=FastLoader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise CatalogError("anchors and aliases are not used here", line=_line(event))


def _mapping(loader: StrictLoader, node: MappingNode) -> Lines:
    result = Lines()
    result.line_of = {}
    for key_node, value_node in node.value:
        key = loader.construct_object(key_node, deep=True)
        if not isinstance(key, str):
            raise CatalogError(f"key {key!r} is not text; put it in quotes", line=_line(key_node))
        if key in result:
            raise CatalogError(f"duplicate key {key!r}", line=_line(key_node))
        result[key] = loader.construct_object(value_node, deep=True)
        result.line_of[key] = _line(key_node)
    return result


StrictLoader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _mapping)


def _text(path: Path) -> str:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise CatalogError(f"larger than {MAX_FILE_BYTES} bytes", file=str(path))
    return path.read_text(encoding="utf-8")


def load(path: Path) -> Lines:
    """The mapping of a YAML file.

    Raises: CatalogError naming file and line for anything but one well-formed mapping.
    """
    try:
        text = _text(path)
        refuse_anchors(text)
        data = yaml.load(text, Loader=StrictLoader)  # ruff: ignore[unsafe-yaml-load]
    except CatalogError as error:
        raise error.inside(str(path), error.line, "") from error
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        line = mark.line + 1 if mark else None
        raise CatalogError(str(error.problem), file=str(path), line=line) from error
    except (OSError, UnicodeDecodeError, yaml.YAMLError, RecursionError) as error:
        raise CatalogError(f"cannot be read: {error}", file=str(path)) from error
    if not isinstance(data, Lines):
        raise CatalogError("must hold a mapping", file=str(path), line=1)
    return data
