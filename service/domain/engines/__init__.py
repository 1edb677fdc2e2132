"""Engines: one module each, one line in the table."""

from service.domain.engines.table import ENGINE_MODELS

__all__ = ["ENGINE_MODELS"]
