"""The templates, escaped, and the files that stand beside them."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

HERE = Path(__file__).parent
STATIC = HERE / "static"
MEDIA: Mapping[str, str] = {
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}


@cache
def environment() -> Environment:
    """Jinja with everything escaped and every missing name an error."""
    return Environment(
        loader=FileSystemLoader(HERE / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def html(template: str, **names: Any) -> str:
    """A template filled in."""
    return environment().get_template(template).render(**names)


@cache
def static_files() -> Mapping[str, tuple[str, str]]:
    """Name to text and media type of every file that the page asks for."""
    return {
        path.name: (path.read_text(encoding="utf-8"), MEDIA[path.suffix])
        for path in sorted(STATIC.iterdir())
    }


@cache
def version_of(name: str) -> str:
    """A short hash, so that a changed file has another address."""
    return hashlib.sha256(static_files()[name][0].encode()).hexdigest()[:8]
