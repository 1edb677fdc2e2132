"""The error of a data file: which file, line, entry and field, and what would be right."""

from __future__ import annotations


class CatalogError(Exception):
    """A data file that is refused whole."""

    def __init__(
        self, message: str, *, file: str = "", line: int | None = None, place: str = ""
    ) -> None:
        self.message, self.file, self.line, self.place = message, file, line, place
        where = f"{file}:{line}" if line else file
        super().__init__(": ".join(part for part in (where, place, message) if part))

    def inside(self, file: str, line: int | None, entry: str) -> CatalogError:
        """The same error with file, line and entry filled in."""
        place = ".".join(part for part in (entry, self.place) if part)
        return CatalogError(self.message, file=file, line=self.line or line, place=place)
