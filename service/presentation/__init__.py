"""Shown results: JSON, CSV, Markdown and text."""
