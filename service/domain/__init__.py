"""Thought: pure functions over frozen dataclasses."""
