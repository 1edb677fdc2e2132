"""Sizes that are known before batch and length are: so much a token, a pair of tokens, in all."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """token · T + pair · T · s + plane · s² + fixed, for T tokens in sequences of s."""

    token: int = 0
    pair: int = 0
    fixed: int = 0
    plane: int = 0

    def __add__(self, other: Size) -> Size:
        return Size(
            self.token + other.token,
            self.pair + other.pair,
            self.fixed + other.fixed,
            self.plane + other.plane,
        )

    def __sub__(self, other: Size) -> Size:
        return self + other * -1

    def __mul__(self, times: int) -> Size:
        return Size(self.token * times, self.pair * times, self.fixed * times, self.plane * times)

    def at(self, tokens: int, sequence: int) -> int:
        """The size for so many tokens in sequences of a length.

        >>> Size(token=2, pair=1, fixed=5, plane=1).at(10, 3)
        64
        """
        pairs = self.pair * tokens * sequence + self.plane * sequence * sequence
        return self.token * tokens + pairs + self.fixed

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """Order by growth: of two that are multiplied, the lower one is broadcast."""
        return self.pair, self.plane, self.token, self.fixed

    def covers(self, other: Size) -> bool:
        """Whether this size is at least the other for every batch and length."""
        return (
            self.token >= other.token
            and self.pair >= other.pair
            and self.fixed >= other.fixed
            and self.plane >= other.plane
        )


NOTHING = Size()
