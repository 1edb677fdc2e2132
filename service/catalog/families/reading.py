"""A posted config.json, read with suspicion: typed, bounded, and every fault named by field."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from service.domain.errors import MalformedConfig

MAX_LAYERS = 10_000
MAX_EXPERTS = 65_536
MAX_DIMENSION = 1 << 24
MAX_TOKENS = 1 << 34
MAX_LABELS = 1_000_000
WHOLE = "model.config"


@dataclass(frozen=True, slots=True)
class Config:
    """Typed access to a config's facts; alternatives are tried in order, null counts as absent."""

    data: Mapping[str, object]
    path: str = WHOLE

    def has(self, *keys: str) -> bool:
        """Whether any of the keys has a value."""
        return self._found(keys) is not None

    def _found(self, keys: tuple[str, ...]) -> str | None:
        return next((key for key in keys if self.data.get(key) is not None), None)

    def wrong(self, key: str, message: str) -> MalformedConfig:
        """The error for one field."""
        return MalformedConfig(f"{self.path}.{key}", message)

    def unknown(self, key: str, nearest: tuple[str, ...]) -> MalformedConfig:
        """The error for a name that is none of the known ones."""
        hint = f"; did you mean {', '.join(nearest)}?" if nearest else ""
        return self.wrong(key, f"{str(self.data.get(key))[:100]!r} is not known{hint}")

    def integer(
        self, *keys: str, default: int | None = None, low: int = 1, high: int = MAX_DIMENSION
    ) -> int:
        """A whole number within bounds."""
        key = self._found(keys)
        if key is None:
            if default is None:
                raise self.wrong(keys[0], "is missing")
            return default
        value = self.data[key]
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise self.wrong(key, f"must be a whole number from {low} to {high}")
        return value

    def by_layer(
        self, index: int, *keys: str, default: int | None = None, high: int = MAX_DIMENSION
    ) -> int:
        """A whole number of one layer: the same for all, or an item of a list."""
        key = self._found(keys)
        value = None if key is None else self.data[key]
        if key is None or not isinstance(value, list):
            return self.integer(*keys, default=default, high=high)
        if index >= len(value):
            raise self.wrong(key, f"has no item {index}, but the model has such a layer")
        return Config({key: value[index]}, self.path).integer(key, default=default, high=high)

    def number(self, key: str, default: float) -> float:
        """A finite number."""
        value = self.data.get(key)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > MAX_TOKENS:
            raise self.wrong(key, "must be a finite number")
        return float(value)

    def flag(self, *keys: str, default: bool = False) -> bool:
        """A boolean."""
        key = self._found(keys)
        if key is None:
            return default
        value = self.data[key]
        if not isinstance(value, bool):
            raise self.wrong(key, "must be true or false")
        return value

    def text(self, *keys: str) -> str | None:
        """A short text."""
        key = self._found(keys)
        value = None if key is None else self.data[key]
        if value is None:
            return None
        if not isinstance(value, str):
            raise self.wrong(keys[0], "must be text")
        return value

    def items(self, key: str) -> tuple[object, ...] | None:
        """A list of at most as many items as a model has layers."""
        value = self.data.get(key)
        if value is None:
            return None
        if not isinstance(value, list) or len(value) > MAX_LAYERS:
            raise self.wrong(key, f"must be a list of at most {MAX_LAYERS} items")
        return tuple(value)

    def whole_numbers(self, key: str, *, below: int) -> tuple[int, ...] | None:
        """A list of whole numbers from 0, such as the indices of some layers."""
        found = self.items(key)
        if found is None:
            return None
        numbers = tuple(item for item in found if type(item) is int and 0 <= item < below)
        if len(numbers) < len(found):
            raise self.wrong(key, f"may hold whole numbers from 0 to {below - 1} only")
        return numbers

    def section(self, key: str) -> Config:
        """A nested mapping; empty where it is absent."""
        value = self.data.get(key)
        if value is None:
            return Config({}, f"{self.path}.{key}")
        if not isinstance(value, Mapping):
            raise self.wrong(key, "must be an object")
        return Config(value, f"{self.path}.{key}")
