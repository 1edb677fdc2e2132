"""Model families: from a config.json to an architecture."""

from service.catalog.families.table import FAMILIES, architecture

__all__ = ["FAMILIES", "architecture"]
