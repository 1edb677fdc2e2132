"""Lists of module names in a quantization_config: exact names, globs and regular expressions.

Patterns come from strangers. Regular expressions are taken in a form whose matching time is
bounded: no repeated groups, no references, few repetitions; anything else is refused.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from fnmatch import translate
from functools import lru_cache
from typing import Literal

from service.catalog.families.declared.names import LAYER, endings, paths
from service.domain.tensors import Tensor

REGEX = "re:"
MAX_ENTRIES = 20_000
MAX_WILD = 64
MAX_LENGTH = 300
MAX_REPEATS = 2
MAX_TESTS = 20_000
BLOCK = re.compile(r"(?:^|\.)(?:layers|blocks|h)\.(\d{1,5})(?:\.(.+))?$", re.ASCII)
BEGUN = re.compile(r"^(?:model\.)?layers\.(\d{1,5})\.([^*]+)\*$", re.ASCII)
TOWER = re.compile(r"vision|visual|audio|encoder")
FORBIDDEN = re.compile(r"\(\?(?!:)|(?<!\\)\)[*+{]|\\[1-9AbBZ]|\[\[|\{")
REPEAT = re.compile(r"(?<!\\)[*+]")
DIGITS = re.compile(r"(?:\\d|\[0-9\])[*+]")


class UnreadablePattern(ValueError):
    """A pattern that is not taken, and why."""


@dataclass(frozen=True, slots=True)
class Wild:
    """A glob or regular expression, and whether it tells blocks apart."""

    regex: re.Pattern[str]
    by_block: bool


@dataclass(slots=True)
class Patterns:
    """A list of names, sorted by how they are matched; `unused` are the entries not yet met."""

    plain: set[str] = field(default_factory=set)
    blocks: dict[int, set[str]] = field(default_factory=dict)
    beginnings: dict[int, set[str]] = field(default_factory=dict)
    wild: list[tuple[str, Wild]] = field(default_factory=list)
    used: set[str] = field(default_factory=set)

    @property
    def by_block(self) -> bool:
        """Whether blocks differ."""
        return bool(self.blocks or self.beginnings) or any(wild.by_block for _, wild in self.wild)

    def tests(self, tensors: int) -> int:
        """How many names have to be tested against patterns that tell blocks apart."""
        return tensors * sum(wild.by_block for _, wild in self.wild)

    def name(self, tensor: Tensor, layer: int | None) -> bool:
        """Whether any entry names a tensor of a block, or one outside the blocks."""
        return (
            self._named(tensor, self.plain)
            or (layer is not None and self._in_block(tensor, layer))
            or self._wildly(tensor, layer)
        )

    def _named(self, tensor: Tensor, entries: set[str]) -> bool:
        found = _runs(tensor, "paths") & entries
        self.used |= found
        return bool(found)

    def _in_block(self, tensor: Tensor, layer: int) -> bool:
        begun = self.beginnings.get(layer, ())
        if any(ending.startswith(start) for start in begun for ending in endings(tensor)):
            return True
        entries = self.blocks.get(layer, set())
        return "" in entries or not entries.isdisjoint(_runs(tensor, "endings"))

    def _wildly(self, tensor: Tensor, layer: int | None) -> bool:
        number = "1" if layer is None else str(layer)
        names = [path.replace(LAYER, number) for path in paths(tensor)]
        for text, wild in self.wild:
            if any(wild.regex.match(name) for name in names):
                self.used.add(text)
                return True
        return False

    def unmet(self) -> list[str]:
        """Entries that named no tensor; norms, biases and what has no matrix are not meant."""
        entries = [*self.plain, *(text for text, _ in self.wild)]
        return sorted(e for e in entries if e not in self.used and not NO_MATRIX.search(e))


NO_MATRIX = re.compile(r"norm|bias|rotary|embed|vis|audio|lm_head|mm_|multi_modal|gate|router|mtp")


def patterns(entries: Iterable[object]) -> Patterns:
    """Entries sorted by kind.

    Raises: UnreadablePattern for an entry that is no text, or no pattern that is taken.
    """
    found = Patterns()
    for count, entry in enumerate(entries):
        if count >= MAX_ENTRIES or not isinstance(entry, str) or len(entry) > MAX_LENGTH:
            raise UnreadablePattern(f"at most {MAX_ENTRIES} texts of {MAX_LENGTH} characters")
        _sort(entry, found)
    if len(found.wild) > MAX_WILD:
        raise UnreadablePattern(f"at most {MAX_WILD} patterns")
    return found


def _sort(entry: str, found: Patterns) -> None:
    if entry.startswith(REGEX):
        found.wild.append((entry, _wild(entry.removeprefix(REGEX))))
    elif begun := BEGUN.search(entry):
        found.beginnings.setdefault(int(begun.group(1)), set()).add(begun.group(2))
    elif "*" in entry:
        found.wild.append((entry, _glob(entry)))
    else:
        entry = entry.removesuffix(".weight").strip(".")
        block = BLOCK.search(entry)
        if block and not TOWER.search(entry):
            found.blocks.setdefault(int(block.group(1)), set()).add(block.group(2) or "")
        else:
            found.plain.add(entry)


def _wild(text: str) -> Wild:
    inner = DIGITS.sub("0", text).removeprefix(".*").removesuffix("$").removesuffix(".*")
    if FORBIDDEN.search(text) or len(REPEAT.findall(inner)) > MAX_REPEATS:
        raise UnreadablePattern(f"the pattern {text!r} is not of a simple form")
    try:
        regex = re.compile(text if text.endswith(r"\.*") else text.removesuffix(".*"))
    except re.error as error:
        raise UnreadablePattern(f"the pattern {text!r} is not well-formed: {error}") from error
    return Wild(regex=regex, by_block=bool(re.search(r"\d|\\d(?![*+])", DIGITS.sub("", text))))


def _glob(text: str) -> Wild:
    parts = [part for part in text.split("*") if part]
    if text.count("*") > MAX_REPEATS + 2 or "[" in text:
        raise UnreadablePattern(f"the pattern {text!r} is not of a simple form")
    anywhere = translate(text).removesuffix(r"\Z").removesuffix(r"\z")
    return Wild(
        regex=re.compile(anywhere + r"(?:\.|$)"),
        by_block=any(char.isdigit() for part in parts for char in part),
    )


@lru_cache(maxsize=8192)
def _runs(tensor: Tensor, which: Literal["paths", "endings"]) -> frozenset[str]:
    return frozenset(_parts(paths(tensor) if which == "paths" else endings(tensor)))


def _parts(names: Iterable[str]) -> Iterator[str]:
    """Every run of components of every name: `a.b.c` gives a, a.b, a.b.c, b, b.c, c."""
    for name in names:
        components = name.split(".")
        for start in range(len(components)):
            for stop in range(start + 1, len(components) + 1):
                yield ".".join(components[start:stop])
