"""Text of documents: YAML as systems read it, comments that cannot break out of their line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml


class Plain(yaml.SafeDumper):
    """Blocks with indented lists, and no anchors: some readers refuse them."""

    def ignore_aliases(self, data: Any) -> bool:
        """Equal parts are written out each time."""
        del data
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        """Lists stand indented below their key."""
        del indentless
        super().increase_indent(flow, False)


def paragraph(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    """Text of several lines as a block, as people write it."""
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


Plain.add_representer(str, paragraph)


def comments(lines: Iterable[str]) -> str:
    """Lines as comments."""
    return "".join(f"# {' '.join(line.split())}\n" for line in lines)


def yaml_text(head: Iterable[str], *documents: Mapping[str, Any]) -> str:
    """One or several YAML documents below their comments."""
    texts = (
        yaml.dump(one, Dumper=Plain, sort_keys=False, width=10_000, allow_unicode=True)
        for one in documents
    )
    return comments(head) + "---\n".join(texts)
